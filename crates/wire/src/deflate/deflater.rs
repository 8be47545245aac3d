//! Deflates the messages of one direction.

use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};

use super::TAIL;
use super::buffer::{Buffer, NoMemory};
use super::window::{Window, WindowBits};
use crate::{Budget, CloseCode, Reserved};

/// Why a message cannot be deflated; the session must close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeflateError {
    /// The memory for all compression is spent.
    #[error("the memory for compression is used up")]
    NoMemory,
    /// The compressor broke its own contract; the fault is ours.
    #[error("the compressor failed")]
    Backend,
}

impl From<NoMemory> for DeflateError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl DeflateError {
    /// The code to close with (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::NoMemory => CloseCode::TRY_AGAIN,
            Self::Backend => CloseCode::INTERNAL,
        }
    }

    /// The metric label.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoMemory => "no_memory",
            Self::Backend => "backend",
        }
    }
}

/// How much work goes into compression: 1, fast, to 9, small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// The least work that still compresses, which suits traffic that passes through.
    pub const FAST: Self = Self(1);

    /// The level `level`, if it is 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        if 1 <= level && level <= 9 { Some(Self(level)) } else { None }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::FAST
    }
}

/// Deflates the messages of one direction of a session.
///
/// The state is allocated with the first payload byte and counts against the budget.
#[derive(Debug)]
pub struct Deflater {
    window: Window,
    level: Level,
    budget: Arc<Budget>,
    state: Option<State>,
    /// The message has had payload.
    begun: bool,
    failed: Option<DeflateError>,
}

#[derive(Debug)]
struct State {
    stream: Compress,
    _held: Reserved,
}

impl Deflater {
    /// A deflater that holds no state yet.
    pub fn new(window: Window, level: Level, budget: Arc<Budget>) -> Self {
        Self { window, level, budget, state: None, begun: false, failed: None }
    }

    /// Deflates the next piece of a message's payload; what is ready of the result is appended to `out`.
    pub fn deflate(&mut self, piece: &[u8], out: &mut Buffer) -> Result<(), DeflateError> {
        if piece.is_empty() {
            return self.failed.map_or(Ok(()), Err);
        }
        self.begun = true;
        self.run(piece, FlushCompress::None, out)
    }

    /// Ends the message and appends the rest of it to `out`.
    pub fn finish(&mut self, out: &mut Buffer) -> Result<(), DeflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !std::mem::take(&mut self.begun) {
            // RFC 7692 section 7.2.3.6: the header of an empty stored block. The window stays as it is.
            out.make_room(usize::MAX).map_err(|error| self.fail(error.into()))?;
            out.spare().push(0x00);
            return Ok(());
        }
        let start = out.len();
        self.run(&[], FlushCompress::Sync, out)?;
        let tail_at = out.len().saturating_sub(TAIL.len());
        if tail_at < start || !out.ends_with(&TAIL) {
            return Err(self.fail(DeflateError::Backend));
        }
        out.spare().truncate(tail_at);
        if let Some(state) = &mut self.state
            && !self.window.takeover
        {
            state.stream.reset();
        }
        Ok(())
    }

    /// Gives the state's memory back where the next message does not need it; for a session that falls idle.
    pub fn release(&mut self) {
        if !self.window.takeover && !self.begun {
            self.state = None;
        }
    }

    fn fail(&mut self, error: DeflateError) -> DeflateError {
        self.state = None;
        self.failed = Some(error);
        error
    }

    fn run(&mut self, input: &[u8], flush: FlushCompress, out: &mut Buffer) -> Result<(), DeflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.steps(input, flush, out).map_err(|error| self.fail(error))
    }

    fn steps(
        &mut self,
        mut input: &[u8],
        flush: FlushCompress,
        out: &mut Buffer,
    ) -> Result<(), DeflateError> {
        let state = match &mut self.state {
            Some(state) => state,
            empty => empty.insert(State::new(self.window.bits, self.level, &self.budget)?),
        };
        loop {
            out.make_room(usize::MAX)?;
            let read = state.stream.total_in();
            state.stream.compress_vec(input, out.spare(), flush).map_err(|_| DeflateError::Backend)?;
            let consumed = usize::try_from(state.stream.total_in() - read).unwrap_or(usize::MAX);
            input = input.get(consumed..).unwrap_or_default();
            // Room left over means that all input is taken and all that was to be flushed is written.
            if out.has_room() {
                return if input.is_empty() { Ok(()) } else { Err(DeflateError::Backend) };
            }
        }
    }
}

impl State {
    fn new(bits: WindowBits, level: Level, budget: &Arc<Budget>) -> Result<Self, DeflateError> {
        let mut held = Reserved::new(Arc::clone(budget));
        if !held.grow_to(state_bytes(bits)) {
            return Err(DeflateError::NoMemory);
        }
        let level = Compression::new(u32::from(level.0));
        Ok(Self { stream: Compress::new_with_window_bits(level, false, bits.bits()), _held: held })
    }
}

/// What a deflating state takes, in bytes: two windows, a chain link of 2 bytes for each byte of a window, and
/// the hash heads and symbol buffers.
const fn state_bytes(bits: WindowBits) -> usize {
    (4 << bits.bits()) + 248 * 1024
}

#[cfg(test)]
#[path = "deflater_tests.rs"]
mod tests;
