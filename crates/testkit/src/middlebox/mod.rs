//! A middlebox that ends TLS and knows WebSockets, as F5's and Cloudflare's do, with every fault of theirs on demand.
//!
//! Each connection carries one request. What is changed while it runs holds for connections from then on.

mod faults;
mod frames;
mod handshake;
mod lane;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use faults::{Answer, Borders, Faults, Headers, Masking};

use self::frames::{Frames, Sender};
use self::lane::Timing;
use crate::raw::{Endpoint, Head};
use crate::tls::Identity;

/// Requests that are remembered.
const MAX_SEEN: usize = 10_000;

/// A middlebox that serves. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Middlebox {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: Endpoint,
    tls: Arc<ServerConfig>,
    faults: Mutex<Faults>,
    requests: Mutex<Vec<Head>>,
    /// Connections that it has reset.
    cuts: watch::Sender<u64>,
    restart: Mutex<CancellationToken>,
}

impl Middlebox {
    /// Starts it on a free port of 127.0.0.1: this certificate towards clients, and it leads to this gateway.
    pub async fn start(identity: &Identity, upstream: Endpoint, faults: Faults) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shared = Arc::new(Shared {
            upstream,
            tls: identity.server(&["http/1.1"])?,
            faults: Mutex::new(faults),
            requests: Mutex::default(),
            cuts: watch::Sender::new(0),
            restart: Mutex::default(),
        });
        let (addr, serves) = (listener.local_addr()?, shared.clone());
        let serve = async move {
            let stop = CancellationToken::new();
            let _stops = stop.clone().drop_guard();
            while let Ok((socket, _)) = listener.accept().await {
                let connection = serves.clone().connection(socket);
                tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
            }
        };
        Ok(Self { addr, shared, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it does to connections that come from now on.
    pub fn set(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
    }

    /// Resets all its connections, without a close frame or an end of TLS.
    pub fn restart(&self) {
        std::mem::take(&mut *lock(&self.shared.restart)).cancel();
    }

    /// The heads of the requests that have come.
    pub fn requests(&self) -> Vec<Head> {
        lock(&self.shared.requests).clone()
    }

    /// How many connections it has reset.
    pub fn cuts(&self) -> u64 {
        *self.shared.cuts.borrow()
    }

    /// Waits until it has reset so many connections in all.
    pub async fn has_cut(&self, count: u64, deadline: Duration) -> Result<()> {
        let mut cuts = self.shared.cuts.subscribe();
        let cut = timeout(deadline, cuts.wait_for(|cuts| *cuts >= count)).await;
        cut.with_context(|| format!("{} connections were cut of {count}", self.cuts()))?.map(drop)?;
        Ok(())
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, socket: TcpStream) {
        let faults = *lock(&self.faults);
        let restart = lock(&self.restart).clone();
        // A second handle, closed after the first: what it says of the end holds.
        let Ok(handle) = SockRef::from(&socket).try_clone() else { return };
        let (heard, hears) = watch::channel(Instant::now());
        let cut = tokio::select! {
            // What the two sides do to each other is theirs to tell.
            _ = self.carry(socket, &faults, &heard) => false,
            () = idle(faults.idle_cut, hears) => true,
            () = age(faults.age_cut) => true,
            () = restart.cancelled() => true,
        };
        if cut {
            handle.set_linger(Some(Duration::ZERO)).ok();
            drop(handle);
            self.cuts.send_modify(|cuts| *cuts += 1);
        }
    }

    async fn carry(&self, socket: TcpStream, faults: &Faults, heard: &watch::Sender<Instant>) -> Result<()> {
        socket.set_nodelay(true)?;
        let mut near = TlsAcceptor::from(self.tls.clone()).accept(socket).await?;
        let seen = |head: &Head| {
            let mut requests = lock(&self.requests);
            if requests.len() < MAX_SEEN {
                requests.push(head.clone());
            }
        };
        let passed = handshake::pass(&mut near, &self.upstream, faults, seen).await?;
        let Some(passed) = passed else { return Ok(()) };
        let (masking, borders) = match passed.upgraded {
            true => (faults.masking, faults.borders),
            false => (Masking::Preserve, Borders::Keep),
        };
        let timing = Timing { latency: faults.latency, buffering: faults.buffering };
        let ((near_read, near_write), (far_read, far_write)) =
            (tokio::io::split(near), tokio::io::split(passed.far));
        let up = Frames::new(Sender::Client, masking, borders);
        let down = Frames::new(Sender::Server, masking, borders);
        tokio::try_join!(
            lane::carry(near_read, far_write, up, passed.from_client, timing, heard),
            lane::carry(far_read, near_write, down, passed.from_gateway, timing, heard),
        )
        .map(drop)
    }
}

/// Ends once nothing has been heard for so long.
async fn idle(limit: Option<Duration>, heard: watch::Receiver<Instant>) {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        let end = *heard.borrow() + limit;
        if end <= Instant::now() {
            return;
        }
        sleep_until(end).await;
    }
}

async fn age(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
