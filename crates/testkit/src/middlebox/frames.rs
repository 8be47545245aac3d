//! One direction's frames, given other masks and other borders.

use anyhow::{Result, bail, ensure};

use super::faults::{Borders, Masking};
use crate::raw::{Frame, opcode};

/// Who sends the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// What has come of a direction and what it becomes.
pub(super) struct Frames {
    sender: Sender,
    masking: Masking,
    borders: Borders,
    input: Vec<u8>,
    /// Payload that stands in no frame yet.
    payload: Vec<u8>,
    /// Data frames that were made.
    made: u32,
    key: u32,
}

/// Frames of a message that is made anew.
const FRAGMENTS: u32 = 3;

impl Frames {
    pub(super) fn new(sender: Sender, masking: Masking, borders: Borders) -> Self {
        Self { sender, masking, borders, input: Vec::new(), payload: Vec::new(), made: 0, key: 0x5EED }
    }

    /// What goes on of these bytes; what is not a whole frame yet waits.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let untouched = self.sender == Sender::Server || self.masking == Masking::Preserve;
        if untouched && self.borders == Borders::Keep {
            return Ok(bytes.to_vec());
        }
        self.input.extend_from_slice(bytes);
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some((frame, length)) = Frame::parse(&self.input[at..]) {
            at += length;
            self.take(frame, &mut out)?;
        }
        self.input.drain(..at);
        self.empty(1, &mut out);
        Ok(out)
    }

    fn take(&mut self, frame: Frame, out: &mut Vec<u8>) -> Result<()> {
        ensure!(frame.rsv == 0, "a frame of an extension that was not agreed to");
        ensure!(frame.mask.is_some() == (self.sender == Sender::Client), "a frame masked by the wrong side");
        match (self.borders, frame.opcode) {
            (Borders::Every(size), opcode::BINARY | opcode::CONTINUATION) => {
                self.payload.extend_from_slice(&frame.payload);
                self.empty(size, out);
            }
            (Borders::Every(_), opcode::TEXT) => bail!("a text message, where bytes were expected"),
            _ => {
                // What was sent before it goes before it.
                self.empty(1, out);
                self.make(frame, out);
            }
        }
        Ok(())
    }

    /// Makes frames of the payload until fewer than `least` bytes are left.
    fn empty(&mut self, least: usize, out: &mut Vec<u8>) {
        let Borders::Every(size) = self.borders else { return };
        let mut payload = std::mem::take(&mut self.payload);
        while payload.len() >= least.max(1) {
            let rest = payload.split_off(size.min(payload.len()));
            let first = self.made.is_multiple_of(FRAGMENTS);
            if !first {
                self.make(Frame::ping("between"), out);
            }
            let opcode = if first { opcode::BINARY } else { opcode::CONTINUATION };
            let fin = self.made % FRAGMENTS == FRAGMENTS - 1;
            self.make(Frame { fin, ..Frame::new(opcode, payload) }, out);
            self.made = self.made.wrapping_add(1);
            payload = rest;
        }
        self.payload = payload;
    }

    fn make(&mut self, frame: Frame, out: &mut Vec<u8>) {
        self.key = self.key.wrapping_mul(0x9E37_79B1).wrapping_add(1);
        let masked = self.sender == Sender::Client && self.masking != Masking::Unmask;
        out.extend(Frame { mask: masked.then_some(self.key.to_be_bytes()), ..frame }.bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    fn parse(mut bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some((frame, length)) = Frame::parse(bytes) {
            frames.push(frame);
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty(), "half a frame");
        frames
    }

    #[test]
    fn masks_are_preserved_changed_or_taken_off() {
        let sent = Frame::binary(&b"abc"[..]).masked(KEY);
        for masking in [Masking::Preserve, Masking::Remask, Masking::Unmask] {
            let out = Frames::new(Sender::Client, masking, Borders::Keep).pass(&sent.bytes()).unwrap();
            let frames = parse(&out);
            assert_eq!((frames.len(), &*frames[0].payload), (1, &b"abc"[..]));
            match masking {
                Masking::Preserve => assert_eq!(frames[0].mask, Some(KEY)),
                Masking::Remask => assert!(frames[0].mask.is_some_and(|key| key != KEY)),
                Masking::Unmask => assert_eq!(frames[0].mask, None),
            }
        }
    }

    #[test]
    fn frames_are_split_and_merged_with_pings_between_and_before_a_close() {
        let sent: Vec<u8> = [&b"abcd"[..], b"e", b"fghij"]
            .into_iter()
            .flat_map(|payload| Frame::binary(payload).bytes())
            .chain(Frame::close(1000, "").bytes())
            .collect();
        let mut frames = Frames::new(Sender::Server, Masking::Preserve, Borders::Every(3));
        let made = parse(&frames.pass(&sent).unwrap());
        let data: Vec<&Frame> = made.iter().filter(|frame| frame.opcode < 8).collect();
        let lengths: Vec<usize> = data.iter().map(|frame| frame.payload.len()).collect();
        assert_eq!(lengths, [3, 3, 3, 1]);
        assert_eq!(data.iter().flat_map(|frame| frame.payload.clone()).collect::<Vec<_>>(), b"abcdefghij");
        let shapes: Vec<(u8, bool)> = data.iter().map(|frame| (frame.opcode, frame.fin)).collect();
        assert_eq!(shapes, [(2, false), (0, false), (0, true), (2, false)]);
        assert_eq!(made.iter().filter(|frame| frame.opcode == opcode::PING).count(), 2);
        assert_eq!(made.last().and_then(Frame::close_code), Some(1000));
        // What comes byte by byte is not kept waiting to be merged.
        let mut frames = Frames::new(Sender::Server, Masking::Preserve, Borders::Every(3));
        let out: Vec<u8> = sent.iter().flat_map(|byte| frames.pass(&[*byte]).unwrap()).collect();
        let payload =
            parse(&out).into_iter().filter(|frame| frame.opcode < 8).flat_map(|frame| frame.payload);
        assert_eq!(payload.collect::<Vec<_>>(), b"abcdefghij");
    }

    #[test]
    fn compression_that_nobody_agreed_to_is_told() {
        let mut frames = Frames::new(Sender::Client, Masking::Remask, Borders::Keep);
        frames.pass(&Frame::binary(&b"abc"[..]).masked(KEY).rsv(4).bytes()).unwrap_err();
    }
}
