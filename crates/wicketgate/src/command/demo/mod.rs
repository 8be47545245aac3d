//! `wicketgate demo`: a chat room, a gateway before it and a page that talks through it, in one process.

mod backend;
mod files;
mod room;
mod socket;

use std::io::{IsTerminal, Write, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::runtime::Builder;
use wicketgate_gateway::admin::Admin;
use wicketgate_gateway::config::{self, Config, Style};
use wicketgate_gateway::listener::{Activated, BindAddress};
use wicketgate_gateway::server::{Cause, Server, StartError};
use wicketgate_gateway::workers::{DataPlane, Workers};
use wicketgate_telemetry::Telemetry;

use self::backend::Backend;
use self::files::Files;
use super::run::{LAST_WORDS, Stop, drain};
use crate::logs;

/// Where the page is looked for, and how many ports are tried from there on.
const PORT: u16 = 8443;
const PORTS: u16 = 20;

/// Try it: a chat room, the gateway before it with a certificate made on the spot, and a page that talks through it.
#[derive(Args)]
pub(crate) struct Demo {
    /// The port of the page on 127.0.0.1. Without it: 8443, or the next one that is free.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let data = DataPlane::start(threads)?;
        let control = Builder::new_current_thread().enable_all().build()?;
        // The chat room runs here too, apart from the gateway's threads.
        control.block_on(self.serve(data.workers()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Serves until it is told to stop. Sessions that then take longer than the drain time are cut off.
    async fn serve(self, data: Workers) -> anyhow::Result<()> {
        let mut stop = Stop::new().context("signals cannot be received")?;
        let files = Files::new()?;
        let backend = Backend::bind().await.context("the chat room finds no port")?;
        let room = backend.address()?;
        tokio::spawn(backend.serve());
        let (server, config) = self.start(&files, room, &data)?;
        let logs = logs::init(&config.log)?;
        let admin = config.admin.as_ref().context("the demonstration has an admin listener")?;
        let admin = Admin::bind(admin, false)?.show(logs.recent());
        let metrics = admin.address()?;
        tokio::spawn(admin.serve(server.shared.clone()));
        let (_, page) = server.addresses().pop().context("the demonstration has a listener")?;
        announce(&page.to_string(), &metrics, room, &files)?;
        stop.told().await;
        writeln!(stdout(), "\nDraining: sessions are told to connect again elsewhere (1012).")?;
        let audit = server.shared.audit.clone();
        drain(server, Cause::Stop, stop, None).await?;
        audit.close(LAST_WORDS);
        writeln!(stdout(), "Ended.")?;
        Ok(())
    }

    /// The gateway at the port that was asked for, or else at the first that is free.
    fn start(&self, files: &Files, room: SocketAddr, data: &Workers) -> anyhow::Result<(Server, Config)> {
        let ports = match self.port {
            Some(port) => vec![port],
            None => (PORT..PORT + PORTS).chain([0]).collect(),
        };
        let mut taken = None;
        for port in ports {
            let text = files.configuration(port, room)?;
            let (config, _) = config::parse("demo/wicketgate.yaml", &text, &|_| None)
                .map_err(|report| anyhow!("{}", report.render(Style::Plain)))?;
            match Server::start(
                &config,
                data.clone(),
                logs::audit(&config)?,
                Telemetry::default(),
                Activated::default(),
            ) {
                Ok(server) => return Ok((server, config)),
                Err(StartError::Bind(error)) if error.source.kind() == std::io::ErrorKind::AddrInUse => {
                    taken = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(taken.map_or_else(|| anyhow!("no port was tried"), Into::into))
    }
}

/// Tells what is where, and what can be tried.
fn announce(page: &str, metrics: &BindAddress, room: SocketAddr, files: &Files) -> std::io::Result<()> {
    let mut out = stdout();
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = out.is_terminal() && !refused;
    let bold = |text: &str| if colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
    let link = |text: &str| if colour { format!("\x1b[1;36m{text}\x1b[0m") } else { text.to_owned() };
    let folder = files.folder().display();
    writeln!(out, "{}\n", bold(concat!("Wicketgate ", env!("CARGO_PKG_VERSION"), ", a demonstration")))?;
    writeln!(out, "  page      {}", link(&format!("https://{page}/")))?;
    writeln!(out, "            Its certificate was made just now, so the browser asks whether to go on.")?;
    writeln!(out, "  gateway   wss://{page}/chat, /echo, /guarded and /faulty")?;
    writeln!(out, "  backend   http://{room}/, a chat room in this process, behind the gateway")?;
    writeln!(out, "  metrics   http://{metrics}/metrics")?;
    writeln!(out, "  files     {folder}: configuration, certificate, access log\n")?;
    writeln!(out, "{}\n", bold("Lines to try"))?;
    for (what, line) in lines_to_try(page, metrics, files)? {
        writeln!(out, "  # {what}\n  {line}")?;
    }
    writeln!(out, "\nCtrl-C drains and ends it.")?;
    out.flush()
}

/// Each with what it shows.
fn lines_to_try(
    page: &str,
    metrics: &BindAddress,
    files: &Files,
) -> std::io::Result<[(&'static str, String); 6]> {
    let handshake =
        "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='";
    let (config, access) = (files.config(), files.access_log());
    let (config, access) = (config.display(), access.display());
    let program = std::env::current_exe()?;
    let program = program.display();
    Ok([
        ("the page over HTTP/2", format!("curl -k --head https://{page}/")),
        (
            "a handshake of a version that is not spoken: 426",
            format!("curl -k -i --http1.1 {handshake} -H 'Sec-WebSocket-Version: 8' https://{page}/chat"),
        ),
        ("a path that no route takes: 404", format!("curl -k -i https://{page}/nowhere")),
        (
            "sessions, and why they ended",
            format!("curl -s http://{metrics}/metrics | grep wicketgate_sessions"),
        ),
        ("a line for every request and session", format!("tail -f {access}")),
        (
            "the route of a URL, and why no other",
            format!("{program} check -c {config} --explain wss://{page}/chat"),
        ),
    ])
}
