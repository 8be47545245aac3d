//! A bounded queue of records, between the threads of connections and the one that writes them.

#[cfg(test)]
mod tests;
mod ticket;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::record::Record;

use ticket::Slot;
pub use ticket::{Lost, Ticket};

/// A record on its way, and whom to tell when it has arrived.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) record: Arc<Record>,
    size: usize,
    slot: Option<Arc<Slot>>,
}

/// Records that wait to be written.
#[derive(Debug)]
pub(crate) struct Queue {
    /// What may wait, in bytes.
    limit: usize,
    state: Mutex<State>,
    /// Tells the writer that there is something to do.
    filled: Condvar,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<Entry>,
    /// Of those that are queued and those that are being written.
    bytes: usize,
    /// Records with a ticket, for which there is no room yet: each is held by somebody who does nothing else meanwhile.
    waiting: BTreeMap<u64, Entry>,
    next: u64,
    /// Records that were dropped since the last one was told of.
    lost: u64,
    closed: bool,
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    /// Records that were dropped before these.
    pub(crate) lost: u64,
    bytes: usize,
}

/// How a record is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// With a ticket: it waits where there is no room.
    Waits,
    /// Without one: it is dropped where there is no room.
    Dropped,
    /// Without one, beside others that wait: it is dropped where half of the room is taken, so that they are not held up by
    /// what anybody can cause.
    Yields,
}

/// Records that are written at once.
const BATCH: usize = 1_024;

impl Queue {
    pub(crate) fn new(limit: usize, counts: Arc<Counts>) -> Self {
        Self { limit, state: Mutex::default(), filled: Condvar::new(), counts }
    }

    /// Puts a record in, or drops it.
    pub(crate) fn put(self: &Arc<Self>, record: Arc<Record>, urgency: Urgency) -> Option<Ticket> {
        let mut state = self.lock();
        let size = record.size();
        let slot = (urgency == Urgency::Waits).then(Arc::<Slot>::default);
        let entry = Entry { record, size, slot: slot.clone() };
        let number = state.next;
        state.next += 1;
        let limit = if urgency == Urgency::Yields { self.limit / 2 } else { self.limit };
        let has_room = state.waiting.is_empty() && (state.bytes == 0 || state.bytes + size <= limit);
        match &slot {
            _ if state.closed => {
                state.lost += 1;
                self.counts.dropped(1);
                if let Some(slot) = &slot {
                    slot.settle(Err(Lost));
                }
            }
            _ if has_room => self.queue(&mut state, entry),
            Some(_) => drop(state.waiting.insert(number, entry)),
            None => {
                state.lost += 1;
                self.counts.dropped(1);
            }
        }
        drop(state);
        slot.map(|slot| Ticket { slot, number, queue: self.clone() })
    }

    /// Takes a record back for which there was no room yet.
    pub(crate) fn withdraw(&self, number: u64) {
        let mut state = self.lock();
        if state.waiting.remove(&number).is_some() {
            state.lost += 1;
            self.counts.dropped(1);
        }
    }

    /// Waits for records, at most until `deadline`, and once there is one for `linger` more, so that several are written at
    /// once. `None` when the queue is closed and empty. An empty batch means that the time is over.
    pub(crate) fn take(&self, linger: Duration, deadline: Instant) -> Option<Batch> {
        let mut state = self.lock();
        while state.queued.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match (state.closed, left.is_zero()) {
                (true, _) => return None,
                (false, true) => return Some(Batch::default()),
                (false, false) => state = self.wait(state, left),
            }
        }
        let until = Instant::now() + linger;
        while !state.closed && state.bytes < self.limit / 4 && state.queued.len() < BATCH {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        let count = state.queued.len().min(BATCH);
        let entries: Vec<Entry> = state.queued.drain(..count).collect();
        let bytes = entries.iter().map(|entry| entry.size).sum();
        Some(Batch { entries, lost: mem::take(&mut state.lost), bytes })
    }

    /// Gives the room of a batch free that was written, or could not be, and tells whoever waits for it.
    pub(crate) fn settle(&self, batch: Batch, result: Result<(), Lost>) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(batch.bytes);
        if result.is_err() {
            state.lost += batch.lost;
        }
        while let Some((&number, first)) = state.waiting.first_key_value() {
            if state.bytes > 0 && state.bytes + first.size > self.limit {
                break;
            }
            if let Some(entry) = state.waiting.remove(&number) {
                self.queue(&mut state, entry);
            }
        }
        drop(state);
        for slot in batch.entries.iter().filter_map(|entry| entry.slot.as_ref()) {
            slot.settle(result);
        }
        match result {
            Ok(()) => self.counts.written(batch.entries.len()),
            Err(Lost) => self.counts.dropped(batch.entries.len()),
        }
    }

    /// Takes nothing more in. What is queued is still taken out; what waits for room is lost.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        self.counts.dropped(waiting.len());
        for slot in waiting.into_values().filter_map(|entry| entry.slot) {
            slot.settle(Err(Lost));
        }
        self.filled.notify_all();
    }

    /// Waits for a time, or until the queue is closed. Whether it is.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        state.closed
    }

    /// What waits and is being written, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.lock();
        state.bytes + state.waiting.values().map(|entry| entry.size).sum::<usize>()
    }

    fn queue(&self, state: &mut State, entry: Entry) {
        let quarter = self.limit / 4;
        let was_small = state.bytes < quarter;
        state.bytes += entry.size;
        state.queued.push_back(entry);
        // The writer looks for these three and no others.
        let is_reached = was_small && state.bytes >= quarter;
        if state.queued.len() == 1 || state.queued.len() == BATCH || is_reached {
            self.filled.notify_one();
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.filled.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
