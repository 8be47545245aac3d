//! Memory shared by many sessions: reserved before it is used, given back on drop.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The smallest step in which a [`Buffer`] grows, in bytes.
const FIRST_STEP: usize = 1024;

/// The budget has no room for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared memory budget of {limit} bytes is spent")]
pub struct OverBudget {
    /// The budget's size, in bytes.
    pub limit: usize,
}

/// A number of bytes that all holders together may not pass.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// The budget's size, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes reserved at this moment.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` out of the budget until the reservation is dropped.
    pub fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut held = Reservation { budget: Arc::clone(self), bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }
}

/// Bytes taken out of a [`Budget`], given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `more` bytes, all of them or none.
    pub fn grow(&mut self, more: usize) -> Result<(), OverBudget> {
        let limit = self.budget.limit;
        // Relaxed: the count guards no other memory, and each update is whole.
        self.budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|sum| *sum <= limit)
            })
            .map_err(|_| OverBudget { limit })?;
        self.bytes += more;
        Ok(())
    }

    /// Gives all bytes back and keeps an empty reservation.
    pub fn clear(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Bytes whose memory counts against a [`Budget`].
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    held: Reservation,
}

impl Buffer {
    /// An empty buffer that holds no memory yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { bytes: Vec::new(), held: Reservation { budget: Arc::clone(budget), bytes: 0 } }
    }

    /// Appends `more`, or leaves the buffer as it was.
    pub fn extend_from_slice(&mut self, more: &[u8]) -> Result<(), OverBudget> {
        let wanted = self.bytes.len().saturating_add(more.len());
        if wanted > self.bytes.capacity() {
            self.grow_to(wanted.max(self.bytes.capacity().saturating_mul(2)))?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Forgets the content and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Forgets the content and gives the memory back.
    pub fn release(&mut self) {
        self.bytes = Vec::new();
        self.held.clear();
    }

    /// Makes room for one byte at least, by doubling, with a capacity of no more than `limit` bytes.
    pub(crate) fn make_room(&mut self, limit: usize) -> Result<(), OverBudget> {
        if self.has_room() {
            return Ok(());
        }
        let doubled = self.bytes.capacity().saturating_mul(2).max(FIRST_STEP);
        self.grow_to(doubled.min(limit).max(self.bytes.len() + 1))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() < self.bytes.capacity()
    }

    /// The vector itself, for a writer that fills its spare capacity and never grows it.
    pub(crate) fn spare(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn grow_to(&mut self, capacity: usize) -> Result<(), OverBudget> {
        self.held.grow(capacity.saturating_sub(self.held.bytes))?;
        let more = capacity.saturating_sub(self.bytes.len());
        self.bytes.try_reserve_exact(more).map_err(|_| OverBudget { limit: self.held.budget.limit })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reservations_add_up_to_the_limit_and_come_back() {
        let budget = Budget::new(100);
        let first = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(41).unwrap_err(), OverBudget { limit: 100 });
        assert_eq!(budget.used(), 60);
        let mut second = budget.reserve(40).unwrap();
        assert!(second.grow(1).is_err());
        assert!(second.grow(usize::MAX).is_err());
        drop(first);
        second.grow(60).unwrap();
        assert_eq!(budget.used(), 100);
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_buffer_that_cannot_grow_keeps_its_content() {
        let budget = Budget::new(2048);
        let mut buffer = Buffer::new(&budget);
        assert_eq!(budget.used(), 0);
        buffer.extend_from_slice(&[7; 1500]).unwrap();
        assert!(buffer.extend_from_slice(&[8; 1000]).is_err());
        assert_eq!(&buffer[..], &[7; 1500]);
        assert!(budget.used() >= 1500);
        buffer.release();
        assert_eq!((budget.used(), buffer.len()), (0, 0));
    }

    #[test]
    fn room_is_made_up_to_the_limit_only() {
        let budget = Budget::new(1 << 20);
        let mut buffer = Buffer::new(&budget);
        buffer.make_room(10).unwrap();
        assert_eq!((buffer.spare().capacity(), budget.used()), (10, 10));
        buffer.extend_from_slice(&[0; 10]).unwrap();
        buffer.make_room(5000).unwrap();
        assert_eq!(budget.used(), FIRST_STEP);
    }

    #[test]
    fn threads_never_pass_the_limit_together() {
        let budget = Budget::new(1000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let held = budget.reserve(300);
                        assert!(budget.used() <= 1000);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
