//! What became of what was to be sent: counted where it happens, and read by whoever shows metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Points of metrics.
    Metrics,
}

impl Signal {
    /// Its word in logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no room for it to wait.
    Full,
    /// The collector refused it for good.
    Refused,
    /// The collector did not take it, however often it was tried.
    Failed,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Full, Self::Refused, Self::Failed];

    /// Its word in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What became of one signal.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
    failures: AtomicU64,
}

/// What became of one signal since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Which one.
    pub signal: Signal,
    /// Spans or points that the collector has taken.
    pub sent: u64,
    /// Those that it has not, and why, in the order of [`Loss::ALL`].
    pub lost: [u64; Loss::ALL.len()],
    /// Requests that failed.
    pub failures: u64,
}

impl Counts {
    pub(crate) fn sent(&self, number: u64) {
        self.sent.fetch_add(number, Relaxed);
    }

    pub(crate) fn lost(&self, why: Loss, number: u64) {
        let [full, refused, failed] = &self.lost;
        let counter = match why {
            Loss::Full => full,
            Loss::Refused => refused,
            Loss::Failed => failed,
        };
        counter.fetch_add(number, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn figures(&self, signal: Signal) -> Figures {
        let lost = self.lost.each_ref().map(|counter| counter.load(Relaxed));
        Figures { signal, sent: self.sent.load(Relaxed), lost, failures: self.failures.load(Relaxed) }
    }
}
