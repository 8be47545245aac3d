//! The way from endpoints to the gateway, with what can become of connections on it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::random::Random;

/// What becomes of all connections that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Both ends get a reset.
    Reset,
    /// The gateway's end is closed; the endpoint's stays open, and nothing comes any more.
    HalfOpenToGateway,
    /// The endpoint's end is closed; the gateway's stays open, and nothing comes any more.
    HalfOpenToEndpoint,
}

/// Something that passes TCP on.
pub(super) struct Line {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    to: Mutex<SocketAddr>,
    now: Mutex<Generation>,
    /// Random cuts that are still to be made.
    cuts: Mutex<Cuts>,
    left: watch::Sender<u64>,
    /// What half-open connections end with: the line itself.
    end: CancellationToken,
}

/// The connections of a time between two fates.
#[derive(Clone)]
struct Generation(watch::Sender<Option<Fate>>);

struct Cuts {
    random: Random,
    left: u64,
    /// Bytes until the next one.
    until: u64,
    /// The most bytes between two.
    most: u64,
}

impl Line {
    pub(super) async fn start(at: IpAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind((at, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            to: Mutex::new(to),
            now: Mutex::new(Generation(watch::Sender::new(None))),
            cuts: Mutex::new(Cuts { random: Random::new(1), left: 0, until: u64::MAX, most: 2 }),
            left: watch::Sender::new(0),
            end: CancellationToken::new(),
        });
        let serves = shared.clone();
        let serve = async move {
            let _ends = serves.end.clone().drop_guard();
            while let Ok((near, _)) = listener.accept().await {
                let end = serves.end.clone();
                tokio::spawn(end.run_until_cancelled_owned(serves.clone().connection(near)));
            }
        };
        Self { addr, shared, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where connections go from now on.
    pub(super) fn lead_to(&self, addr: SocketAddr) {
        *self.shared.to.lock().unwrap() = addr;
    }

    /// What becomes of the connections that are there.
    pub(super) fn befall(&self, fate: Fate) {
        self.shared.befall(fate);
    }

    /// Resets all connections so often, each time after some more bytes, wherever in a record that is.
    pub(super) fn cut_at_random(&self, times: u64, most: u64, seed: u64) {
        let mut random = Random::new(seed);
        let until = random.within(1, most);
        *self.shared.cuts.lock().unwrap() = Cuts { random, left: times, until, most };
        self.shared.left.send_replace(times);
    }

    /// Waits until no more than so many random cuts are still to be made; `false` if that takes too long.
    pub(super) async fn has_left(&self, left: u64, deadline: Duration) -> bool {
        let mut now = self.shared.left.subscribe();
        let waited = tokio::time::timeout(deadline, now.wait_for(|now| *now <= left)).await;
        waited.is_ok_and(|waited| waited.is_ok())
    }
}

impl Shared {
    fn befall(&self, fate: Fate) {
        let before = std::mem::replace(&mut *self.now.lock().unwrap(), Generation(watch::Sender::new(None)));
        before.0.send_replace(Some(fate));
    }

    async fn connection(self: Arc<Self>, mut near: TcpStream) {
        let to = *self.to.lock().unwrap();
        let Generation(fate) = self.now.lock().unwrap().clone();
        let Ok(mut far) = TcpStream::connect(to).await else {
            let _ = near.set_zero_linger();
            return;
        };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let fate = {
            let ((near_read, near_write), (far_read, far_write)) = (near.split(), far.split());
            let mut fated = fate.subscribe();
            tokio::select! {
                _ = async { tokio::join!(self.copy(near_read, far_write), self.copy(far_read, near_write)) } => return,
                fate = fated.wait_for(Option::is_some) => fate.ok().and_then(|fate| *fate),
            }
        };
        match fate {
            None => {}
            Some(Fate::Reset) => {
                let _ = (near.set_zero_linger(), far.set_zero_linger());
            }
            Some(Fate::HalfOpenToGateway) => {
                drop(far);
                self.end.cancelled().await;
            }
            Some(Fate::HalfOpenToEndpoint) => {
                drop(near);
                self.end.cancelled().await;
            }
        }
    }

    async fn copy(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let passes = self.pass(length);
            if to.write_all(&buffer[..passes.unwrap_or(length)]).await.is_err() {
                return;
            }
            if passes.is_some() {
                self.befall(Fate::Reset);
                // The fate of this one too.
                std::future::pending::<()>().await;
            }
        }
        let _ = to.shutdown().await;
    }

    /// Counts bytes; where a cut falls among them, how many come before it.
    fn pass(&self, length: usize) -> Option<usize> {
        let mut cuts = self.cuts.lock().unwrap();
        if cuts.left == 0 {
            return None;
        }
        let length = length as u64;
        if cuts.until >= length {
            cuts.until -= length;
            return None;
        }
        let before = cuts.until;
        cuts.left -= 1;
        let most = cuts.most;
        cuts.until = cuts.random.within(1, most);
        self.left.send_replace(cuts.left);
        usize::try_from(before).ok()
    }
}
