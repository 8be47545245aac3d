//! Values that came, each for a while: the oldest are forgotten by time, never for want of room.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// Values that came.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    known: HashSet<u64>,
    /// With when each is forgotten; in order but for what threads do to it.
    order: VecDeque<(Duration, u64)>,
}

/// Whether a value came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    First,
    Again,
    /// There is no room to remember it.
    Unknown,
}

impl Seen {
    /// Notes a value at `now`, for the time of `window`; of at most `entries` at once.
    pub(super) fn take(&mut self, key: u64, now: Duration, window: Duration, entries: usize) -> Came {
        while let Some((_, old)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            self.known.remove(&old);
        }
        if self.known.contains(&key) {
            return Came::Again;
        }
        if self.known.len() >= entries {
            return Came::Unknown;
        }
        self.known.insert(key);
        self.order.push_back((now.saturating_add(window), key));
        Came::First
    }
}
