//! Bytes in the pieces that they lie in, to be written together.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// How many pieces one write takes at most.
const SLICES: usize = 32;

/// Pieces in their order; none is empty.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    queue: VecDeque<Bytes>,
    length: usize,
}

impl Pieces {
    /// Bytes in all.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The first pieces, and how many they are.
    pub(super) fn slices(&self) -> ([IoSlice<'_>; SLICES], usize) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.queue.len().min(SLICES);
        for (slice, piece) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(piece);
        }
        (slices, count)
    }

    /// The first `count` bytes are written.
    pub(super) fn advance(&mut self, mut count: usize) {
        self.length = self.length.saturating_sub(count);
        while let Some(first) = self.queue.front_mut() {
            if count < first.len() {
                return first.advance(count);
            }
            count -= first.len();
            self.queue.pop_front();
        }
    }

    /// Takes the first piece.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let first = self.queue.pop_front()?;
        self.length -= first.len();
        Some(first)
    }
}

impl From<Bytes> for Pieces {
    fn from(piece: Bytes) -> Self {
        let mut pieces = Self::default();
        pieces.extend([piece]);
        pieces
    }
}

impl Extend<Bytes> for Pieces {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, more: I) {
        for piece in more.into_iter().filter(|piece| !piece.is_empty()) {
            self.length += piece.len();
            self.queue.push_back(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_goes_from_the_front_wherever_pieces_end() {
        for step in [1, 3, 7, 20, 100] {
            let mut pieces = Pieces::default();
            pieces.extend((0..40_u8).map(|seed| Bytes::from(vec![seed; usize::from(seed % 5)])));
            let want: Vec<u8> = (0..40_u8).flat_map(|seed| vec![seed; usize::from(seed % 5)]).collect();
            assert_eq!(pieces.len(), want.len());
            let mut got = Vec::new();
            while !pieces.is_empty() {
                let (slices, count) = pieces.slices();
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
                let taken = all.len().min(step);
                got.extend_from_slice(&all[..taken]);
                pieces.advance(taken);
            }
            assert_eq!(got, want, "{step}");
            assert!(pieces.pop().is_none());
        }
    }
}
