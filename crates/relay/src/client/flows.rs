//! Where datagrams come in that are carried to a service: each source address is a flow, with a stream of its own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::endpoint::datagrams::config::UdpConfig;
use crate::endpoint::datagrams::{MAX_DATAGRAM, Outlet, Queue, carry};
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
}

impl Bounds {
    pub(super) fn new(udp: UdpConfig) -> Self {
        Self { udp, places: Arc::new(Semaphore::new(udp.max_flows)) }
    }
}

/// Takes datagrams and carries them, until it is dropped.
pub(super) async fn keep(opener: Opener, service: String, socket: UdpSocket, bounds: Bounds) {
    let refused = Arc::<Notify>::default();
    let way =
        Way { opener, service: service.into(), socket: Arc::new(socket), bounds, refused: refused.clone() };
    let mut flows = Flows { way, open: HashMap::new(), tasks: JoinSet::new() };
    let mut datagram = vec![0; MAX_DATAGRAM + 1];
    loop {
        tokio::select! {
            came = flows.way.socket.recv_from(&mut datagram) => match came {
                Ok((length, from)) => flows.take(from, &datagram[..length]),
                Err(_) => sleep(PAUSE).await,
            },
            // The agent has fewer places than we have, it may be.
            () = refused.notified() => flows.end_quietest(),
            Some(ended) = flows.tasks.join_next_with_id() => {
                flows.forget(ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
        }
    }
}

struct Flows {
    way: Way,
    open: HashMap<SocketAddr, Flow>,
    tasks: JoinSet<()>,
}

struct Flow {
    waiting: Arc<Queue>,
    last: Instant,
    task: Id,
    over: CancellationToken,
}

impl Flows {
    fn take(&mut self, from: SocketAddr, datagram: &[u8]) {
        let count = self.open.len();
        let flow = match self.open.entry(from) {
            Entry::Occupied(flow) => flow.into_mut(),
            // As many as there may be wait for a place already.
            Entry::Vacant(_) if count >= 2 * self.way.bounds.udp.max_flows => return,
            Entry::Vacant(room) => {
                let (waiting, over) = (Arc::<Queue>::default(), CancellationToken::new());
                let carried = self.way.clone().carry(from, waiting.clone(), over.clone());
                let task = self.tasks.spawn(carried).id();
                room.insert(Flow { waiting, last: Instant::now(), task, over })
            }
        };
        flow.last = Instant::now();
        flow.waiting.push(datagram);
        let live = || self.open.values().filter(|flow| !flow.over.is_cancelled()).count();
        if self.open.len() > count
            && (self.way.bounds.places.available_permits() == 0 || live() > self.way.bounds.udp.max_flows)
        {
            self.end_quietest();
        }
    }

    /// Makes room for another, once both ends know.
    fn end_quietest(&self) {
        let live = self.open.values().filter(|flow| !flow.over.is_cancelled());
        if let Some(quietest) = live.min_by_key(|flow| flow.last) {
            quietest.over.cancel();
        }
    }

    fn forget(&mut self, task: Id) {
        self.open.retain(|_, flow| flow.task != task);
    }
}

#[derive(Clone)]
struct Way {
    opener: Opener,
    service: Arc<str>,
    socket: Arc<UdpSocket>,
    bounds: Bounds,
    /// Told where the agent refuses a flow.
    refused: Arc<Notify>,
}

impl Way {
    /// One flow, from its place to its end.
    async fn carry(self, to: SocketAddr, waiting: Arc<Queue>, over: CancellationToken) {
        let Ok(_place) = self.bounds.places.acquire().await else { return };
        // However long that takes: a stream that is given up early counts at the agent until the session goes on.
        let carried = match self.opener.open_flow(&self.service).await {
            Ok(stream) => {
                let mut back = Back { socket: self.socket.clone(), to };
                let idle = self.bounds.udp.idle;
                carry(stream, &waiting, &mut back, idle, over.cancelled()).await.map_err(OpenError::from)
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.refused.notify_one();
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
