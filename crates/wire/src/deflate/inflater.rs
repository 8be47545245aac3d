//! Inflates the messages of one direction under limits that hold while it inflates.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;
use super::buffer::{Buffer, NoMemory};
use super::window::{Window, WindowBits};
use crate::{Budget, CloseCode, Reserved};

/// What an inflating state takes, in bytes: a window of 32 KiB and the tables, whatever the negotiated window.
const STATE_BYTES: usize = 48 * 1024;

/// How much a message may inflate to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InflateLimits {
    /// Bytes of an inflated message.
    pub max_message: usize,
    /// Inflated bytes per byte received. DEFLATE reaches 1032, honest text seldom passes 20.
    pub max_ratio: usize,
    /// The ratio counts only beyond this many inflated bytes, because short messages of repetitions are harmless.
    pub ratio_from: usize,
}

/// Why a message cannot be inflated; the session must close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The data is not DEFLATE, or refers back beyond its window.
    #[error("the compressed data is corrupt")]
    Corrupt,
    /// The data does not end where RFC 7692 section 7.2.1 says that a message ends.
    #[error("the compressed data ends within a block")]
    Truncated,
    /// Data after a final block. Receivers differ in whether they read it, so it could hide from us or from them.
    #[error("there is data after the final block")]
    AfterFinalBlock,
    /// More inflated bytes than [`InflateLimits::max_message`].
    #[error("the message inflates to more than {0} bytes")]
    TooLarge(usize),
    /// More inflated bytes per byte received than [`InflateLimits::max_ratio`].
    #[error("the message inflates to more than {0} times its size")]
    Ratio(usize),
    /// The memory for all inflating is spent.
    #[error("the memory for compression is used up")]
    NoMemory,
}

impl From<NoMemory> for InflateError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl InflateError {
    /// The code to close with (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Corrupt | Self::Truncated | Self::AfterFinalBlock => CloseCode::INVALID_DATA,
            Self::TooLarge(_) | Self::Ratio(_) => CloseCode::TOO_BIG,
            Self::NoMemory => CloseCode::TRY_AGAIN,
        }
    }

    /// The metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Truncated => "truncated",
            Self::AfterFinalBlock => "after_final_block",
            Self::TooLarge(_) => "too_large",
            Self::Ratio(_) => "ratio",
            Self::NoMemory => "no_memory",
        }
    }
}

/// Inflates the compressed messages of one direction of a session.
///
/// The state is allocated with the first payload byte and counts against the budget. What an error leaves behind
/// cannot be inflated further, so every later call gives the same error.
#[derive(Debug)]
pub struct Inflater {
    takeover: bool,
    limits: InflateLimits,
    budget: Arc<Budget>,
    state: Option<State>,
    message: Message,
    failed: Option<InflateError>,
}

/// What is known of the message that is being inflated.
#[derive(Debug, Default)]
struct Message {
    received: usize,
    inflated: usize,
    /// A final block has been read; only an empty block may follow.
    ended: bool,
}

#[derive(Debug)]
struct State {
    stream: Decompress,
    _held: Reserved,
}

impl Inflater {
    /// An inflater that holds no state yet.
    ///
    /// Of `window` only the takeover matters. The window is always 32 KiB: zlib checks a distance against the
    /// window and what it has just written, so with a smaller one the verdict on a sender that reaches back too
    /// far would depend on how its bytes were cut into pieces.
    pub fn new(window: Window, limits: InflateLimits, budget: Arc<Budget>) -> Self {
        let message = Message::default();
        Self { takeover: window.takeover, limits, budget, state: None, message, failed: None }
    }

    /// Inflates the next piece of a message's payload and appends the result to `out`.
    pub fn inflate(&mut self, piece: &[u8], out: &mut Buffer) -> Result<(), InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.message.received = self.message.received.saturating_add(piece.len());
        self.run(piece, out).map_err(|error| self.fail(error))
    }

    /// Ends the message. A message that has had no payload at all is an empty one.
    pub fn finish(&mut self, out: &mut Buffer) -> Result<(), InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.message.received > 0 {
            self.finish_blocks(out).map_err(|error| self.fail(error))?;
        }
        self.message = Message::default();
        Ok(())
    }

    /// Gives the state's memory back where the next message does not need it; for a session that falls idle.
    pub fn release(&mut self) {
        if !self.takeover && self.message.received == 0 {
            self.state = None;
        }
    }

    fn fail(&mut self, error: InflateError) -> InflateError {
        self.state = None;
        self.failed = Some(error);
        error
    }

    fn run(&mut self, mut input: &[u8], out: &mut Buffer) -> Result<(), InflateError> {
        let state = match &mut self.state {
            Some(state) => state,
            empty => empty.insert(State::new(&self.budget)?),
        };
        loop {
            // One byte past the allowance is room enough to see that there is more.
            let room = self.message.allowance(&self.limits).saturating_sub(self.message.inflated);
            out.make_room(out.len().saturating_add(room).saturating_add(1))?;
            let step = state.step(input, out)?;
            input = input.get(step.consumed..).unwrap_or_default();
            self.message.inflated = self.message.inflated.saturating_add(step.written);
            self.message.check(step.written, &self.limits)?;
            match step.status {
                Status::StreamEnd if self.message.ended => return Err(InflateError::AfterFinalBlock),
                Status::StreamEnd => {
                    self.message.ended = true;
                    state.stream.reset(false);
                }
                Status::Ok | Status::BufError if out.has_room() => {
                    return if input.is_empty() { Ok(()) } else { Err(InflateError::Corrupt) };
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// RFC 7692 section 7.2.2: the payload ends in an empty stored block whose length fields were left out.
    fn finish_blocks(&mut self, out: &mut Buffer) -> Result<(), InflateError> {
        let inflated = self.message.inflated;
        match self.run(&TAIL, out) {
            Ok(()) if self.message.inflated == inflated => {}
            // The tail was taken for content: the payload stopped within a block.
            Ok(()) => return Err(InflateError::Truncated),
            Err(error) => return Err(error),
        }
        if let Some(state) = &mut self.state
            && (self.message.ended || !self.takeover)
        {
            state.stream.reset(false);
        }
        Ok(())
    }
}

impl Message {
    /// The bytes that may have been inflated at this point.
    fn allowance(&self, limits: &InflateLimits) -> usize {
        limits.max_message.min(limits.ratio_from.max(self.received.saturating_mul(limits.max_ratio)))
    }

    fn check(&self, written: usize, limits: &InflateLimits) -> Result<(), InflateError> {
        if self.ended && written > 0 {
            Err(InflateError::AfterFinalBlock)
        } else if self.inflated > limits.max_message {
            Err(InflateError::TooLarge(limits.max_message))
        } else if self.inflated > self.allowance(limits) {
            Err(InflateError::Ratio(limits.max_ratio))
        } else {
            Ok(())
        }
    }
}

struct Step {
    consumed: usize,
    written: usize,
    status: Status,
}

impl State {
    fn new(budget: &Arc<Budget>) -> Result<Self, InflateError> {
        let mut held = Reserved::new(Arc::clone(budget));
        if !held.grow_to(STATE_BYTES) {
            return Err(InflateError::NoMemory);
        }
        Ok(Self { stream: Decompress::new_with_window_bits(false, WindowBits::MAX.bits()), _held: held })
    }

    /// Inflates into the room that `out` has, without growing it.
    fn step(&mut self, input: &[u8], out: &mut Buffer) -> Result<Step, InflateError> {
        let (read, length) = (self.stream.total_in(), out.len());
        let status = self
            .stream
            .decompress_vec(input, out.spare(), FlushDecompress::None)
            .map_err(|_| InflateError::Corrupt)?;
        let consumed = usize::try_from(self.stream.total_in() - read).unwrap_or(usize::MAX);
        Ok(Step { consumed, written: out.len() - length, status })
    }
}

#[cfg(test)]
#[path = "inflater_tests.rs"]
mod tests;
