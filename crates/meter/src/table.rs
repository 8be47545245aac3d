//! What is known of each of many keys, in bounded memory: slabs of fixed size, found by hash chains.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::fill::Fill;

/// Shards, so that threads seldom wait for each other.
const SHARDS: usize = 64;
/// How many places are looked at for one that is free again, before a newcomer has to share.
const LOOKS: usize = 32;
/// The place that newcomers share where no other is free. Nothing leads to it, so that it also ends every chain.
const COMMON: u32 = 0;

/// What a table knows of a key.
pub trait Tracked: Default {
    /// Whether it is as if the key had never come: then its place may go to another without a loss.
    fn is_idle(&self, now: Duration) -> bool;
}

/// A table of keys. They are hashes by a secret key, spread evenly whoever chooses what is hashed.
///
/// Memory is reserved by shard, at its first use, and never grows. A place is taken over only when it is idle, so nothing
/// that matters is ever forgotten. Where a shard has no idle place, newcomers share a common one and with it one limit,
/// until a place is free: who was there before feels nothing of a flood.
#[derive(Debug)]
pub struct Table<T> {
    shards: Box<[Mutex<Shard<T>>]>,
}

/// Where a key stands. It stays there at least as long as it is not idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    shard: u32,
    node: u32,
}

impl Place {
    /// Whether it is one that newcomers share.
    pub const fn is_common(self) -> bool {
        self.node == COMMON
    }
}

#[derive(Debug)]
struct Shard<T> {
    capacity: usize,
    /// The first of each chain.
    heads: Box<[u32]>,
    nodes: Vec<Node<T>>,
    /// The place that was last looked at for being free again.
    hand: usize,
    /// Idle keys whose place went to another.
    evicted: u64,
    /// How often a newcomer had to share the common place.
    overflowed: u64,
}

#[derive(Debug)]
struct Node<T> {
    key: u64,
    /// The next one of the chain.
    next: u32,
    value: T,
}

impl<T: Tracked> Table<T> {
    /// What a key costs at worst, without what its value points to: its node, and two heads of chains.
    pub const BYTES: usize = size_of::<Node<T>>() + 2 * size_of::<u32>();

    /// A table for at least so many keys; the next multiple of 64.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.div_ceil(SHARDS).clamp(1, u32::MAX as usize - 1);
        let shard = || Shard {
            capacity,
            heads: Box::default(),
            nodes: Vec::new(),
            hand: 0,
            evicted: 0,
            overflowed: 0,
        };
        Self { shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect() }
    }

    /// Does something to what is known of `key`, which begins with nothing.
    pub fn with<R>(&self, key: u64, now: Duration, act: impl FnOnce(&mut T, Place) -> R) -> R {
        // The upper bits choose the shard and the lower ones the chain.
        let number = (key >> 32) as usize % SHARDS;
        let mut shard = lock(&self.shards[number]);
        let node = shard.place(key, now);
        let place = Place { shard: number as u32, node };
        act(&mut shard.nodes[node as usize].value, place)
    }

    /// Does something to what is known of the key at `place`, which must not have been idle since the place was told.
    pub fn at<R>(&self, place: Place, act: impl FnOnce(&mut T) -> R) -> R {
        let mut shard = lock(&self.shards[place.shard as usize]);
        act(&mut shard.nodes[place.node as usize].value)
    }

    /// How full it is, idle keys among the entries.
    pub fn fill(&self) -> Fill {
        let mut fill = Fill::default();
        for shard in &self.shards {
            let Shard { capacity, nodes, evicted, overflowed, .. } = &*lock(shard);
            let (entries, capacity) = (nodes.len().saturating_sub(1) as u64, *capacity as u64);
            fill += Fill { entries, capacity, evicted: *evicted, overflowed: *overflowed };
        }
        fill
    }

    /// How many keys have a place, idle ones among them.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).nodes.len().saturating_sub(1)).sum()
    }

    /// Whether no key has come yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn lock<T>(shard: &Mutex<Shard<T>>) -> MutexGuard<'_, Shard<T>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Tracked> Shard<T> {
    /// The key's place: its own, or the common one.
    fn place(&mut self, key: u64, now: Duration) -> u32 {
        if self.nodes.is_empty() {
            self.heads = vec![COMMON; self.capacity.next_power_of_two()].into();
            self.nodes.reserve_exact(self.capacity + 1);
            self.nodes.push(Node { key: 0, next: COMMON, value: T::default() });
        }
        let head = self.head(key);
        let mut at = self.heads[head];
        while at != COMMON {
            let node = &self.nodes[at as usize];
            if node.key == key {
                return at;
            }
            at = node.next;
        }
        let node = Node { key, next: self.heads[head], value: T::default() };
        if self.nodes.len() <= self.capacity {
            self.nodes.push(node);
            self.heads[head] = (self.nodes.len() - 1) as u32;
        } else if let Some(free) = self.take_over(now) {
            self.evicted += 1;
            // Taking the place over may have changed the chain that the newcomer goes into.
            self.nodes[free] = Node { next: self.heads[head], ..node };
            self.heads[head] = free as u32;
        } else {
            self.overflowed += 1;
            return COMMON;
        }
        self.heads[head]
    }

    /// A place whose key is idle, taken out of its chain. A few are looked at, where the last look ended: what is busy now
    /// may be idle when the hand comes round again.
    fn take_over(&mut self, now: Duration) -> Option<usize> {
        for _ in 0..LOOKS.min(self.capacity) {
            self.hand = self.hand % self.capacity + 1;
            if self.nodes[self.hand].value.is_idle(now) {
                self.unlink(self.hand as u32);
                return Some(self.hand);
            }
        }
        None
    }

    fn unlink(&mut self, node: u32) {
        let Node { key, next, .. } = self.nodes[node as usize];
        let head = self.head(key);
        if self.heads[head] == node {
            self.heads[head] = next;
            return;
        }
        let mut at = self.heads[head];
        while at != COMMON {
            let before = &mut self.nodes[at as usize];
            if before.next == node {
                before.next = next;
                return;
            }
            at = before.next;
        }
        debug_assert!(false, "a place that is in no chain");
    }

    fn head(&self, key: u64) -> usize {
        key as usize & (self.heads.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Idle from this time on; and how often the key was met.
    #[derive(Debug, Default, PartialEq)]
    struct Busy {
        until: Duration,
        met: usize,
    }

    impl Tracked for Busy {
        fn is_idle(&self, now: Duration) -> bool {
            self.until <= now
        }
    }

    fn meet(table: &Table<Busy>, key: u64, now: u64, until: u64) -> (usize, Place) {
        table.with(key, Duration::from_secs(now), |busy, place| {
            busy.until = busy.until.max(Duration::from_secs(until));
            busy.met += 1;
            (busy.met, place)
        })
    }

    /// A key of the shard 0.
    fn key(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff
    }

    #[test]
    fn busy_keys_keep_their_places_and_newcomers_share_one() {
        let table = Table::new(8 * SHARDS);
        let places: Vec<_> = (0..8).map(|number| meet(&table, key(number), 0, 10).1).collect();
        let (met, first) = meet(&table, key(8), 0, 0);
        let (again, second) = meet(&table, key(9), 0, 0);
        assert!(first.is_common() && second.is_common());
        assert_eq!((met, again), (1, 2));
        let fill = table.fill();
        assert_eq!((fill.entries, fill.capacity, fill.evicted, fill.overflowed), (8, 512, 0, 2));
        for (number, place) in (0..8).zip(&places) {
            assert_eq!(meet(&table, key(number), 0, 10), (2, *place));
        }
        // Once they are idle, newcomers take over, and who comes back begins anew.
        assert!(!meet(&table, key(8), 10, 20).1.is_common());
        let anew = (0..8).filter(|number| meet(&table, key(*number), 10, 20).0 == 1).count();
        assert!(anew >= 1);
        assert!(table.fill().evicted > 0);
        assert_eq!(table.len(), 8);
    }

    #[test]
    fn memory_is_bounded_under_a_million_keys() {
        let table = Table::new(1_000);
        let capacity = table.shards.len() * 1_000usize.div_ceil(SHARDS);
        for number in 0..1_000_000u64 {
            let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            meet(&table, key, number, number + number % 2_000);
        }
        assert_eq!(table.len(), capacity);
        for shard in &table.shards {
            let shard = lock(shard);
            assert_eq!(shard.nodes.capacity(), shard.capacity + 1);
            assert_eq!(shard.heads.len(), shard.capacity.next_power_of_two());
        }
    }

    #[test]
    fn threads_meet_the_same_keys() {
        let table = Table::new(64 * SHARDS);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..9_600).for_each(|n| assert!(meet(&table, key(n % 32) << 20, 0, 1).0 > 0)));
            }
        });
        for number in 0..32 {
            assert_eq!(meet(&table, key(number) << 20, 0, 1).0, 1_201);
        }
    }

    proptest! {
        /// Every key that is busy is known exactly; the others are known exactly or not at all.
        #[test]
        fn nothing_that_is_busy_is_forgotten(
            capacity in 1usize..20,
            steps in prop::collection::vec((0u64..40, 0u64..3, 0u64..30), 1..400),
        ) {
            let table = Table::new(capacity * SHARDS);
            let (mut now, mut known) = (0, HashMap::<u64, (u64, usize)>::new());
            for (number, passed, busy) in steps {
                now += passed;
                let (met, place) = meet(&table, key(number), now, now + busy);
                if place.is_common() {
                    prop_assert!(known.get(&number).is_none_or(|(until, _)| *until <= now));
                    continue;
                }
                let before = known.get(&number).copied().unwrap_or_default();
                if before.0 > now {
                    prop_assert_eq!(met, before.1 + 1);
                } else {
                    prop_assert!(met == before.1 + 1 || met == 1, "{} after {}", met, before.1);
                }
                known.insert(number, (before.0.max(now + busy), met));
            }
            prop_assert!(table.len() <= capacity);
        }
    }
}
