//! A wire between an endpoint and its gateway that breaks where a test wants it to, and remembers what went over it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::PATIENCE;

/// What went over one connection: towards the gateway, and back.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) up: Vec<u8>,
    pub(super) down: Vec<u8>,
}

/// Enough to find a secret in, and no gigabytes.
const MAX_SEEN: usize = 1 << 20;

pub(super) struct Wire {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    gateway: Mutex<SocketAddr>,
    seen: Mutex<Vec<Seen>>,
    /// Bytes in all.
    carried: watch::Sender<u64>,
    /// After how many bytes in all the wire breaks, each time.
    cuts: Mutex<VecDeque<u64>>,
    broken: Mutex<CancellationToken>,
}

impl Wire {
    /// A wire that does not break.
    pub(super) async fn to(gateway: SocketAddr) -> Self {
        Self::breaking(gateway, []).await
    }

    /// A wire whose connections all break after so many bytes in all, wherever in a record that is.
    pub(super) async fn breaking(gateway: SocketAddr, cuts: impl IntoIterator<Item = u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            gateway: Mutex::new(gateway),
            seen: Mutex::default(),
            carried: watch::Sender::new(0),
            cuts: Mutex::new(cuts.into_iter().collect()),
            broken: Mutex::default(),
        });
        let serves = shared.clone();
        let serve = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(serves.clone().connection(near));
            }
        };
        Self { addr, shared, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }

    /// Where new connections go from now on.
    pub(super) fn lead_to(&self, gateway: SocketAddr) {
        *self.shared.gateway.lock().unwrap() = gateway;
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until so many bytes have gone over it in all.
    pub(super) async fn carries(&self, bytes: u64) {
        let mut carried = self.shared.carried.subscribe();
        timeout(PATIENCE, carried.wait_for(|carried| *carried >= bytes)).await.unwrap().unwrap();
    }

    /// Bytes that have gone over it in all.
    pub(super) fn carried(&self) -> u64 {
        *self.shared.carried.borrow()
    }

    /// How often it is still to break.
    pub(super) fn cuts_left(&self) -> usize {
        self.shared.cuts.lock().unwrap().len()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, near: TcpStream) {
        let gateway = *self.gateway.lock().unwrap();
        let broken = self.broken.lock().unwrap().clone();
        let Ok(far) = TcpStream::connect(gateway).await else { return };
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen::default());
            seen.len() - 1
        };
        let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
        tokio::select! {
            () = self.copy(near_read, far_write, |bytes| self.remember(number, true, bytes)) => {}
            () = self.copy(far_read, near_write, |bytes| self.remember(number, false, bytes)) => {}
            () = broken.cancelled() => {}
        }
    }

    async fn copy(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, remember: impl Fn(&[u8])) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            remember(&buffer[..length]);
            let kept = self.pass(length);
            if to.write_all(&buffer[..kept]).await.is_err() || kept < length {
                return;
            }
        }
    }

    /// Counts bytes; how many of them still get over it.
    fn pass(&self, length: usize) -> usize {
        let mut before = 0;
        self.carried.send_modify(|carried| {
            before = *carried;
            *carried += length as u64;
        });
        let mut cuts = self.cuts.lock().unwrap();
        match cuts.front() {
            Some(&cut) if cut < before + length as u64 => {
                cuts.pop_front();
                std::mem::take(&mut *self.broken.lock().unwrap()).cancel();
                usize::try_from(cut.saturating_sub(before)).unwrap().min(length - 1)
            }
            _ => length,
        }
    }

    fn remember(&self, number: usize, up: bool, bytes: &[u8]) {
        let mut seen = self.seen.lock().unwrap();
        let seen = &mut seen[number];
        let to = if up { &mut seen.up } else { &mut seen.down };
        if to.len() < MAX_SEEN {
            to.extend_from_slice(bytes);
        }
    }
}
