//! `wicketgate connect`: to a service of an agent.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout, stdin, stdout};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::task::AbortOnDropHandle;
use wicketgate_config::Problems;
use wicketgate_relay::client::config::RawClient;
use wicketgate_relay::client::{Connected, Door, Entrance, Progress, Told, connect};

use super::configuration::{BAD_CONFIGURATION, show};
use super::run::Stop;
use super::{endpoint, throughput};

/// Reach a service of an agent, through a session that nobody on the way can read.
///
/// Exit code 1: there is no session, or it has ended otherwise than by your word; 2: the configuration cannot be used.
#[derive(Args)]
pub(crate) struct Connect {
    /// The agent.
    agent: String,
    /// The services, all of one session. Connections to an address behind one, as in ssh=127.0.0.1:2222, are carried to it; datagrams to
    /// one as in dns=udp://127.0.0.1:5353.
    #[arg(required = true, value_name = "SERVICE[=[udp://]HOST:PORT]")]
    services: Vec<Wanted>,
    /// Take connections at this address, and carry each to the service; for one alone. With udp:// before it, datagrams
    #[arg(long, value_name = "[udp://]HOST:PORT")]
    listen: Option<String>,
    /// Take SOCKS 5 connections at this address, and carry each to the service that it names as its host, as in
    /// `curl --proxy socks5h://127.0.0.1:1080 http://wiki/`
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "stdio")]
    socks: Option<String>,
    /// Carry standard input and output to the service, as for ssh: -o ProxyCommand='wicketgate connect %h ssh --stdio'
    #[arg(long)]
    stdio: bool,
    /// The client's configuration. Without it: wicketgate/client.yaml in the folder for your configuration.
    #[arg(long, short, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(flatten)]
    out: endpoint::WayOut,
    /// Look through the configuration, and end.
    #[arg(long)]
    check: bool,
    /// Show how much goes each way: on a terminal in one line, otherwise in a line every five seconds.
    #[arg(long, conflicts_with = "quiet")]
    progress: bool,
    /// Say nothing but what goes wrong.
    #[arg(long, short)]
    quiet: bool,
}

/// What comes in, and where it is carried to.
enum Way {
    Connections(Door),
    /// Datagrams, to this service.
    Datagrams(String),
}

/// What stands before an address of datagrams.
const UDP: &str = "udp://";

/// A service, and where connections to it come in.
#[derive(Clone)]
struct Wanted {
    service: String,
    address: Option<String>,
}

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, address) = match text.split_once('=') {
            Some((service, address)) => (service, Some(address.to_owned())),
            None => (text, None),
        };
        if service.is_empty() || address.as_ref().is_some_and(String::is_empty) {
            return Err("a service is written NAME, NAME=HOST:PORT or NAME=udp://HOST:PORT");
        }
        Ok(Self { service: service.to_owned(), address })
    }
}

impl Way {
    /// To a service, by whatever comes in at this address.
    fn to<'a>(service: &str, address: &'a str) -> (Self, &'a str) {
        match address.strip_prefix(UDP) {
            Some(address) => (Self::Datagrams(service.to_owned()), address),
            None => (Self::Connections(Door::Service(service.to_owned())), address),
        }
    }

    /// Opens it, and tells where.
    async fn open(self, address: &str, asked: &Connect) -> anyhow::Result<Entrance> {
        let used = || format!("cannot listen at {address}: is another program there?");
        let agent = &asked.agent;
        let (entrance, line) = match self {
            Self::Connections(door) => {
                let listener = TcpListener::bind(address).await.with_context(used)?;
                let at = listener.local_addr()?;
                let line = match &door {
                    Door::Service(service) => format!("{at} leads to {service} of {agent}"),
                    Door::Socks(services) => {
                        format!("{at} leads to {} of {agent}, as SOCKS 5 names them", services.join(", "))
                    }
                };
                (Entrance::Connections(door, listener), line)
            }
            Self::Datagrams(service) => {
                let socket = UdpSocket::bind(address).await.with_context(used)?;
                let line = format!("{UDP}{} leads to {service} of {agent}", socket.local_addr()?);
                (Entrance::Datagrams(service, socket), line)
            }
        };
        if !asked.quiet {
            eprintln!("wicketgate: {line}");
        }
        Ok(entrance)
    }
}

impl Connect {
    /// Where connections come in, and the address of each; none where standard input and output are carried.
    fn ways(&self) -> anyhow::Result<Vec<(Way, &str)>> {
        let given = self
            .services
            .iter()
            .filter_map(|wanted| Some(Way::to(&wanted.service, wanted.address.as_deref()?)));
        let mut ways: Vec<_> = given.collect();
        if let Some(address) = &self.listen {
            let [Wanted { service, address: None }] = &self.services[..] else {
                bail!("--listen is for one service: write {}=HOST:PORT for each", self.services[0].service);
            };
            ways.push(Way::to(service, address));
        }
        if let Some(address) = &self.socks {
            ways.push((Way::Connections(Door::Socks(self.names())), address));
        }
        match (self.stdio, ways.is_empty()) {
            (true, true) if self.services.len() > 1 => bail!("--stdio is for one service"),
            (true, false) => bail!("--stdio and an address do not go together"),
            (false, true) if !self.check => {
                bail!("say where connections come in: --listen, --socks, --stdio, or SERVICE=HOST:PORT")
            }
            _ => Ok(ways),
        }
    }

    fn names(&self) -> Vec<String> {
        self.services.iter().map(|wanted| wanted.service.clone()).collect()
    }

    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => usual().context("there is no home folder: name the configuration by --config")?,
        };
        let proxy = self.out.proxy()?;
        let check = |mut raw: RawClient, problems: &mut Problems| {
            endpoint::put(proxy, &mut raw.gateway);
            raw.check(problems)
        };
        let loaded = wicketgate_relay::endpoint::config::load(&path, check);
        let Some(config) = show(&path, loaded) else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        if self.check {
            return Ok(ExitCode::SUCCESS);
        }
        let ways = self.ways()?;
        endpoint::log("warn");
        endpoint::runtime()?.block_on(async {
            let mut stop = Stop::new()?;
            let told = tell(self.quiet);
            let session = connect(&config, &self.agent, self.names(), told);
            let session = tokio::select! {
                session = session => session?,
                _ = stop.told() => return Ok(ExitCode::FAILURE),
            };
            let _shows = self
                .progress
                .then(|| AbortOnDropHandle::new(tokio::spawn(throughput::show(session.handle()))));
            match self.stdio {
                true => carry(session, &self.services[0].service).await,
                false => listen(session, ways, &self, &mut stop).await,
            }
        })
    }
}

/// Where a person's configuration stands (XDG base directories).
fn usual() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    folder.map(|folder| folder.join("wicketgate/client.yaml"))
}

fn tell(quiet: bool) -> Told {
    Arc::new(move |progress| {
        let line = match progress {
            Progress::NoGateway(why) | Progress::NoCarrier(why) => format!("no way to the gateway: {why}"),
            Progress::Broken(why) => format!("the connection is gone ({why}); dialling again"),
            _ if quiet => return,
            Progress::Gateway { name, version, carrier } => {
                format!("gateway {} ({version}) over {carrier}", name.name)
            }
            Progress::Granted(session) => format!("session {session}"),
            Progress::Verified(agent) => format!("agent {agent}: verified, encrypted end to end"),
            Progress::Resumed { carrier, again } => {
                format!("resumed over {carrier}; {again} bytes were sent again")
            }
        };
        eprintln!("wicketgate: {line}");
    })
}

async fn listen(
    mut session: Connected,
    ways: Vec<(Way, &str)>,
    asked: &Connect,
    stop: &mut Stop,
) -> anyhow::Result<ExitCode> {
    let mut open = Vec::new();
    for (way, address) in ways {
        open.push(way.open(address, asked).await?);
    }
    tokio::select! {
        ended = session.keep(open) => match ended {
            Some(ended) => bail!("the session {ended}"),
            None => bail!("the session has ended"),
        },
        _ = stop.told() => {
            session.end().await;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn carry(session: Connected, service: &str) -> anyhow::Result<ExitCode> {
    let mut stdio = Stdio { read: stdin(), write: stdout() };
    session.forward(service, &mut stdio).await?;
    session.end().await;
    // Standard input may block a thread for ever.
    std::process::exit(0)
}

/// Standard input and output as one stream.
struct Stdio {
    read: Stdin,
    write: Stdout,
}

impl AsyncRead for Stdio {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, out)
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(cx)
    }
}
