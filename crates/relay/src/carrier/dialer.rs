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

use super::exchange::Standing;
use super::lifetime::Lifetimes;
use super::proxy::{ProxyError, ProxyFault};
use super::{BoxedCarrier, DialError, Gateway, Keepalive, Kind, Kinds, Reached, Socket, tls, websocket};

/// How long carrier `tls` is alone in the race.
const HEAD_START: Duration = Duration::from_millis(300);

/// How often we look whether our own address is still ours.
const LOOK: Duration = Duration::from_secs(1);

/// Dials carriers. Its clones share what they learn of the way.
#[derive(Clone, Debug)]
pub struct Dialer(Arc<Way>);

/// A carrier that is open.
pub struct Opened {
    /// The carrier.
    pub carrier: BoxedCarrier,
    /// What is known of it.
    pub standing: Standing,
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
pub(super) struct Way {
    gateway: Gateway,
    /// For whatever stands in front of the gateway.
    https: Arc<ClientConfig>,
    /// For the gateway itself; none where carrier `tls` is not allowed, or not possible.
    raw: Option<Arc<ClientConfig>>,
    websocket: bool,
    timeout: Duration,
    retry: Duration,
    learnt: Mutex<Option<Learnt>>,
    keepalive: Keepalive,
    /// What is known of how carriers end.
    pub(super) lifetimes: watch::Sender<Lifetimes>,
    /// How often the gateway has said that it ends.
    pub(super) leaves: watch::Sender<u64>,
}

/// One try to open a carrier.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    deadline: Instant,
    /// How often the gateway had said at its beginning that it ends.
    leaves: u64,
}

impl Attempt {
    fn opened(self, carrier: BoxedCarrier, kind: Kind, local: Option<SocketAddr>) -> Opened {
        let standing = Standing { kind, local, since: Instant::now(), leaves: self.leaves };
        Opened { carrier, standing }
    }
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
        keepalive: Keepalive,
    ) -> Self {
        let mut tls = https.tls();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let raw = (gateway.secure && kinds.allows(Kind::Tls)).then(|| Arc::new(own));
        Self(Arc::new(Way {
            websocket: kinds.allows(Kind::WebSocket) || raw.is_none(),
            https: Arc::new(tls),
            timeout: https.timeout,
            learnt: Mutex::default(),
            keepalive,
            lifetimes: watch::Sender::default(),
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

    /// How its carriers are asked for signs of life.
    pub fn keepalive(&self) -> &Keepalive {
        &self.0.keepalive
    }

    pub(super) fn way(&self) -> &Way {
        &self.0
    }

    pub(super) async fn higher_than(&self, kind: Kind) -> Opened {
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
        if let Ok(Opened { standing, .. }) = &won {
            let passed_by = network.filter(|_| standing.kind == Kind::WebSocket);
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
        Ok(attempt.opened(carrier, Kind::Tls, local))
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
        Ok(attempt.opened(carrier, Kind::WebSocket, local))
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
}
