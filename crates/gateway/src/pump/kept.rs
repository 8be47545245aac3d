//! What of a read goes on.

use wicketgate_policy::Forward;
use wicketgate_wire::Piece;

use super::buffer::{Buffer, Outgoing};

/// What of a read goes on: its bytes, moved together where something between them does not, or behind
/// a message that was put together from earlier reads.
#[derive(Debug, Default)]
pub(super) struct Kept {
    to: usize,
    made: Vec<u8>,
}

impl Kept {
    /// Has bytes of the buffer go on, behind what goes on already.
    pub(super) fn keep(&mut self, buffer: &mut [u8], start: usize, end: usize) {
        if !self.made.is_empty() {
            self.made.extend_from_slice(&buffer[start..end]);
            return;
        }
        if start != self.to {
            buffer.copy_within(start..end, self.to);
        }
        self.to += end - start;
    }

    /// A message needs a verdict to go on.
    pub(super) fn keep_message(&mut self, buffer: &mut [u8], piece: &Piece, _verdict: Forward) {
        self.keep(buffer, piece.whole.start, piece.whole.end);
    }

    /// Frames that are not in the buffer.
    pub(super) fn keep_made(&mut self, frames: Vec<u8>, _verdict: Forward) {
        match self.made.is_empty() {
            true => self.made = frames,
            false => self.made.extend_from_slice(&frames),
        }
    }

    /// What goes on where nothing of a buffer does.
    pub(super) fn into_made(self) -> Outgoing {
        match self.made.is_empty() {
            true => Outgoing::Empty,
            false => Outgoing::Made { bytes: self.made, from: 0 },
        }
    }

    /// What goes on.
    pub(super) fn into_outgoing(self, buffer: Buffer) -> Outgoing {
        let Self { to, mut made } = self;
        match (made.is_empty(), to) {
            (true, 0) => Outgoing::Empty,
            (true, to) => Outgoing::Read { buffer, from: 0, to },
            (false, 0) => Outgoing::Made { bytes: made, from: 0 },
            (false, to) => {
                made.splice(..0, buffer[..to].iter().copied());
                Outgoing::Made { bytes: made, from: 0 }
            }
        }
    }
}
