//! The comparison itself: every cell, round by round, each contender in its turn.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rustls::ClientConfig;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::cell::{Cell, Work};
use crate::elsewhere::Elsewhere;
use crate::interrupt;
use crate::load::{Load, Payload, Target};
use crate::peer::{Peer, Running};
use crate::setup::Setup;

const OPEN_DEADLINE: Duration = Duration::from_secs(60);
/// After the last echo of an idle cell, before memory is read.
const REST: Duration = Duration::from_secs(2);

/// How long and how often, the same for all.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) rounds: u32,
    /// Measured time of one contender in one round.
    pub(crate) seconds: f64,
    /// Load before it is measured.
    pub(crate) warm_up_seconds: f64,
    pub(crate) connections: usize,
    /// Sessions held open in the idle cells.
    pub(crate) idle_sessions: usize,
    /// Worker processes or threads of every proxy.
    pub(crate) workers: u16,
    pub(crate) load_threads: usize,
    pub(crate) backend_threads: usize,
    pub(crate) post_quantum: bool,
}

/// What one contender did in one round of one cell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) cell: Cell,
    pub(crate) peer: Peer,
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// Figures, or why there are none.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Figures(Figures),
    Failure(String),
}

/// The measured values. Those that a cell does not have are absent.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// Messages, or whole sessions, a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_second: Option<f64>,
    /// Seconds of processor time, user and system, of the proxy's processes for a million of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_per_million: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p999_us: Option<f64>,
    /// Resident KiB more than without any session, for each session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kib_per_session: Option<f64>,
    /// Share of the machine's processor time that went to anything else meanwhile, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) elsewhere: Option<f64>,
}

/// A run of the whole comparison.
pub(crate) struct Comparison<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) setup: &'a Setup,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) runtime: &'a Runtime,
}

impl Comparison<'_> {
    /// Measures one cell. The contenders take turns, a b c, b c a, ..., so that what else the machine
    /// does falls on all of them.
    pub(crate) fn cell(&self, cell: &Cell, peers: &[Peer]) -> Result<Vec<Sample>> {
        let peers: Vec<Peer> = peers.iter().copied().filter(|peer| peer.takes(cell)).collect();
        let payload = Arc::new(Payload::new(cell.size(), cell.is_compressed())?);
        let start = |peer: Peer| peer.start(self.setup, cell.tls, self.runtime);
        // Memory is compared from a fresh start; under load the processes of one cell serve all its rounds.
        let fresh = cell.work == Work::Idle;
        let mut running = Vec::new();
        if !fresh {
            running = peers.iter().map(|&peer| start(peer)).collect::<Result<Vec<_>>>()?;
        }
        let mut samples = Vec::new();
        for round in 0..self.settings.rounds {
            for turn in 0..peers.len() {
                let index = (turn + round as usize) % peers.len();
                let peer = peers[index];
                interrupt::check()?;
                let result = match running.get(index) {
                    Some(running) => self.measure(cell, &payload, running),
                    None => start(peer).and_then(|running| self.measure(cell, &payload, &running)),
                };
                let outcome = match result {
                    Ok(figures) => Outcome::Figures(figures),
                    Err(error) => Outcome::Failure(format!("{error:#}")),
                };
                samples.push(Sample { cell: *cell, peer, round, outcome });
            }
        }
        Ok(samples)
    }

    fn measure(&self, cell: &Cell, payload: &Arc<Payload>, running: &Running) -> Result<Figures> {
        let tls = cell.tls.then(|| self.tls.clone());
        let target = Target { address: running.address(), tls, payload: payload.clone() };
        match cell.work {
            Work::Idle => self.hold(cell, &target, running),
            Work::Echo { .. } | Work::Sessions => self.press(cell, &target, running),
        }
    }

    fn press(&self, cell: &Cell, target: &Target, running: &Running) -> Result<Figures> {
        let load = Load::start(target, cell.mode(), self.settings.connections, self.settings.load_threads)?;
        let load = if cell.work == Work::Sessions { load } else { settled(load)? };
        let load = pause(load, Duration::from_secs_f64(self.settings.warm_up_seconds))?;
        load.measure();
        let before = Reading::take(&load, running)?;
        let load = pause(load, Duration::from_secs_f64(self.settings.seconds))?;
        let after = Reading::take(&load, running)?;
        let latencies = load.stop()?;
        before.until(&after, &latencies)
    }

    fn hold(&self, cell: &Cell, target: &Target, running: &Running) -> Result<Figures> {
        let resident = || running.usage().map(|usage| usage.map(|usage| usage.resident_bytes));
        // What is made once, by the first session, is no session's own.
        let threads = self.settings.load_threads;
        settled(Load::start(target, cell.mode(), 4 * threads, threads)?)?.stop()?;
        let before = resident()?;
        let load = settled(Load::start(target, cell.mode(), self.settings.idle_sessions, threads)?)?;
        let load = pause(load, REST)?;
        let after = resident()?;
        load.stop()?;
        let per_session = before.zip(after).map(|(before, after)| {
            (after as f64 - before as f64) / 1024.0 / self.settings.idle_sessions as f64
        });
        Ok(Figures { kib_per_session: per_session, ..Figures::default() })
    }
}

/// Counters of one moment.
struct Reading {
    at: Instant,
    cpu: Option<Duration>,
    count: u64,
    elsewhere: Elsewhere,
}

impl Reading {
    fn take(load: &Load, running: &Running) -> Result<Self> {
        let cpu = running.usage()?.map(|usage| usage.cpu());
        let (at, count) = (Instant::now(), load.count());
        Ok(Self { at, cpu, count, elsewhere: Elsewhere::now(cpu)? })
    }

    fn until(&self, later: &Self, latencies: &Histogram<u64>) -> Result<Figures> {
        let count = later.count - self.count;
        ensure!(count > 0, "nothing came back");
        let cpu = self
            .cpu
            .zip(later.cpu)
            .map(|(before, after)| (after - before).as_secs_f64() * 1e6 / count as f64);
        let microseconds = |quantile| Some(latencies.value_at_quantile(quantile) as f64 / 1e3);
        Ok(Figures {
            per_second: Some(count as f64 / (later.at - self.at).as_secs_f64()),
            cpu_per_million: cpu,
            p50_us: microseconds(0.5),
            p99_us: microseconds(0.99),
            p999_us: microseconds(0.999),
            kib_per_session: None,
            elsewhere: Some(self.elsewhere.share_until(&later.elsewhere)?),
        })
    }
}

/// Waits until every connection is open; a failed one's own error is the one to show.
fn settled(load: Load) -> Result<Load> {
    match load.settle(OPEN_DEADLINE) {
        Ok(()) => Ok(load),
        Err(error) => load.stop().and(Err(error)).context("while connections were opened"),
    }
}

/// Lets the load run, and ends early if it has failed.
fn pause(load: Load, time: Duration) -> Result<Load> {
    let end = Instant::now() + time;
    loop {
        let now = Instant::now();
        if now >= end {
            return Ok(load);
        }
        if load.has_ended() {
            load.stop()?;
            anyhow::bail!("the load ended by itself");
        }
        interrupt::check()?;
        thread::sleep((end - now).min(Duration::from_millis(100)));
    }
}
