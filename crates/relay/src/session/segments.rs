//! A stretch of the byte stream in memory: grows at its end, is given back at its front, is read anywhere between.

use std::{collections::VecDeque, fmt};

use bytes::{Bytes, BytesMut};

/// Bytes of the largest buffer that is filled by copying.
const SEGMENT: usize = 64 << 10;
/// Bytes of the smallest, which is kept when it is empty.
const SMALLEST: usize = 2 << 10;
/// Fewer bytes are copied rather than shared: each shared piece costs its place in the queue.
const SHARED: usize = 4 << 10;

struct Segment {
    start: u64,
    bytes: Bytes,
}

impl Segment {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// The bytes from `start` to `end`, by their offsets in the stream.
#[derive(Default)]
pub(super) struct Segments {
    start: u64,
    /// In order and without gaps; behind them stands `tail`.
    full: VecDeque<Segment>,
    tail: BytesMut,
    tail_start: u64,
    /// A buffer of a whole segment that was given back, for the next tail.
    spare: BytesMut,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end())
    }
}

impl Segments {
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    pub(super) fn held(&self) -> u64 {
        self.end() - self.start
    }

    /// Bytes of memory taken, the queue's own apart.
    pub(super) fn memory(&self) -> usize {
        let full = self.full.iter().map(|segment| segment.bytes.len()).sum::<usize>();
        full + self.tail.capacity() + self.spare.capacity()
    }

    /// Copies `bytes` to the end.
    pub(super) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut room = self.tail.capacity() - self.tail.len();
            if room == 0 {
                self.close_tail();
                // As much again as is held: little for a few keystrokes, a whole segment for a transfer.
                let held = usize::try_from(self.held()).unwrap_or(SEGMENT);
                let wanted = bytes.len().max(held).clamp(SMALLEST, SEGMENT);
                self.tail = match wanted == SEGMENT && self.spare.capacity() >= SEGMENT {
                    true => std::mem::take(&mut self.spare),
                    false => BytesMut::with_capacity(wanted),
                };
                room = self.tail.capacity();
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.tail.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Puts `bytes` at the end, shared where that is worth it.
    pub(super) fn append_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED {
            return self.append(&bytes);
        }
        self.close_tail();
        let segment = Segment { start: self.tail_start, bytes };
        self.tail_start = segment.end();
        self.full.push_back(segment);
    }

    /// Gives back what stands before `offset`, which is at most `end`.
    pub(super) fn release(&mut self, offset: u64) {
        debug_assert!(self.start <= offset && offset <= self.end(), "released to {offset}");
        self.start = offset;
        while self.full.front().is_some_and(|first| first.end() <= offset)
            && let Some(first) = self.full.pop_front()
        {
            self.recycle(first.bytes);
        }
        if offset == self.end() {
            self.tail_start = offset;
            self.tail.clear();
            if self.tail.capacity() > SMALLEST {
                self.tail = BytesMut::new();
            }
            self.spare = BytesMut::new();
        }
    }

    /// What stands at `offset`, as far as it lies in one piece; empty at the end.
    #[inline]
    pub(super) fn piece(&self, offset: u64) -> &[u8] {
        debug_assert!(self.start <= offset && offset <= self.end(), "read at {offset}");
        if offset >= self.tail_start {
            return self.tail.get((offset - self.tail_start) as usize..).unwrap_or_default();
        }
        match self.full.get(self.position(offset)) {
            Some(segment) => segment.bytes.get((offset - segment.start) as usize..).unwrap_or_default(),
            None => &[],
        }
    }

    /// The same, at most `most` bytes and shared.
    pub(super) fn share(&mut self, offset: u64, most: usize) -> Bytes {
        if offset >= self.tail_start {
            self.close_tail();
        }
        let Some(segment) = self.full.get(self.position(offset)) else { return Bytes::new() };
        let from = (offset - segment.start) as usize;
        segment.bytes.slice(from..segment.bytes.len().min(from.saturating_add(most)))
    }

    fn position(&self, offset: u64) -> usize {
        self.full.partition_point(|segment| segment.end() <= offset)
    }

    /// Keeps one buffer of a whole segment, which nobody shares any more: a transfer fills one after the other.
    fn recycle(&mut self, bytes: Bytes) {
        if bytes.len() == SEGMENT
            && self.spare.capacity() == 0
            && let Ok(mut buffer) = bytes.try_into_mut()
        {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// Moves the tail's bytes to the full segments; the room behind them stays the tail's.
    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let segment = Segment { start: self.tail_start, bytes: self.tail.split().freeze() };
            self.tail_start = segment.end();
            self.full.push_back(segment);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_grows_with_what_is_held_and_is_given_back() {
        let mut segments = Segments::default();
        assert_eq!(segments.memory(), 0);
        segments.append(b"x");
        assert_eq!(segments.memory(), SMALLEST);
        segments.release(1);
        segments.append(b"y");
        assert_eq!(segments.memory(), SMALLEST, "the smallest buffer is used again");
        for _ in 0..1 << 20 {
            segments.append(b"0123456789abcdef");
        }
        let held = segments.held() as usize;
        assert!(held <= segments.memory() && segments.memory() < held + 2 * SEGMENT);
        assert!(segments.full.len() <= held / SEGMENT + 16);
        segments.release(segments.end());
        assert_eq!((segments.memory(), segments.held()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Shared(usize),
        Release(u16),
        Read(u16),
        Share(u16, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1usize..200_000).prop_map(Step::Append),
            (1usize..9_000).prop_map(Step::Shared),
            any::<u16>().prop_map(Step::Release),
            any::<u16>().prop_map(Step::Read),
            (any::<u16>(), 1usize..20_000).prop_map(|(at, most)| Step::Share(at, most)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_offset_has_its_byte(steps in prop::collection::vec(step(), 1..40)) {
            let (mut segments, mut whole) = (Segments::default(), Vec::new());
            for step in steps {
                let place = |part: u16| segments.start() + segments.held() * u64::from(part) / u64::from(u16::MAX);
                match step {
                    Step::Append(len) | Step::Shared(len) => {
                        let bytes: Vec<u8> = (whole.len()..whole.len() + len).map(|at| (at % 251) as u8).collect();
                        whole.extend_from_slice(&bytes);
                        match step {
                            Step::Append(_) => segments.append(&bytes),
                            _ => segments.append_shared(bytes.into()),
                        }
                    }
                    Step::Release(part) => {
                        let to = place(part);
                        segments.release(to);
                    }
                    Step::Read(part) => {
                        let at = place(part);
                        let piece = segments.piece(at);
                        prop_assert!(!piece.is_empty() || at == segments.end());
                        prop_assert!(whole[at as usize..].starts_with(piece));
                    }
                    Step::Share(part, most) => {
                        let at = place(part);
                        let piece = segments.share(at, most);
                        prop_assert!(piece.len() <= most && (!piece.is_empty() || at == segments.end()));
                        prop_assert!(whole[at as usize..].starts_with(&piece));
                    }
                }
                prop_assert_eq!(segments.end(), whole.len() as u64);
                prop_assert!(segments.memory() as u64 <= segments.held() + 3 * SEGMENT as u64);
            }
        }
    }
}
