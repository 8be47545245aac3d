//! The load generator: closed loop, a fixed number of messages in flight on every connection, every echo verified.

mod connection;
mod payload;
mod receiver;
mod transport;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use hdrhistogram::Histogram;
use rustls::ClientConfig;

use crate::interrupt;
pub(crate) use payload::Payload;
pub(crate) use transport::client;
use worker::Worker;

/// What the connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Echo for ever with this many messages in flight.
    Steady { in_flight: u32 },
    /// Connect, upgrade, echo once, close; then again.
    Sessions,
    /// Echo once, then stay open and say nothing.
    Hold,
}

impl Mode {
    fn first_messages(self) -> u32 {
        match self {
            Self::Steady { in_flight } => in_flight,
            Self::Sessions | Self::Hold => 1,
        }
    }
}

/// Whom to load, and with what.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Set for `wss`.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) payload: Arc<Payload>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Warm,
    Measure,
    Stop,
}

/// A counter on a cache line of its own.
#[repr(align(64))]
#[derive(Default)]
struct Counter(AtomicU64);

struct Shared {
    phase: AtomicU8,
    counters: Vec<Counter>,
    settled: AtomicUsize,
}

impl Shared {
    fn phase(&self) -> Phase {
        match self.phase.load(Acquire) {
            0 => Phase::Warm,
            1 => Phase::Measure,
            _ => Phase::Stop,
        }
    }
}

/// A running load. Dropping it stops it.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<Result<Histogram<u64>>>>,
    connections: usize,
}

impl Load {
    pub(crate) fn start(target: &Target, mode: Mode, connections: usize, threads: usize) -> Result<Self> {
        let counters = (0..threads).map(|_| Counter::default()).collect();
        let shared = Arc::new(Shared { phase: AtomicU8::new(0), counters, settled: AtomicUsize::new(0) });
        let mut load = Self { shared, workers: Vec::new(), connections };
        for index in 0..threads {
            let share = connections / threads + usize::from(index < connections % threads);
            let worker = Worker::new(target, mode, share)?;
            let (target, shared) = (target.clone(), load.shared.clone());
            load.workers.push(thread::spawn(move || worker.run(index, &target, &shared)));
        }
        Ok(load)
    }

    /// Waits until every connection is open, and has echoed where it holds; fails at the deadline or with the
    /// first connection that fails.
    pub(crate) fn settle(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while self.shared.settled.load(Relaxed) < self.connections {
            if self.has_ended() {
                bail!("a connection failed");
            }
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!(
                    "{} of {} connections opened in {within:?}",
                    self.shared.settled.load(Relaxed),
                    self.connections
                );
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Messages, or ended sessions, until now.
    pub(crate) fn count(&self) -> u64 {
        self.shared.counters.iter().map(|counter| counter.0.load(Relaxed)).sum()
    }

    /// Whether a thread has failed, so that there is no sense in waiting.
    pub(crate) fn has_ended(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished)
    }

    /// From now on latencies are kept.
    pub(crate) fn measure(&self) {
        self.shared.phase.store(1, Release);
    }

    /// Ends every connection and gives the latencies, in nanoseconds, or the first failure.
    pub(crate) fn stop(mut self) -> Result<Histogram<u64>> {
        self.shared.phase.store(2, Release);
        let mut all = Histogram::new_with_bounds(1, worker::LONGEST, 3)?;
        for worker in self.workers.drain(..) {
            all.add(worker.join().map_err(|_| anyhow!("a load thread panicked"))??)?;
        }
        Ok(all)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.phase.store(2, Release);
        for worker in self.workers.drain(..) {
            worker.join().ok();
        }
    }
}
