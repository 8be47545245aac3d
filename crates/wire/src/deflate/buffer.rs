//! Bytes whose memory is taken from a budget before it is taken from the allocator.

use std::ops::Deref;
use std::sync::Arc;

use crate::{Budget, Reserved};

/// The first and smallest step in which a buffer grows, in bytes.
const FIRST_STEP: usize = 1024;

/// The shared budget, or the machine, has no memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory for compression is used up")]
pub struct NoMemory;

/// What a message inflates or deflates to. Gives its memory back when dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    reserved: Reserved,
}

impl Buffer {
    /// An empty one, whose memory counts towards `budget`.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { bytes: Vec::new(), reserved: Reserved::new(budget) }
    }

    /// Forgets the content and keeps the memory for the next one.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Forgets the content and gives the memory back.
    pub fn release(&mut self) {
        self.bytes = Vec::new();
        self.reserved.shrink_to(0);
    }

    /// Makes room for one byte at least by doubling, up to `limit` bytes in all where that leaves room.
    pub(super) fn make_room(&mut self, limit: usize) -> Result<(), NoMemory> {
        if self.has_room() {
            return Ok(());
        }
        let doubled = self.bytes.capacity().saturating_mul(2).max(FIRST_STEP);
        let capacity = doubled.min(limit).max(self.bytes.len() + 1);
        if !self.reserved.grow_to(capacity) {
            return Err(NoMemory);
        }
        self.bytes.try_reserve_exact(capacity - self.bytes.len()).map_err(|_| NoMemory)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() < self.bytes.capacity()
    }

    /// The vector itself, for a writer that fills its spare capacity and never grows it.
    pub(super) fn spare(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
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

    fn fill(buffer: &mut Buffer) {
        let capacity = buffer.bytes.capacity();
        buffer.bytes.resize(capacity, 7);
    }

    #[test]
    fn room_doubles_up_to_the_limit() {
        let budget = Arc::new(Budget::new(1 << 20));
        let mut buffer = Buffer::new(Arc::clone(&budget));
        assert_eq!(budget.used(), 0);
        for expected in [FIRST_STEP, 2 * FIRST_STEP, 4 * FIRST_STEP, 5000, 5001] {
            buffer.make_room(5000).unwrap();
            assert_eq!((buffer.bytes.capacity(), budget.used()), (expected, expected));
            fill(&mut buffer);
        }
        buffer.clear();
        assert_eq!(budget.used(), 5001);
        buffer.release();
        assert_eq!((budget.used(), buffer.bytes.capacity()), (0, 0));
    }

    #[test]
    fn a_buffer_that_cannot_grow_keeps_its_content() {
        let budget = Arc::new(Budget::new(2000));
        let mut buffer = Buffer::new(Arc::clone(&budget));
        buffer.make_room(usize::MAX).unwrap();
        fill(&mut buffer);
        assert_eq!(buffer.make_room(usize::MAX), Err(NoMemory));
        assert_eq!(&buffer[..], &[7; FIRST_STEP]);
        drop(buffer);
        assert_eq!(budget.used(), 0);
    }
}
