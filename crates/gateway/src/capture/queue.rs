//! What was copied and not asked for yet, within bounds.

use std::time::Duration;

use wicketgate_learn::line::Line;

/// How long a capture goes on that nobody asks about.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// What one message takes beside its payload, in bytes.
const OVERHEAD: usize = 200;

/// How much may wait to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages.
    pub messages: usize,
    /// Bytes of all, with what each takes beside its payload.
    pub bytes: usize,
    /// Bytes of one message.
    pub message: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 5_000, bytes: 4 << 20, message: 1 << 20 }
    }
}

/// A copy of a message.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The message.
    pub line: Line,
    /// What became of it, in a word.
    pub verdict: &'static str,
}

/// Messages in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue {
    bounds: Bounds,
    copies: Vec<Copied>,
    bytes: usize,
}

impl Queue {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, copies: Vec::new(), bytes: 0 }
    }

    /// Adds a message of this length where there is room for it; `copy` makes the copy. Whether there was.
    pub(super) fn push(&mut self, length: usize, copy: impl FnOnce() -> Copied) -> bool {
        let bytes = self.bytes.saturating_add(length).saturating_add(OVERHEAD);
        if self.is_full() || bytes > self.bounds.bytes || length > self.bounds.message {
            return false;
        }
        self.bytes = bytes;
        self.copies.push(copy());
        true
    }

    /// Whether not even an empty message finds room.
    pub(super) const fn is_full(&self) -> bool {
        self.copies.len() >= self.bounds.messages || self.bytes + OVERHEAD > self.bounds.bytes
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<Copied> {
        self.bytes = 0;
        std::mem::take(&mut self.copies)
    }
}
