//! Which kind of carrier is dialled: the first that proves a gateway, and the better one once it can be had.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use wicketgate_admission::fetch::FetchConfig;

use super::proxy::{ProxyError, ProxyFault};
use super::{BoxedCarrier, DialError, Gateway, Kind, Kinds, Reached, Socket, tls, websocket};
use crate::session::SessionId;

/// How long carrier `tls` is alone in the race.
const HEAD_START: Duration = Duration::from_millis(300);

/// Before another try to get to another gateway than one that ends.
const AGAIN: Duration = Duration::from_millis(500);
/// Over how long those who leave a gateway that ends come to another: not all at once.
const SPREAD: Duration = Duration::from_secs(2);

/// How often we look whether our own address is still ours.
const LOOK: Duration = Duration::from_secs(1);

/// Dials carriers. Its clones share what they learn of the way.
#[derive(Clone, Debug)]
pub struct Dialer(Arc<Way>);

/// A carrier that is open.
pub struct Opened {
    /// The carrier.
    pub carrier: BoxedCarrier,
    /// Its kind.
    pub kind: Kind,
    /// Our own address on it.
    pub local: Option<SocketAddr>,
    /// How often the gateway had said that it ends when this was dialled: what it says from then on is about this one.
    pub(crate) leaves: u64,
}

impl Opened {
    /// Waits until our own address on it is none of this machine's any more: then nothing comes over it, and nothing says so.
    pub async fn moved(local: Option<SocketAddr>) {
        let Some(mut local) = local else { return pending().await };
        local.set_port(0);
        let gone = |error: io::Error| error.kind() == io::ErrorKind::AddrNotAvailable;
        while !UdpSocket::bind(local).is_err_and(gone) {
            sleep(LOOK).await;
        }
    }
}

#[derive(Debug)]
struct Way {
    gateway: Gateway,
    /// For whatever stands in front of the gateway.
    https: Arc<ClientConfig>,
    /// For the gateway itself; none where carrier `tls` is not allowed, or not possible.
    raw: Option<Arc<ClientConfig>>,
    websocket: bool,
    timeout: Duration,
    retry: Duration,
    learnt: Mutex<Option<Learnt>>,
    /// How often the gateway has said that it ends.
    leaves: watch::Sender<u64>,
}

/// One try to open a carrier.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    deadline: Instant,
    /// How often the gateway had said at its beginning that it ends.
    leaves: u64,
}

/// Carrier `tls` was passed by.
#[derive(Clone, Copy, Debug)]
struct Learnt {
    /// Our own address then, which tells one network from another.
    network: IpAddr,
    at: Instant,
}

impl Dialer {
    /// Dials this gateway; `https` says whom to trust in front of it, and how long to wait, and `own` whom the gateway itself has to
    /// prove to be on carrier `tls`. Where that was passed by, it is tried again after `retry`.
    pub fn new(
        gateway: Gateway,
        https: &FetchConfig,
        own: ClientConfig,
        kinds: Kinds,
        retry: Duration,
    ) -> Self {
        let mut tls = https.tls();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let raw = (gateway.secure && kinds.allows(Kind::Tls)).then(|| Arc::new(own));
        Self(Arc::new(Way {
            websocket: kinds.allows(Kind::WebSocket) || raw.is_none(),
            https: Arc::new(tls),
            timeout: https.timeout,
            learnt: Mutex::default(),
            leaves: watch::Sender::default(),
            gateway,
            raw,
            retry,
        }))
    }

    /// Where it dials.
    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Opens a carrier: of whichever allowed kind proves a gateway first, `tls` having a head start, unless that was passed by
    /// on this network a while ago.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn dial(&self) -> Result<Opened, DialError> {
        self.0.open(self.0.attempt()).await
    }

    /// Has every user of this dialer, and of its clones, go on elsewhere: the gateway says that it ends.
    pub(crate) fn leave(&self) {
        self.0.leaves.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Waits until the gateway has said that it ends, since it had said so this often.
    pub(crate) async fn left(&self, since: u64) {
        // The sender is ours.
        let _ = self.0.leaves.subscribe().wait_for(|leaves| *leaves != since).await;
    }

    /// Whether it has.
    pub(crate) fn has_left(&self, since: u64) -> bool {
        *self.0.leaves.borrow() != since
    }

    /// When it is this session's turn to leave a gateway that ends: both ends know it, and leave together.
    pub(crate) fn turn(SessionId(id): SessionId) -> Duration {
        SPREAD.mul_f64(f64::from(u16::from_be_bytes([id[0], id[1]])) / f64::from(u16::MAX))
    }

    /// The same for what has no other end that would have to know.
    pub(crate) fn any_turn() -> Duration {
        SPREAD.mul_f64(rand::random_range(0.0..1.0))
    }

    /// Before another try to get away from a gateway that ends.
    pub(crate) async fn pause() {
        sleep(AGAIN.mul_f64(rand::random_range(0.5..1.5))).await;
    }

    /// Waits for a carrier of a better kind than this one, or to another gateway once its gateway ends: for ever where there is none.
    /// `turn` is waited for before the other gateway is dialled.
    pub(crate) async fn better_than(&self, kind: Kind, since: u64, turn: impl Future<Output = ()>) -> Opened {
        tokio::select! {
            opened = self.higher_than(kind) => opened,
            opened = self.elsewhere(since, turn) => opened,
        }
    }

    /// A carrier to a gateway that takes some, once this one ends.
    async fn elsewhere(&self, since: u64, turn: impl Future<Output = ()>) -> Opened {
        self.left(since).await;
        turn.await;
        loop {
            // Apart from what every session holds all the time.
            match Box::pin(self.dial()).await {
                Ok(opened) => return opened,
                Err(error) => tracing::debug!("the gateway ends, and there is no other yet: {error}"),
            }
            Self::pause().await;
        }
    }

    async fn higher_than(&self, kind: Kind) -> Opened {
        let way = &*self.0;
        let Some(raw) = way.raw.as_ref().filter(|_| kind == Kind::WebSocket) else {
            return pending().await;
        };
        loop {
            let last = way.learnt().map_or_else(Instant::now, |learnt| learnt.at);
            sleep_until(last + way.retry).await;
            // One session tries for all.
            if !way.claim(last) {
                continue;
            }
            let attempt = way.attempt();
            let tried = async { way.tls(raw, way.connect(attempt).await?, attempt).await };
            match tried.await {
                Ok(opened) => {
                    way.learn(None);
                    return opened;
                }
                Err(error) => tracing::debug!("carrier tls is not to be had yet: {error}"),
            }
        }
    }
}

impl Way {
    fn attempt(&self) -> Attempt {
        Attempt { deadline: Instant::now() + self.timeout, leaves: *self.leaves.borrow() }
    }

    async fn open(&self, attempt: Attempt) -> Result<Opened, DialError> {
        let reached = self.connect(attempt).await?;
        let network = reached.local.map(|local| local.ip());
        let Some(raw) = &self.raw else { return self.websocket(reached, attempt).await };
        if !self.websocket {
            return self.tls(raw, reached, attempt).await;
        }
        let learnt = self.learnt().filter(|learnt| Some(learnt.network) == network);
        if learnt.is_some_and(|learnt| learnt.at.elapsed() < self.retry) {
            let opened = self.websocket(reached, attempt).await;
            if opened.is_err() {
                self.learn(None);
            }
            return opened;
        }
        let won = self.race(raw, reached, attempt).await;
        if let Ok(Opened { kind, .. }) = &won {
            let passed_by = network.filter(|_| *kind == Kind::WebSocket);
            self.learn(passed_by.map(|network| Learnt { network, at: Instant::now() }));
        }
        won
    }

    /// Both kinds at once, `tls` with a head start; an error is that of the WebSocket.
    async fn race(
        &self,
        raw: &Arc<ClientConfig>,
        reached: Reached,
        attempt: Attempt,
    ) -> Result<Opened, DialError> {
        let mut raw = pin!(self.tls(raw, reached, attempt));
        let mut web = pin!(async { self.websocket(self.connect(attempt).await?, attempt).await });
        let failed = tokio::select! {
            opened = &mut raw => match opened {
                Ok(opened) => return Ok(opened),
                Err(error) => Some(error),
            },
            () = sleep(HEAD_START) => None,
        };
        if let Some(error) = failed {
            tracing::debug!("carrier tls: {error}");
            return web.await;
        }
        tokio::select! {
            opened = &mut raw => match opened {
                Ok(opened) => Ok(opened),
                Err(_) => web.await,
            },
            opened = &mut web => match opened {
                Ok(opened) => Ok(opened),
                Err(error) => raw.await.map_err(|_| error),
            },
        }
    }

    async fn tls(
        &self,
        raw: &Arc<ClientConfig>,
        Reached { socket, local }: Reached,
        attempt: Attempt,
    ) -> Result<Opened, DialError> {
        // Boxed, here and below: TLS under way is large, and whoever dials holds no place for it all the time.
        let open = Box::pin(async {
            match socket {
                Socket::Tcp(socket) => tls::open(&self.gateway, raw, socket).await,
                Socket::Other(socket) => tls::open(&self.gateway, raw, socket).await,
            }
        });
        let carrier = self.before(attempt, open).await?;
        Ok(Opened { carrier, kind: Kind::Tls, local, leaves: attempt.leaves })
    }

    async fn websocket(
        &self,
        Reached { socket, local }: Reached,
        attempt: Attempt,
    ) -> Result<Opened, DialError> {
        let open = Box::pin(async {
            match socket {
                Socket::Tcp(socket) => websocket::open(&self.gateway, &self.https, socket).await,
                Socket::Other(socket) => websocket::open(&self.gateway, &self.https, socket).await,
            }
        });
        let carrier = self.before(attempt, open).await?;
        Ok(Opened { carrier, kind: Kind::WebSocket, local, leaves: attempt.leaves })
    }

    /// Each step has the deadline of the whole, so that a step that is late does not hide why another has failed.
    async fn before<T>(
        &self,
        attempt: Attempt,
        step: impl Future<Output = Result<T, DialError>>,
    ) -> Result<T, DialError> {
        timeout_at(attempt.deadline, step).await.unwrap_or(Err(DialError::Late(self.timeout)))
    }

    async fn connect(&self, attempt: Attempt) -> Result<Reached, DialError> {
        let late = || match &self.gateway.proxy {
            None => DialError::Late(self.timeout),
            Some(proxy) => {
                ProxyError { proxy: proxy.to_string(), why: ProxyFault::Late(self.timeout) }.into()
            }
        };
        timeout_at(attempt.deadline, self.gateway.connect()).await.unwrap_or_else(|_| Err(late()))
    }

    fn learnt(&self) -> Option<Learnt> {
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, learnt: Option<Learnt>) {
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner) = learnt;
    }

    /// Whether whoever has waited since `last` is the one to try `tls` again: the next one's time counts from now.
    fn claim(&self, last: Instant) -> bool {
        match &mut *self.learnt.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(learnt) if learnt.at > last => false,
            Some(learnt) => {
                learnt.at = Instant::now();
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_none_of_ours_is_noticed() {
        let waits = |addr: [u8; 4]| {
            let moved = Opened::moved(Some((addr, 443).into()));
            async { tokio::time::timeout(Duration::from_secs(3600), moved).await.is_ok() }
        };
        assert!(!waits([127, 0, 0, 1]).await);
        // TEST-NET-1 (RFC 5737).
        assert!(waits([192, 0, 2, 1]).await);
    }

    fn dialer() -> Dialer {
        let mut problems = wicketgate_config::Problems::default();
        let https = wicketgate_admission::fetch::RawFetch::default();
        let https = https.check(wicketgate_config::Place::UNKNOWN, &mut problems).unwrap();
        let kinds = Kinds::check(None, wicketgate_config::Place::UNKNOWN, &mut problems);
        let gateway = Gateway::parse("https://127.0.0.1:1/relay").unwrap();
        Dialer::new(gateway, &https, https.tls(), kinds, Duration::from_secs(600))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_before_anybody_listens_is_heard() {
        let dialer = dialer();
        let attempt = dialer.0.attempt();
        let waits = |since| {
            let dialer = dialer.clone();
            async move { tokio::time::timeout(Duration::from_secs(60), dialer.left(since)).await.is_err() }
        };
        assert!(waits(attempt.leaves).await && !dialer.has_left(attempt.leaves));
        // While it is dialled, say.
        dialer.clone().leave();
        assert!(!waits(attempt.leaves).await && dialer.has_left(attempt.leaves));
        // Whoever dials from now on has left.
        assert!(waits(dialer.0.attempt().leaves).await);
    }

    #[test]
    fn sessions_leave_one_after_the_other() {
        let turn = |first: u8| Dialer::turn(SessionId([first; 16]));
        assert_eq!((turn(0), turn(255)), (Duration::ZERO, SPREAD));
        assert!(turn(0) < turn(64) && turn(64) < turn(128) && turn(128) < turn(255));
        assert!((0..1000).all(|_| Dialer::any_turn() < SPREAD));
    }
}
