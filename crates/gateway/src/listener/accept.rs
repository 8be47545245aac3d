//! The accept loop: a permit first, then a socket, then a task of its own for the connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use rustix::io::Errno;
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wicketgate_audit::{Audit, Event, Who};

use super::bind::BoundSocket;
use super::config::{ListenerConfig, Protocol};
use super::connection::{Accepted, Refusal, prepare};
use super::limits::{Addresses, Permit};
use crate::net::Socket;
use crate::tls::TlsServer;
use crate::tls::acme::Challenges;
use crate::workers::Workers;

/// A listener as its connections see it: its configuration, and who is connected.
#[derive(Debug)]
pub struct Listener {
    /// What was configured.
    pub config: ListenerConfig,
    pub(super) tls: Option<TlsServer>,
    pub(super) addresses: Option<Arc<Addresses>>,
    connections: Arc<Semaphore>,
}

/// What all listeners share.
#[derive(Clone, Debug)]
pub struct Intake {
    /// How many connections may be open on all listeners together.
    pub connections: Arc<Semaphore>,
    /// Every connection's task.
    pub tracker: TaskTracker,
    /// Ends accepting: the listening sockets are closed at once, connections go on.
    pub stop: CancellationToken,
    /// The threads that connections can be carried by.
    pub workers: Workers,
    /// The one of them that accepts here.
    pub own: usize,
    /// Takes records of connections that are refused.
    pub audit: Audit,
}

impl Intake {
    /// For so many open connections in all, carried by these threads.
    pub fn new(connections: usize, workers: Workers, audit: Audit) -> Self {
        let connections = connections.min(Semaphore::MAX_PERMITS);
        Self {
            connections: Arc::new(Semaphore::new(connections)),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            workers,
            own: 0,
            audit,
        }
    }
}

impl Listener {
    /// Makes what the connections need: rustls' configuration, the counters. Where a limit is what it was, the
    /// connections of the `last` listener go on to count. Certificate authorities find the answers to their `challenges`, agents and
    /// clients the certificate by which they know this gateway, if there is one.
    ///
    /// # Errors
    /// When rustls cannot be set up.
    pub fn new(
        config: ListenerConfig,
        last: Option<&Self>,
        challenges: &Arc<Challenges>,
        relay: Option<&Arc<CertifiedKey>>,
    ) -> Result<Arc<Self>, rustls::Error> {
        let same = last.filter(|last| last.config.connections == config.connections);
        let connections = same.map(|last| last.connections.clone());
        let same = last.filter(|last| last.config.per_address == config.per_address);
        let addresses = same.and_then(|last| last.addresses.clone());
        let alpn: Vec<_> = config.protocols.iter().copied().map(Protocol::alpn).collect();
        let tls = config.tls.clone().map(|tls| TlsServer::new(tls, alpn, challenges, relay)).transpose()?;
        Ok(Arc::new(Self {
            tls,
            addresses: addresses.or_else(|| config.per_address.map(Addresses::new)),
            connections: connections.unwrap_or_else(|| Arc::new(Semaphore::new(config.connections as usize))),
            config,
        }))
    }

    /// How many more connections it would take.
    pub fn vacant(&self) -> usize {
        self.connections.available_permits()
    }
}

/// Accepts connections on one socket until told to stop, and hands each to `handler` in a task of its own when it is
/// ready for HTTP, or refused.
///
/// At the limit of open connections nothing is accepted: the system's backlog holds the next ones, at no cost to us,
/// until one ends. A reload puts another [`Listener`] into `listener`; new connections see it at once. When
/// told to stop, what already waits in the backlog is still accepted, and then the socket is closed.
///
/// # Errors
/// When the socket cannot be registered with the runtime.
pub async fn serve<H, F>(
    listener: Arc<ArcSwap<Listener>>,
    socket: Arc<BoundSocket>,
    intake: Intake,
    handler: H,
) -> io::Result<()>
where
    H: Fn(Result<Accepted, Refusal>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let source = Source::new(&socket)?;
    let mut trouble = Trouble::default();
    let mut stopped = pin!(intake.stop.cancelled());
    loop {
        let counted = listener.load_full();
        let permit = tokio::select! {
            biased;
            () = &mut stopped => break,
            permit = permit(&counted, &intake, &mut trouble) => permit,
        };
        let Some(permit) = permit else { break };
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = source.accept() => accepted,
        };
        match accepted {
            // Loaded anew: a reload may have come while we waited.
            Ok((socket, peer)) => spawn(&intake, listener.load_full(), socket, peer, permit, handler.clone()),
            Err(error) => {
                if let Some(pause) = trouble.pause_after(&error, &counted.config.name) {
                    sleep(pause).await;
                }
            }
        }
    }
    accept_waiting(&listener.load_full(), &source, &intake, &handler);
    Ok(())
}

/// Takes what the system has completed before we stopped; closing the socket would reset it.
fn accept_waiting<H, F>(listener: &Arc<Listener>, source: &Source, intake: &Intake, handler: &H)
where
    H: Fn(Result<Accepted, Refusal>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 0..listener.config.backlog {
        let Some(permit) = Permit::try_acquire(&intake.connections, &listener.connections) else { return };
        let Some(Ok((socket, peer))) = source.accept().now_or_never() else { return };
        spawn(intake, listener.clone(), socket, peer, permit, handler.clone());
    }
}

fn spawn<H, F>(
    intake: &Intake,
    listener: Arc<Listener>,
    socket: Socket,
    peer: Option<SocketAddr>,
    mut permit: Permit,
    handler: H,
) where
    H: Fn(Result<Accepted, Refusal>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (place, audit) = (intake.workers.place(intake.own), intake.audit.clone());
    let elsewhere = place.elsewhere(intake.own);
    permit.keep_place(place);
    match elsewhere {
        None => drop(intake.tracker.spawn(carry(listener, socket, peer, permit, audit, handler))),
        Some(runtime) => {
            let moved = async move {
                match socket.move_here() {
                    Ok(socket) => carry(listener, socket, peer, permit, audit, handler).await,
                    Err(error) => tracing::debug!(?peer, %error, "connection lost on its way to a thread"),
                }
            };
            drop(intake.tracker.spawn_on(moved, &runtime));
        }
    }
}

/// A connection from its socket to its end.
async fn carry<H, F>(
    listener: Arc<Listener>,
    socket: Socket,
    peer: Option<SocketAddr>,
    permit: Permit,
    audit: Audit,
    handler: H,
) where
    H: Fn(Result<Accepted, Refusal>) -> F,
    F: Future<Output = ()>,
{
    let name = listener.clone();
    // Boxed: its state is needed for the handshake alone, the task's for as long as the connection lives.
    let arrived = Box::pin(prepare(listener, socket, peer, permit)).await;
    if let Err(refusal) = &arrived {
        tracing::debug!(listener = &*name.config.name, ?peer, %refusal, "connection refused");
        let client = peer.map(|peer| peer.ip().to_canonical());
        let who = Who { listener: Some(&name.config.name), client, ..Who::default() };
        audit.log(&Event::Refused { reason: refusal.label(), status: None }, &who);
    }
    handler(arrived).await;
}

async fn permit(listener: &Listener, intake: &Intake, trouble: &mut Trouble) -> Option<Permit> {
    let (all, own) = (&intake.connections, &listener.connections);
    if let Some(permit) = Permit::try_acquire(all, own) {
        return Some(permit);
    }
    if trouble.may_tell() {
        let limit = if own.available_permits() == 0 { "limits.connections" } else { "in all" };
        tracing::warn!(
            listener = &*listener.config.name,
            limit,
            "limit of open connections reached, new ones wait"
        );
    }
    Permit::acquire(all, own).await
}

/// The two kinds of listening sockets.
enum Source {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Source {
    /// A duplicate with the runtime; the original keeps a Unix socket's file until serving ends.
    fn new(socket: &BoundSocket) -> io::Result<Self> {
        let copy = OwnedFd::from(socket.socket.try_clone()?);
        Ok(match socket.path {
            None => Self::Tcp(TcpListener::from_std(copy.into())?),
            Some(_) => Self::Unix(UnixListener::from_std(copy.into())?),
        })
    }

    async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener) => Ok((Socket::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// Keeps failures to accept from turning into a busy loop or a flood of log lines.
#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
}

impl Trouble {
    /// How long to wait before the next attempt. The errors of a connection that ended before it was accepted (accept(2)
    /// lists them) are its own; when descriptors or memory run out, only time helps.
    fn pause_after(&mut self, error: &io::Error, listener: &str) -> Option<Duration> {
        const EXHAUSTED: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        let exhausted = Errno::from_io_error(error).is_some_and(|errno| EXHAUSTED.contains(&errno));
        if exhausted && self.may_tell() {
            tracing::error!(
                listener,
                %error,
                "cannot accept: raise the limit of open files (systemd: LimitNOFILE=), or lower limits.connections"
            );
        }
        exhausted.then_some(Duration::from_millis(100))
    }

    /// Once in ten seconds.
    fn may_tell(&mut self) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() > Duration::from_secs(10));
        if due {
            self.told = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhaustion_pauses_and_a_vanished_client_does_not() {
        let mut trouble = Trouble::default();
        let mut pause = |errno: Errno| trouble.pause_after(&errno.into(), "test");
        assert_eq!(pause(Errno::MFILE), Some(Duration::from_millis(100)));
        assert_eq!(pause(Errno::NFILE), Some(Duration::from_millis(100)));
        assert_eq!(pause(Errno::CONNABORTED), None);
        assert!(!trouble.may_tell(), "told once already");
    }
}
