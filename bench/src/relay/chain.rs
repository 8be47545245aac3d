//! Who is compared: what stands between whoever connects and the service.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::ValueEnum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wicketgate_relay::carrier::websocket::WebSocketPipe;
use wicketgate_relay::carrier::{BoxedCarrier, Carrier};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{Hop, Intermediary, Proxy, Upstream, folder};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{Head, Upgrade};
use wicketgate_wire::Role;

use super::load::Cost;
use super::service::Service;
use super::site::{Kind, Site, Way};

/// Its version, which the tool installs.
pub(super) const RATHOLE: &str = "0.5.0";
/// Silence that every proxy allows, longer than any run is.
const IDLE: Duration = Duration::from_secs(3600);

/// One contender. The order is the order of turns and of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Chain {
    /// Nothing between
    Direct,
    /// HAProxy in TCP mode
    Hops1,
    /// HAProxy in TCP mode, twice
    Hops2,
    /// HAProxy in TCP mode, three times: as many programs as a private session passes
    Hops3,
    /// websockify, reached by a WebSocket
    Websockify,
    /// rathole over WebSocket
    Rathole,
    /// A private session over carrier `websocket`, the gateway reached in plain
    Plain,
    /// A private session over carrier `tls`
    Tls,
    /// A private session over carrier `websocket` with nginx before the gateway, which ends TLS
    Nginx,
    /// The same with HAProxy
    Haproxy,
}

/// A chain that leads to the service. Dropping it ends it.
pub(super) struct Running {
    near: SocketAddr,
    by_websocket: bool,
    parts: Vec<(&'static str, Part)>,
    _ports: Vec<Port>,
    _dir: Option<Dir>,
}

enum Part {
    Proxy(Box<Proxy>),
    Process(Process),
    Gateway(Gateway),
}

impl Chain {
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(super) fn title(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    pub(super) async fn start(self, site: &Site, service: &Service) -> Result<Running> {
        match self {
            Self::Direct => Ok(Running::new(service.addr(), Vec::new(), Vec::new())),
            Self::Hops1 => hops(1, service).await,
            Self::Hops2 => hops(2, service).await,
            Self::Hops3 => hops(3, service).await,
            Self::Websockify => websockify(service).await,
            Self::Rathole => rathole(service).await,
            Self::Plain | Self::Tls | Self::Nginx | Self::Haproxy => self.private(site, service).await,
        }
    }

    async fn private(self, site: &Site, service: &Service) -> Result<Running> {
        let relay = site.relay().await?;
        let hop = Hop::to(Upstream::new(relay.plain.addr())).tls(&site.identity).idle(IDLE).workers(2);
        let (way, wall) = match self {
            Self::Nginx | Self::Haproxy => {
                let kind = if self == Self::Nginx { Intermediary::Nginx } else { Intermediary::Haproxy };
                let proxy = kind.start(&hop).await?;
                (
                    Way::Secure(proxy.addr(), Kind::WebSocket),
                    Some((kind.name(), Part::Proxy(Box::new(proxy)))),
                )
            }
            Self::Tls => (Way::Secure(relay.secure.addr(), Kind::Tls), None),
            _ => (Way::Plain(relay.plain.addr()), None),
        };
        let agent = site.agent(&way, service.addr()).await?;
        let listen = Port::free()?;
        let client = site.client(&way, &listen).await?;
        let mut parts = vec![("connect", Part::Process(client))];
        parts.extend(wall);
        parts.extend([("gateway", Part::Gateway(relay.gateway)), ("agent", Part::Process(agent))]);
        Ok(Running::new(listen.addr(), parts, vec![listen, relay.plain, relay.secure]))
    }
}

impl Running {
    fn new(near: SocketAddr, parts: Vec<(&'static str, Part)>, ports: Vec<Port>) -> Self {
        Self { near, by_websocket: false, parts, _ports: ports, _dir: None }
    }

    /// A connection that leads to the service.
    pub(super) async fn dial(&self) -> Result<BoxedCarrier> {
        let socket = TcpStream::connect(self.near).await?;
        socket.set_nodelay(true)?;
        match self.by_websocket {
            false => Ok(Box::new(socket)),
            true => upgrade(socket).await,
        }
    }

    /// Processor time of each program until now.
    pub(super) fn costs(&self) -> Result<Vec<Cost>> {
        let cost = |(name, part): &(&'static str, Part)| {
            let usage = match part {
                Part::Proxy(proxy) => proxy.usage(),
                Part::Process(process) => process.usage(),
                Part::Gateway(gateway) => gateway.usage(),
            };
            Ok(Cost { name, cpu: usage?.cpu() })
        };
        self.parts.iter().map(cost).collect()
    }
}

async fn hops(count: usize, service: &Service) -> Result<Running> {
    let (mut near, mut parts) = (service.addr(), Vec::new());
    for _ in 0..count {
        let proxy = Intermediary::HaproxyTcp.start(&Hop::plain(near).idle(IDLE)).await?;
        near = proxy.addr();
        parts.push(("haproxy", Part::Proxy(Box::new(proxy))));
    }
    Ok(Running::new(near, parts, Vec::new()))
}

async fn websockify(service: &Service) -> Result<Running> {
    let port = Port::free()?;
    let mut command = Command::new("websockify");
    command.arg(port.addr().to_string()).arg(service.addr().to_string());
    let process = Process::spawn(command, Ready::port(port.addr())).await;
    let process = process.context("Debian: websockify")?;
    let running = Running::new(port.addr(), vec![("websockify", Part::Process(process))], vec![port]);
    Ok(Running { by_websocket: true, ..running })
}

async fn rathole(service: &Service) -> Result<Running> {
    let (dir, control, near) = (Dir::new()?, Port::free()?, Port::free()?);
    let transport = |mut text: String, side: &str| {
        writeln!(
            text,
            "[{side}.transport]\ntype = \"websocket\"\n[{side}.transport.websocket]\ntls = false"
        )?;
        anyhow::Ok(text)
    };
    let server = format!(
        "[server]\nbind_addr = \"{}\"\ndefault_token = \"bench\"\n[server.services.bench]\nbind_addr = \"{}\"\n",
        control.addr(),
        near.addr()
    );
    let client = format!(
        "[client]\nremote_addr = \"{}\"\ndefault_token = \"bench\"\n[client.services.bench]\nlocal_addr = \"{}\"\n",
        control.addr(),
        service.addr()
    );
    let server = dir.write("server.toml", transport(server, "server")?)?;
    let client = dir.write("client.toml", transport(client, "client")?)?;
    let program = folder().join("bin/rathole");
    let mut command = Command::new(&program);
    command.arg("--server").arg(server);
    let server = Process::spawn(command, Ready::port(control.addr())).await.context("the crate rathole")?;
    let mut command = Command::new(&program);
    command.arg("--client").arg(client);
    let client = Process::spawn(command, Ready::port(near.addr())).await?;
    let parts = vec![("server", Part::Process(server)), ("client", Part::Process(client))];
    let running = Running::new(near.addr(), parts, vec![control, near]);
    Ok(Running { _dir: Some(dir), ..running })
}

/// Asks for a WebSocket, whose binary messages are the stream.
async fn upgrade(mut socket: TcpStream) -> Result<Box<dyn Carrier>> {
    let upgrade = Upgrade::new("/").with("Sec-WebSocket-Protocol", "binary");
    socket.write_all(&upgrade.bytes()).await?;
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await?);
    }
    upgrade.check(&Head { bytes: text })?;
    Ok(Box::new(WebSocketPipe::new(socket, Role::Client, &Bytes::new())))
}
