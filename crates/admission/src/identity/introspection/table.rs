//! What was said about tokens, by their hashes: bounded, and one question at a time about each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::fill::Fill;
use crate::identity::{Denied, Identity};

/// A token's SHA-256.
pub type Hash = [u8; 32];

/// What was said about a token, and how long that serves.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who its bearer is, or why nobody.
    pub said: Result<Arc<Identity>, Denied>,
    /// When the question was asked.
    pub asked: Instant,
    /// From when on it has to be asked again.
    pub until: Instant,
}

/// A place for an answer; who comes first asks, and the others wait for the answer.
pub type Slot = Arc<OnceCell<Answer>>;

/// Answers, and questions under way.
#[derive(Debug)]
pub struct Table {
    tables: Mutex<Tables>,
    max: usize,
}

/// Apart, so that made-up tokens push out no good ones.
#[derive(Debug, Default)]
struct Tables {
    active: Ring,
    others: Ring,
}

/// A map that forgets what came first.
#[derive(Debug, Default)]
struct Ring {
    slots: HashMap<Hash, Slot>,
    order: VecDeque<Hash>,
    evicted: u64,
}

impl Table {
    /// One for so many answers of active tokens, and so many others.
    pub fn new(max: usize) -> Self {
        Self { tables: Mutex::default(), max }
    }

    /// The place for this token's answer, with an answer for which `serves` says yes, or with a question under way, or empty.
    pub fn slot(&self, hash: &Hash, serves: impl Fn(&Answer) -> bool) -> Slot {
        let mut tables = self.lock();
        let Tables { active, others } = &mut *tables;
        let known = [active.slots.get(hash), others.slots.get(hash)];
        if let Some(slot) = known.iter().flatten().find(|slot| slot.get().is_none_or(&serves)) {
            return Slot::clone(slot);
        }
        let slot = Slot::default();
        others.put(*hash, slot.clone(), self.max);
        slot
    }

    /// Keeps the answer of an active token apart from the others; a token that is active no more loses its place there.
    pub fn keep(&self, hash: &Hash, slot: &Slot) {
        let mut tables = self.lock();
        let Tables { active, others } = &mut *tables;
        match slot.get().map(|answer| &answer.said) {
            Some(Ok(_)) => {
                others.slots.remove(hash);
                active.put(*hash, slot.clone(), self.max);
            }
            // Nothing was said: what is known goes on to serve for its time.
            None | Some(Err(Denied::Unavailable(_))) => {}
            Some(Err(_)) => drop(active.slots.remove(hash)),
        }
    }

    /// How full both parts are together.
    pub fn fill(&self) -> Fill {
        let tables = self.lock();
        let Tables { active, others } = &*tables;
        Fill {
            entries: (active.slots.len() + others.slots.len()) as u64,
            capacity: (self.max as u64).saturating_mul(2),
            evicted: active.evicted + others.evicted,
            overflowed: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        let tables = self.lock();
        tables.active.slots.len() + tables.others.slots.len()
    }
}

impl Ring {
    fn put(&mut self, hash: Hash, slot: Slot, max: usize) {
        if self.slots.insert(hash, slot).is_none() {
            self.order.push_back(hash);
        }
        while self.slots.len() > max {
            let Some(oldest) = self.order.pop_front() else { return };
            self.evicted += u64::from(self.slots.remove(&oldest).is_some());
        }
        // What was taken out by name is still in the order.
        if self.order.len() > max.saturating_mul(2) {
            self.order.retain(|hash| self.slots.contains_key(hash));
        }
    }
}
