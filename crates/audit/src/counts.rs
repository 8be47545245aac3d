//! What became of records, for metrics and readiness.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of the records that one place was to get.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    failing: AtomicBool,
}

impl Counts {
    pub(crate) fn written(&self, records: usize) {
        self.written.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, records: usize) {
        self.dropped.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Notes that some of those that were written are not kept there.
    pub(crate) fn refused(&self, records: usize) {
        self.written.fetch_sub(records as u64, Ordering::Relaxed);
        self.dropped(records);
    }

    /// Notes whether it can be written. Whether that is news.
    pub(crate) fn fails(&self, is_failing: bool) -> bool {
        self.failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    /// How many records were written.
    pub(crate) fn all_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How many records were dropped.
    pub(crate) fn all_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether it cannot be written just now.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}
