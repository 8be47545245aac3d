//! `wicketgate connect`: to a service of an agent.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout, stdin, stdout};
use tokio::net::TcpListener;
use wicketgate_relay::client::config::RawClient;
use wicketgate_relay::client::{Connected, Progress, Told, connect};

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
    /// The service.
    service: String,
    /// Take connections at this address, and carry each to the service.
    #[arg(long, value_name = "HOST:PORT", required_unless_present_any = ["stdio", "check"])]
    listen: Option<String>,
    /// Carry standard input and output to the service, as for ssh: -o ProxyCommand='wicketgate connect %h ssh --stdio'
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
    /// The client's configuration. Without it: wicketgate/client.yaml in the folder for your configuration.
    #[arg(long, short, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Look through the configuration, and end.
    #[arg(long)]
    check: bool,
    /// Say nothing but what goes wrong.
    #[arg(long, short)]
    quiet: bool,
}

impl Connect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => usual().context("there is no home folder: name the configuration by --config")?,
        };
        let loaded = wicketgate_relay::endpoint::config::load(&path, RawClient::check);
        let Some(config) = show(&path, loaded) else { return Ok(ExitCode::from(BAD_CONFIGURATION)) };
        if self.check {
            return Ok(ExitCode::SUCCESS);
        }
        endpoint::log("warn");
        endpoint::runtime()?.block_on(async {
            let mut stop = Stop::new()?;
            let told = tell(self.quiet);
            let session = connect(&config, &self.agent, vec![self.service.clone()], told);
            let session = tokio::select! {
                session = session => session?,
                _ = stop.told() => return Ok(ExitCode::FAILURE),
            };
            match &self.listen {
                Some(address) => listen(session, address, &self, &mut stop).await,
                None => carry(session, &self.service).await,
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
    address: &str,
    asked: &Connect,
    stop: &mut Stop,
) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}: is another program there?"))?;
    if !asked.quiet {
        let at = listener.local_addr()?;
        eprintln!("wicketgate: {at} leads to {} of {}", asked.service, asked.agent);
    }
    tokio::select! {
        ended = session.listen(&asked.service, &listener) => match ended {
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
