//! Where copies of the messages that somebody wants come together. Whoever brings one never waits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wicketgate_policy::{DataKind, Direction, Message};

use super::queue::{Bounds, Copied, PATIENCE, Queue};

/// Which messages are copied: those to which everything that is given applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Those of this route's sessions.
    pub route: Arc<str>,
    /// Those of the session of this number.
    pub session: Option<u64>,
    /// Those of one session of so many, by its number.
    pub every: u64,
    /// Those that travel this way.
    pub direction: Option<Direction>,
    /// Text, or binary ones.
    pub kind: Option<DataKind>,
}

/// Copies for one party.
#[derive(Debug)]
pub(super) struct Feed {
    wanted: Wanted,
    held: Mutex<Held>,
    /// Whether there is no room until somebody takes what is there: then nobody asks for the lock.
    is_full: AtomicBool,
    /// Whether nobody takes anything any more.
    is_over: AtomicBool,
    dropped: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Held {
    queue: Queue,
    /// When somebody took what was there.
    asked: Instant,
}

/// How many messages are dropped between two looks whether anybody still asks.
const LOOK_EVERY: u64 = 1024;

impl Wanted {
    /// All messages of a route.
    pub fn all_of(route: Arc<str>) -> Self {
        Self { route, session: None, every: 1, direction: None, kind: None }
    }

    fn takes_session(&self, route: &str, session: u64) -> bool {
        *self.route == *route
            && self.session.is_none_or(|wanted| wanted == session)
            && session.is_multiple_of(self.every.max(1))
    }

    fn takes(&self, direction: Direction, kind: DataKind) -> bool {
        self.direction.is_none_or(|wanted| wanted == direction)
            && self.kind.is_none_or(|wanted| wanted == kind)
    }
}

impl Feed {
    pub(super) fn new(wanted: Wanted, bounds: Bounds) -> Self {
        Self {
            wanted,
            held: Mutex::new(Held { queue: Queue::new(bounds), asked: Instant::now() }),
            is_full: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether messages of this session are wanted.
    pub(super) fn concerns(&self, route: &str, session: u64) -> bool {
        !self.is_over() && self.wanted.takes_session(route, session)
    }

    /// Copies a message where it is wanted and there is room; else it is counted. Never waits.
    pub(super) fn offer(&self, direction: Direction, message: &Message<'_>, copy: impl FnOnce() -> Copied) {
        if !self.wanted.takes(direction, message.kind) || self.is_over() {
            return;
        }
        if self.is_full.load(Ordering::Relaxed) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed);
            if dropped.is_multiple_of(LOOK_EVERY) {
                self.give_up(self.held.try_lock().ok());
            }
            return;
        }
        let Ok(mut held) = self.held.try_lock() else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if !held.queue.push(message.payload.len(), copy) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.is_full.store(held.queue.is_full(), Ordering::Relaxed);
        self.give_up(Some(held));
    }

    /// All that is there, and how many were dropped since the last time. None where it is over.
    pub(super) fn take(&self) -> Option<(Vec<Copied>, u64)> {
        let mut held = self.held();
        if self.is_over() {
            return None;
        }
        held.asked = Instant::now();
        let copies = held.queue.take();
        self.is_full.store(false, Ordering::Relaxed);
        Some((copies, self.dropped.swap(0, Ordering::Relaxed)))
    }

    /// Takes nothing more, and forgets what is there.
    pub(super) fn end(&self) {
        let mut held = self.held();
        self.is_over.store(true, Ordering::Relaxed);
        held.queue.take();
    }

    /// Whether nobody takes anything any more, or has not asked for so long that nobody will.
    pub(super) fn is_forgotten(&self) -> bool {
        self.is_over() || self.held().asked.elapsed() > PATIENCE
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Ends it where nobody has asked for too long.
    fn give_up(&self, held: Option<MutexGuard<'_, Held>>) {
        if let Some(mut held) = held
            && held.asked.elapsed() > PATIENCE
        {
            self.is_over.store(true, Ordering::Relaxed);
            held.queue.take();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn hold(&self) -> MutexGuard<'_, Held> {
        self.held()
    }
}
