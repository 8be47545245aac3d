//! Where datagrams come in that are carried to a service: each source address is a flow, with a stream of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::table::{Held, Table};
use crate::endpoint::datagrams::config::UdpConfig;
use crate::endpoint::datagrams::{MAX_DATAGRAM, Outlet, carry};
use crate::endpoint::streams::{OpenError, Opener};

/// Before another try to receive when that failed.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the datagrams of a flow are dropped that the agent refuses.
const REFUSED: Duration = Duration::from_secs(1);

/// What all doors of a session have in common.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    udp: UdpConfig,
    places: Arc<Semaphore>,
    table: Arc<Table>,
}

impl Bounds {
    pub(super) fn new(udp: UdpConfig) -> Self {
        let table = Arc::new(Table::new(udp.max_flows, udp.queue));
        Self { udp, places: Arc::new(Semaphore::new(udp.max_flows)), table }
    }
}

/// Takes datagrams and carries them, until it is dropped.
pub(super) async fn keep(opener: Opener, service: String, socket: UdpSocket, bounds: Bounds) {
    let entrance = bounds.table.entrance();
    let way = Way { opener, service: service.into(), socket: Arc::new(socket), bounds };
    let mut tasks = JoinSet::new();
    let mut datagram = vec![0; MAX_DATAGRAM + 1];
    loop {
        tokio::select! {
            came = way.socket.recv_from(&mut datagram) => match came {
                Ok((length, from)) => {
                    if let Some(flow) = way.bounds.table.clone().take((entrance, from), &datagram[..length]) {
                        tasks.spawn(way.clone().carry(from, flow));
                    }
                }
                Err(_) => sleep(PAUSE).await,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

#[derive(Clone)]
struct Way {
    opener: Opener,
    service: Arc<str>,
    socket: Arc<UdpSocket>,
    bounds: Bounds,
}

impl Way {
    /// One flow, from its place to its end.
    async fn carry(self, to: SocketAddr, flow: Held) {
        let Ok(_place) = self.bounds.places.acquire().await else { return };
        if flow.over.is_cancelled() {
            return;
        }
        let waiting = &flow.waiting;
        // However long that takes: a stream that is given up early counts at the agent until the session goes on.
        let carried = match self.opener.open_flow(&self.service).await {
            Ok(stream) => {
                let mut back = Back { socket: self.socket.clone(), to };
                let idle = self.bounds.udp.idle;
                carry(stream, waiting, &mut back, idle, flow.over.cancelled()).await.map_err(OpenError::from)
            }
            Err(error) => {
                tracing::warn!("{error}");
                // The agent has fewer places than we have, it may be.
                flow.make_room();
                sleep(REFUSED).await;
                return;
            }
        };
        let dropped = waiting.dropped();
        match carried {
            Ok(()) => tracing::debug!(source = %to, service = %self.service, dropped, "the flow has ended"),
            Err(error) => {
                tracing::debug!(source = %to, service = %self.service, dropped, "the flow: {error}")
            }
        }
    }
}

/// Back to a source address.
struct Back {
    socket: Arc<UdpSocket>,
    to: SocketAddr,
}

impl Outlet for Back {
    async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        // Whoever was there may be gone, or its network may not take so long a one: neither ends the flow.
        let _ = self.socket.send_to(datagram, self.to).await;
        Ok(())
    }
}
