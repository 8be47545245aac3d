//! Copies of messages for an operator, whose secrets are covered before they leave here. A session never waits for one: what finds
//! no room is dropped, and counted.
//!
//! [`Captures`] is the operator's side: at most one capture, for who learns from it, and a few watches, for who looks on. [`Tap`]
//! is a session's; it brings copies to the `feed` of each.

mod cover;
mod feed;
mod queue;
mod tap;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::cover::{Cover, Renew};
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
    cover: Cover,
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
    cover: Cover,
}

impl Captures {
    /// Starts a capture; its number. None while another runs.
    pub fn start(&self, wanted: Wanted, bounds: Bounds, cover: Cover) -> Option<u64> {
        let mut running = self.running();
        match running.as_ref() {
            Some(last) if !last.feed.is_forgotten() => return None,
            Some(last) => self.leave(&last.feed),
            None => {}
        }
        let id = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        *running = Some(Running { id, feed: self.join(wanted, bounds), cover });
        Some(id)
    }

    /// Takes what was captured. None where this one does not run any more, or there are no messages to be seen any more.
    pub fn take(&self, id: u64) -> Option<Batch> {
        let mut running = self.running();
        let running = running.as_mut().filter(|running| running.id == id)?;
        running.cover.over(running.feed.take()?)
    }

    /// Ends it, and forgets what was not taken.
    pub fn stop(&self, id: u64) {
        let mut running = self.running();
        if let Some(ended) = running.take_if(|running| running.id == id) {
            self.leave(&ended.feed);
        }
    }

    /// Begins to look on.
    pub fn watch(self: &Arc<Self>, wanted: Wanted, bounds: Bounds, cover: Cover) -> Watch {
        Watch { captures: self.clone(), feed: self.join(wanted, bounds), cover }
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

impl Watch {
    /// What was copied since the last time. None where there are no messages to be seen any more, or nobody had asked for so long that it
    /// ended.
    pub fn take(&mut self) -> Option<Batch> {
        self.cover.over(self.feed.take()?)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.captures.leave(&self.feed);
    }
}
