//! Reads a proxy's frames and proves that every message came back whole, in order and unchanged.

use anyhow::{Result, bail, ensure};

use super::payload::Payload;
use crate::frame::{self, Head, HeadReader};

/// What a run of received bytes held.
#[derive(Default)]
pub(super) struct Taken {
    /// Complete messages, all verified.
    pub(super) messages: u32,
    /// A close frame came.
    pub(super) closed: bool,
    /// Payloads of pings to be answered.
    pub(super) pings: Vec<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Receiver {
    heads: HeadReader,
    frame: Option<Head>,
    left: u64,
    sequence: u32,
    position: usize,
    /// The current message's compression; none between messages.
    message: Option<bool>,
    assembled: Vec<u8>,
    control: Vec<u8>,
}

impl Receiver {
    pub(super) fn take(&mut self, mut input: &[u8], payload: &Payload, taken: &mut Taken) -> Result<()> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.heads.next(&mut input) {
                    Some(head) => self.open(head)?,
                    None => return Ok(()),
                },
            };
            let count = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
            let (piece, rest) = input.split_at(count);
            input = rest;
            self.left -= count as u64;
            self.take_piece(&frame, piece, payload)?;
            if self.left > 0 {
                return Ok(());
            }
            self.frame = None;
            self.end(&frame, payload, taken)?;
        }
    }

    fn open(&mut self, head: Head) -> Result<Head> {
        ensure!(head.mask.is_none(), "a server's frame is masked");
        if !head.is_control() {
            ensure!(self.message.is_some() == (head.opcode() == 0), "frames of a message are out of order");
            self.message.get_or_insert(head.is_compressed());
        } else {
            ensure!(head.length < 126, "a control frame is too long");
        }
        self.left = head.length;
        self.frame = Some(head);
        Ok(head)
    }

    fn take_piece(&mut self, frame: &Head, piece: &[u8], payload: &Payload) -> Result<()> {
        if frame.is_control() {
            self.control.extend_from_slice(piece);
        } else if payload.is_compressed() {
            ensure!(
                self.assembled.len() <= 2 * payload.size() + 1024,
                "message {} is too long",
                self.sequence
            );
            self.assembled.extend_from_slice(piece);
        } else {
            ensure!(
                payload.matches(self.sequence, self.position, piece),
                "message {} came back changed at byte {}",
                self.sequence,
                self.position
            );
            self.position += piece.len();
        }
        Ok(())
    }

    fn end(&mut self, frame: &Head, payload: &Payload, taken: &mut Taken) -> Result<()> {
        if frame.is_control() {
            let control = std::mem::take(&mut self.control);
            match frame.opcode() {
                frame::PING => taken.pings.push(control),
                frame::PONG => {}
                frame::CLOSE => taken.closed = true,
                other => bail!("unknown opcode {other}"),
            }
            return Ok(());
        }
        if !frame.is_final() {
            return Ok(());
        }
        let compressed = self.message.take().unwrap_or(false);
        if payload.is_compressed() {
            payload.check_packed(self.sequence, &self.assembled, compressed)?;
            self.assembled.clear();
        } else {
            ensure!(self.position == payload.size(), "message {} came back short", self.sequence);
            self.position = 0;
        }
        self.sequence = self.sequence.wrapping_add(1);
        taken.messages += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What an echo server answers to the messages 0..count, each cut into `frames` frames.
    fn answer(payload: &Payload, count: u32, frames: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for sequence in 0..count {
            let mut sent = Vec::new();
            payload.put(sequence, &mut sent);
            let (head, at) = frame::parse(&sent).unwrap();
            let mut body = sent.split_off(at);
            frame::apply_mask(&mut body, head.mask.unwrap(), 0);
            let pieces: Vec<&[u8]> = body.chunks(body.len().div_ceil(frames)).collect();
            for (index, piece) in pieces.iter().enumerate() {
                let opcode = if index == 0 { head.first & 0x7f } else { 0 };
                let fin = if index + 1 == pieces.len() { frame::FIN } else { 0 };
                frame::put(&mut out, opcode | fin, piece.len(), None);
                out.extend_from_slice(piece);
                frame::put(&mut out, frame::FIN | frame::PING, 2, None);
                out.extend_from_slice(b"hi");
            }
        }
        out
    }

    #[test]
    fn whole_fragmented_and_cut_messages_are_verified() {
        for (compressed, frames, step) in [(false, 1, 1), (false, 3, 7), (true, 1, 5), (true, 3, 4096)] {
            let payload = Payload::new(200, compressed).unwrap();
            let (mut receiver, mut taken) = (Receiver::default(), Taken::default());
            for piece in answer(&payload, 40, frames).chunks(step) {
                receiver.take(piece, &payload, &mut taken).unwrap();
            }
            assert_eq!((taken.messages, taken.pings.len()), (40, 40 * frames));
        }
    }

    #[test]
    fn a_lost_spoilt_or_repeated_message_is_seen() {
        let payload = Payload::new(100, false).unwrap();
        let good = answer(&payload, 3, 1);
        let one = good.len() / 3;
        let mut spoilt = good.clone();
        spoilt[one + 50] ^= 1;
        let repeated = [&good[..one], &good[..one]].concat();
        for bad in [&good[one..], &spoilt, &repeated] {
            assert!(Receiver::default().take(bad, &payload, &mut Taken::default()).is_err());
        }
    }
}
