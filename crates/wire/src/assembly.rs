//! A message put together from its pieces, within a shared memory budget: what it says, and the frames
//! as they came.

use std::sync::Arc;

use crate::{Budget, DataKind, Piece, Reserved, Utf8Stream, Violation, mask};

/// Why a message cannot be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// The peer broke a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// All sessions together hold as much as they may.
    #[error("the memory for unfinished messages is used up")]
    NoMemory,
}

/// The pieces of one message so far. Holds nothing between messages.
#[derive(Debug)]
pub struct Assembly {
    payload: Vec<u8>,
    frames: Vec<u8>,
    utf8: Utf8Stream,
    reserved: Reserved,
}

impl Assembly {
    /// An empty one, whose memory counts towards `budget`.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self {
            payload: Vec::new(),
            frames: Vec::new(),
            utf8: Utf8Stream::default(),
            reserved: Reserved::new(budget),
        }
    }

    /// Takes a piece that the scanner found in `buffer`. Text that is not compressed is checked as UTF-8
    /// at once. The message's size was limited by the scanner.
    ///
    /// # Errors
    /// Text that is not UTF-8, or no memory left in the budget.
    pub fn push(&mut self, piece: &Piece, buffer: &[u8]) -> Result<(), AssemblyError> {
        let (frame_bytes, payload) = (&buffer[piece.whole.clone()], &buffer[piece.payload.clone()]);
        self.reserve(frame_bytes.len(), payload.len())?;
        self.frames.extend_from_slice(frame_bytes);
        let start = self.payload.len();
        self.payload.extend_from_slice(payload);
        let clear = &mut self.payload[start..];
        if let Some(key) = piece.mask {
            mask::apply(clear, key, piece.phase);
        }
        if piece.kind == DataKind::Text && !piece.opaque {
            self.utf8.push(clear).map_err(|_| Violation::InvalidUtf8)?;
            if piece.ends_message {
                self.utf8.finish().map_err(|_| Violation::InvalidUtf8)?;
            }
        }
        Ok(())
    }

    /// What the message says so far, unmasked, as compressed as it came.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The frames of the message as they came; what they take is not counted any more.
    pub fn into_frames(self) -> Vec<u8> {
        self.frames
    }

    /// The budget that its memory counts towards.
    pub fn budget(&self) -> Arc<Budget> {
        self.reserved.budget()
    }

    /// Makes room, asking the budget before the allocator.
    fn reserve(&mut self, frame_bytes: usize, payload: usize) -> Result<(), AssemblyError> {
        let frames = grown(&self.frames, frame_bytes);
        let payloads = grown(&self.payload, payload);
        if !self.reserved.grow_to(frames + payloads) {
            return Err(AssemblyError::NoMemory);
        }
        self.frames.reserve_exact(frames - self.frames.len());
        self.payload.reserve_exact(payloads - self.payload.len());
        Ok(())
    }
}

/// The capacity that `vec` needs for `more` bytes, doubling so that growth stays linear in all.
fn grown(vec: &Vec<u8>, more: usize) -> usize {
    let needed = vec.len() + more;
    if needed <= vec.capacity() { vec.capacity() } else { needed.max(vec.capacity() * 2) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Event, FrameLimits, Role, Rsv, Scanner};

    const LIMITS: FrameLimits = FrameLimits { frame: 1000, message: 1000, fragments: 10 };

    fn pieces(bytes: &[u8]) -> Vec<Piece> {
        let (mut scanner, mut at, mut found) = (Scanner::new(Role::Server, Rsv::NONE), 0, Vec::new());
        while let Some(Event::Data(piece)) = scanner.next(&LIMITS, bytes, &mut at).unwrap() {
            found.push(piece);
        }
        found
    }

    #[test]
    fn fragments_become_a_message_and_its_memory_comes_back() {
        let budget = Arc::new(Budget::new(100));
        let mut assembly = Assembly::new(budget.clone());
        let bytes = b"\x01\x03\xe2\x82\xac\x80\x02ab";
        for piece in pieces(bytes) {
            assembly.push(&piece, bytes).unwrap();
        }
        assert_eq!(assembly.payload(), "€ab".as_bytes());
        assert!(budget.used() > 0);
        assert_eq!(assembly.into_frames(), bytes);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_budget_is_asked_first() {
        let mut assembly = Assembly::new(Arc::new(Budget::new(10)));
        let bytes = b"\x82\x08abcdefgh";
        assert_eq!(assembly.push(&pieces(bytes)[0], bytes), Err(AssemblyError::NoMemory));
        assert_eq!(assembly.frames.capacity() + assembly.payload.capacity(), 0);
    }

    #[test]
    fn bad_text_is_found_before_the_message_ends() {
        let mut assembly = Assembly::new(Arc::new(Budget::new(100)));
        let bytes = b"\x01\x02a\xff";
        assert_eq!(
            assembly.push(&pieces(bytes)[0], bytes),
            Err(AssemblyError::Violation(Violation::InvalidUtf8))
        );
    }
}
