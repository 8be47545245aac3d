//! Copies of messages for an operator, whose secrets are covered before they leave here. A session never waits for one: what finds
//! no room is dropped, and counted.
//!
//! [`Captures`] is the operator's side: at most one capture, for who learns from it, and a few watches, for who looks on. [`Tap`]
//! is a session's; it brings copies to the `feed` of each.

mod feed;
mod queue;
mod tap;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wicketgate_learn::Redactor;

use self::feed::Feed;
pub use self::feed::Wanted;
pub use self::queue::{Bounds, Copied};
pub use self::tap::Tap;

/// The captures and watches of this process.
#[derive(Debug, Default)]
pub struct Captures {
    /// How often `feeds` has changed: all that a session asks while none concerns it.
    changes: AtomicU64,
    feeds: Mutex<Vec<Arc<Feed>>>,
    /// The one that runs. No session asks for it.
    running: Mutex<Option<Running>>,
    started: AtomicU64,
}

#[derive(Debug)]
struct Running {
    id: u64,
    feed: Arc<Feed>,
    redactor: Redactor,
}

/// What was copied since the last time that somebody asked.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, their secrets covered.
    pub copies: Vec<Copied>,
    /// How many were dropped since, so that no session waits.
    pub dropped: u64,
    /// How many could not be read, and so may hold secrets.
    pub left_out: u64,
}

/// Somebody who looks on. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    captures: Arc<Captures>,
    feed: Arc<Feed>,
    redactor: Redactor,
}

impl Captures {
    /// Starts a capture; its number. None while another runs.
    pub fn start(&self, wanted: Wanted, bounds: Bounds, redactor: Redactor) -> Option<u64> {
        let mut running = self.running();
        match running.as_ref() {
            Some(last) if !last.feed.is_forgotten() => return None,
            Some(last) => self.leave(&last.feed),
            None => {}
        }
        let id = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        *running = Some(Running { id, feed: self.join(wanted, bounds), redactor });
        Some(id)
    }

    /// Takes what was captured. None where this one does not run any more.
    pub fn take(&self, id: u64) -> Option<Batch> {
        let mut running = self.running();
        let running = running.as_mut().filter(|running| running.id == id)?;
        let (copies, dropped) = running.feed.take()?;
        Some(Batch::cover(copies, dropped, &mut running.redactor))
    }

    /// Ends it, and forgets what was not taken.
    pub fn stop(&self, id: u64) {
        let mut running = self.running();
        if let Some(ended) = running.take_if(|running| running.id == id) {
            self.leave(&ended.feed);
        }
    }

    /// Begins to look on.
    pub fn watch(self: &Arc<Self>, wanted: Wanted, bounds: Bounds, redactor: Redactor) -> Watch {
        Watch { captures: self.clone(), feed: self.join(wanted, bounds), redactor }
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Those that want a session's messages; none where they are being changed.
    fn try_feeds(&self, route: &str, session: u64) -> Option<Box<[Arc<Feed>]>> {
        let feeds = self.feeds.try_lock().ok()?;
        Some(feeds.iter().filter(|feed| feed.concerns(route, session)).cloned().collect())
    }

    fn join(&self, wanted: Wanted, bounds: Bounds) -> Arc<Feed> {
        let feed = Arc::new(Feed::new(wanted, bounds));
        let mut feeds = self.feeds();
        feeds.push(feed.clone());
        self.changes.fetch_add(1, Ordering::Release);
        feed
    }

    fn leave(&self, feed: &Arc<Feed>) {
        feed.end();
        let mut feeds = self.feeds();
        feeds.retain(|other| !Arc::ptr_eq(other, feed));
        self.changes.fetch_add(1, Ordering::Release);
    }

    fn feeds(&self) -> MutexGuard<'_, Vec<Arc<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// Covers what was taken. Sessions go on meanwhile: the feed is free.
    fn cover(copies: Vec<Copied>, dropped: u64, redactor: &mut Redactor) -> Self {
        let taken = copies.len();
        let covered = copies
            .into_iter()
            .filter_map(|Copied { line, verdict }| Some(Copied { line: redactor.redact(line)?, verdict }));
        let copies: Vec<Copied> = covered.collect();
        Self { left_out: (taken - copies.len()) as u64, copies, dropped }
    }
}

impl Watch {
    /// What was copied since the last time. What covers it is asked for when it has been taken: it is as new as they are. None
    /// where that fails, or nobody had asked for so long that it ended.
    pub fn take<E>(&mut self, renewed: impl FnOnce() -> Result<Option<Redactor>, E>) -> Option<Batch> {
        let (copies, dropped) = self.feed.take()?;
        if let Some(redactor) = renewed().ok()? {
            self.redactor = redactor;
        }
        Some(Batch::cover(copies, dropped, &mut self.redactor))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.captures.leave(&self.feed);
    }
}
