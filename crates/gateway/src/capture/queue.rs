//! What was captured and not asked for yet, within bounds.

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

/// Messages in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue {
    bounds: Bounds,
    lines: Vec<Line>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, lines: Vec::new(), bytes: 0, dropped: 0 }
    }

    /// Adds a message of this length where there is room for it; `copy` makes the copy.
    pub(super) fn push(&mut self, length: usize, copy: impl FnOnce() -> Line) {
        let bytes = self.bytes.saturating_add(length).saturating_add(OVERHEAD);
        let is_full = self.lines.len() >= self.bounds.messages || bytes > self.bounds.bytes;
        if is_full || length > self.bounds.message {
            self.dropped += 1;
            return;
        }
        self.bytes = bytes;
        self.lines.push(copy());
    }

    /// All of them, and how many were dropped.
    pub(super) fn take(&mut self) -> (Vec<Line>, u64) {
        self.bytes = 0;
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.dropped))
    }
}
