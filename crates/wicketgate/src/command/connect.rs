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
use tokio::net::TcpListener;
use wicketgate_config::Problems;
use wicketgate_relay::client::config::RawClient;
use wicketgate_relay::client::{Connected, Door, Progress, Told, connect};

use super::configuration::{BAD_CONFIGURATION, show};
use super::endpoint;
use super::run::Stop;

/// Reach a service of an agent, through a session that nobody on the way can read.
///
/// Exit code 1: there is no session, or it has ended otherwise than by your word; 2: the configuration cannot be used.
#[derive(Args)]
pub(crate) struct Connect {
    /// The agent.
    agent: String,
    /// The services, all of one session. Connections to an address behind one, as in ssh=127.0.0.1:2222, are carried to it.
    #[arg(required = true, value_name = "SERVICE[=HOST:PORT]")]
    services: Vec<Wanted>,
    /// Take connections at this address, and carry each to the service; for one alone.
    #[arg(long, value_name = "HOST:PORT")]
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
    /// Say nothing but what goes wrong.
    #[arg(long, short)]
    quiet: bool,
}

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
            return Err("a service is written NAME or NAME=HOST:PORT");
        }
        Ok(Self { service: service.to_owned(), address })
    }
}

impl Connect {
    /// Where connections come in, and the address of each; none where standard input and output are carried.
    fn doors(&self) -> anyhow::Result<Vec<(Door, &str)>> {
        let given = self
            .services
            .iter()
            .filter_map(|wanted| Some((Door::Service(wanted.service.clone()), wanted.address.as_deref()?)));
        let mut doors: Vec<_> = given.collect();
        if let Some(address) = &self.listen {
            let [Wanted { service, address: None }] = &self.services[..] else {
                bail!("--listen is for one service: write {}=HOST:PORT for each", self.services[0].service);
            };
            doors.push((Door::Service(service.clone()), address));
        }
        if let Some(address) = &self.socks {
            doors.push((Door::Socks(self.names()), address));
        }
        match (self.stdio, doors.is_empty()) {
            (true, true) if self.services.len() > 1 => bail!("--stdio is for one service"),
            (true, false) => bail!("--stdio and an address do not go together"),
            (false, true) if !self.check => {
                bail!("say where connections come in: --listen, --socks, --stdio, or SERVICE=HOST:PORT")
            }
            _ => Ok(doors),
        }
    }

    fn names(&self) -> Vec<String> {
        self.services.iter().map(|wanted| wanted.service.clone()).collect()
    }

    pub(super) fn run(mut self) -> anyhow::Result<ExitCode> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => usual().context("there is no home folder: name the configuration by --config")?,
        };
        let out = std::mem::take(&mut self.out);
        let check = |mut raw: RawClient, problems: &mut Problems| {
            out.put_into(&mut raw.gateway);
            raw.check(problems)
        };
        let loaded = wicketgate_relay::endpoint::config::load(&path, check);
        let Some(config) = show(&path, loaded) else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        if self.check {
            return Ok(ExitCode::SUCCESS);
        }
        let doors = self.doors()?;
        endpoint::log("warn");
        endpoint::runtime()?.block_on(async {
            let mut stop = Stop::new()?;
            let told = tell(self.quiet);
            let session = connect(&config, &self.agent, self.names(), told);
            let session = tokio::select! {
                session = session => session?,
                _ = stop.told() => return Ok(ExitCode::FAILURE),
            };
            match self.stdio {
                true => carry(session, &self.services[0].service).await,
                false => listen(session, doors, &self, &mut stop).await,
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
    doors: Vec<(Door, &str)>,
    asked: &Connect,
    stop: &mut Stop,
) -> anyhow::Result<ExitCode> {
    let mut open = Vec::new();
    for (door, address) in doors {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen at {address}: is another program there?"))?;
        if !asked.quiet {
            let at = listener.local_addr()?;
            match &door {
                Door::Service(service) => eprintln!("wicketgate: {at} leads to {service} of {}", asked.agent),
                Door::Socks(services) => {
                    let services = services.join(", ");
                    eprintln!(
                        "wicketgate: {at} leads to {services} of {}, as SOCKS 5 names them",
                        asked.agent
                    );
                }
            }
        }
        open.push((door, listener));
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
