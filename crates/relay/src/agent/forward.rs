//! What a client's streams lead to: a connection each, or a flow of datagrams.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::slice;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::Agent;
use crate::endpoint::datagrams::{Outlet, Queue, carry};
use crate::endpoint::streams::{self, Stream, Transport};

/// What is received before others have their turn.
const BURST: usize = 64;
/// So many errors of a socket in a row are its end.
const FAILURES: u32 = 1000;
/// The longest datagram that there is, with room to see that it is.
const ROOM: usize = 65_535;

/// Who has come, and for what.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) client: String,
    /// What the session was opened for.
    pub(super) services: Vec<String>,
    /// Places for flows of datagrams.
    pub(super) flows: Semaphore,
}

impl Agent {
    /// One stream, from its request for a service to its end.
    pub(super) async fn forward(&self, mut stream: Stream, visit: &Visit) {
        let asked = streams::asked(&mut stream);
        let Ok(Ok((transport, service))) = timeout(self.config.session.ask_timeout, asked).await else {
            return;
        };
        // Before it is judged: what changes from then on ends it.
        let changes = self.changes.subscribe();
        let refused = match self.address(transport, &service, visit) {
            Err(why) => Err(why),
            Ok(address) => match transport {
                Transport::Tcp => self.connection(&mut stream, &service, &address, visit, changes).await,
                Transport::Udp => self.flow(&mut stream, &service, &address, visit, changes).await,
            },
        };
        if let Err(why) = refused {
            tracing::warn!(client = visit.client, service, "refused: {why}");
            let _ = streams::answer(&mut stream, Some(&why)).await;
        }
    }

    pub(super) fn allows(&self, client: &str, service: &str) -> bool {
        self.config.access.allows(client, &self.config.identity.name.name, service, SystemTime::now())
    }

    /// Where a service is that this client may have.
    fn address(&self, transport: Transport, service: &str, visit: &Visit) -> Result<String, String> {
        let Visit { client, services, .. } = visit;
        if !services.iter().any(|name| name == service) {
            return Err(format!("the session was not opened for `{service}`"));
        }
        // Asked last, and by the agent alone: no gateway can talk it into more.
        if !self.allows(client, service) {
            return Err(format!("the agent does not let {client} reach `{service}`"));
        }
        match (self.config.services.address(service), transport) {
            (None, _) => Err(format!("the agent has no service `{service}`")),
            (Some((Transport::Udp, _)), Transport::Tcp) => {
                Err(format!("`{service}` is a service of UDP: listen at udp://HOST:PORT"))
            }
            (Some((Transport::Tcp, _)), Transport::Udp) => {
                Err(format!("`{service}` is a service of TCP, not of UDP"))
            }
            (Some((_, address)), _) => Ok(address.into_owned()),
        }
    }

    /// # Errors
    /// Why there is none; nothing was answered then.
    async fn connection(
        &self,
        stream: &mut Stream,
        service: &str,
        address: &str,
        visit: &Visit,
        changes: watch::Receiver<()>,
    ) -> Result<(), String> {
        let connect = timeout(self.config.connect_timeout, TcpStream::connect(address));
        let socket = connect.await.map_err(|_| format!("`{service}` does not answer"))?;
        let mut socket = socket.map_err(|error| format!("`{service}` cannot be reached: {error}"))?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let client = visit.client.as_str();
        tracing::info!(client, service, "open");
        if streams::answer(stream, None).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            _ = streams::carry(stream, &mut socket) => {}
            () = self.shuts_out(changes, client, slice::from_ref(&service)) => shut_out(client, service),
        }
        Ok(())
    }

    /// # Errors
    /// Why there is none; nothing was answered then.
    async fn flow(
        &self,
        stream: &mut Stream,
        service: &str,
        address: &str,
        visit: &Visit,
        changes: watch::Receiver<()>,
    ) -> Result<(), String> {
        let _place = visit.flows.try_acquire().map_err(|_| {
            format!("the session has as many flows of UDP as it may have: {}", self.config.udp.max_flows)
        })?;
        let socket = timeout(self.config.connect_timeout, connected(address)).await;
        let socket = socket.map_err(|_| format!("the address of `{service}` is not to be had"))?;
        let socket = socket.map_err(|error| format!("`{service}` cannot be reached: {error}"))?;
        let client = visit.client.as_str();
        tracing::info!(client, service, "open for datagrams");
        if streams::answer(stream, None).await.is_err() {
            return Ok(());
        }
        let socket = Arc::new(socket);
        let (waiting, mut outlet) = (Queue::new(self.config.udp.queue), Service(socket.clone()));
        let over = async {
            tokio::select! {
                error = receive(&socket, &waiting) => tracing::debug!(client, service, "the flow: {error}"),
                () = self.shuts_out(changes, client, slice::from_ref(&service)) => shut_out(client, service),
            }
        };
        let carried = carry(stream, &waiting, &mut outlet, self.config.udp.idle, over).await;
        if let Err(error) = carried {
            tracing::debug!(client, service, "the flow: {error}");
        }
        Ok(())
    }
}

fn shut_out(client: &str, service: &str) {
    tracing::warn!(client, service, "ended: the agent does not let it be used at this time");
}

/// A socket for this address alone: nobody else's datagrams come to it.
async fn connected(address: &str) -> io::Result<UdpSocket> {
    let mut failed = io::ErrorKind::NotFound.into();
    for address in lookup_host(address).await? {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let connected = async {
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            Ok(socket)
        };
        match connected.await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Receives for the session, whether that takes it or not: what does not fit is dropped. A flow at rest holds no buffer.
/// What a network says of one datagram, as that nobody is at the port, no way leads there, or it is too long, is no end: it has not come.
async fn receive(socket: &UdpSocket, waiting: &Queue) -> io::Error {
    // In a row: a socket that does nothing else is none any more.
    let mut failures = 0;
    loop {
        if let Err(error) = socket.readable().await {
            return error;
        }
        let mut datagram = BytesMut::with_capacity(ROOM);
        for _ in 0..BURST {
            datagram.clear();
            match socket.try_recv_buf(&mut datagram) {
                Ok(_) => {
                    failures = 0;
                    waiting.push(&datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    failures = 0;
                    break;
                }
                Err(error) if failures >= FAILURES => return error,
                Err(_) => failures += 1,
            }
        }
        tokio::task::yield_now().await;
    }
}

/// To a service.
struct Service(Arc<UdpSocket>);

impl Outlet for Service {
    async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        // Nobody may be at the port now, or the network may not take so long a one: neither ends the flow.
        let _ = self.0.send(datagram).await;
        Ok(())
    }
}
