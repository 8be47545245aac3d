//! What is known of a pipe's frames, for whoever looks at the way that they have taken.

use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// The payload of one frame, in bytes: what the pickiest firewalls let pass.
const FRAME: usize = 16 << 10;

/// The frames with payload that a pipe has taken in, and how long those are that it sends.
#[derive(Debug)]
pub struct Frames {
    masked: AtomicU64,
    unmasked: AtomicU64,
    smallest: AtomicU64,
    largest: AtomicU64,
    /// The payload of a frame that is sent, in bytes.
    sent: AtomicUsize,
    /// The code by which the peer has closed; 0 before.
    closed: AtomicU16,
}

/// Frames as they were counted until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Those that came masked.
    pub masked: u64,
    /// Those that came unmasked.
    pub unmasked: u64,
    /// The least payload in one of them, in bytes; 0 where there was none.
    pub smallest: u64,
    /// The most payload in one of them, in bytes.
    pub largest: u64,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            masked: AtomicU64::new(0),
            unmasked: AtomicU64::new(0),
            smallest: AtomicU64::new(u64::MAX),
            largest: AtomicU64::new(0),
            sent: AtomicUsize::new(FRAME),
            closed: AtomicU16::new(0),
        }
    }
}

impl Frames {
    /// The frames since the last time this was asked.
    pub fn take(&self) -> Counted {
        let smallest = self.smallest.swap(u64::MAX, Ordering::Relaxed);
        Counted {
            masked: self.masked.swap(0, Ordering::Relaxed),
            unmasked: self.unmasked.swap(0, Ordering::Relaxed),
            smallest: if smallest == u64::MAX { 0 } else { smallest },
            largest: self.largest.swap(0, Ordering::Relaxed),
        }
    }

    /// Sends frames of up to so many bytes of payload from now on.
    pub fn send_up_to(&self, bytes: usize) {
        self.sent.store(bytes.max(1), Ordering::Relaxed);
    }

    /// The code by which the peer has closed, if it has.
    pub fn closed(&self) -> Option<u16> {
        Some(self.closed.load(Ordering::Relaxed)).filter(|code| *code != 0)
    }

    pub(super) fn count(&self, payload: u64, masked: bool) {
        let count = if masked { &self.masked } else { &self.unmasked };
        count.fetch_add(1, Ordering::Relaxed);
        self.smallest.fetch_min(payload, Ordering::Relaxed);
        self.largest.fetch_max(payload, Ordering::Relaxed);
    }

    pub(super) fn close(&self, code: u16) {
        self.closed.store(code, Ordering::Relaxed);
    }

    pub(super) fn longest_sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}
