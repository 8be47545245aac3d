//! The little of RFC 6455 framing that load and echo need; on purpose not the gateway's own codec.

use std::fmt;

pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;

const LONGEST_HEAD: usize = 14;

/// A frame's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) first: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// Payload bytes that follow.
    pub(crate) length: u64,
}

impl Head {
    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn is_final(&self) -> bool {
        self.first & FIN != 0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.first & RSV1 != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }
}

/// The header at the start of `bytes` and its size, or nothing while it is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Head, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        mask = Some(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
    }
    Some((Head { first, mask, length }, at))
}

/// Appends a frame header.
pub(crate) fn put(out: &mut Vec<u8>, first: u8, length: usize, mask: Option<[u8; 4]>) {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    if length < 126 {
        out.push(masked | length as u8);
    } else if let Ok(short) = u16::try_from(length) {
        out.push(masked | 126);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
}

/// Masks or unmasks `bytes`, which begin `offset` bytes into their payload.
pub(crate) fn apply_mask(bytes: &mut [u8], mut mask: [u8; 4], offset: usize) {
    mask.rotate_left(offset % 4);
    let word = u32::from_ne_bytes(mask);
    let wide = u64::from(word) << 32 | u64::from(word);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(value) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(value) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Reads headers from a stream that may cut them anywhere.
#[derive(Default)]
pub(crate) struct HeadReader {
    held: [u8; LONGEST_HEAD],
    length: usize,
}

impl HeadReader {
    /// Takes the next header off the front of `input`; keeps what is there of an incomplete one.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Head> {
        if self.length == 0
            && let Some((head, size)) = parse(input)
        {
            *input = &input[size..];
            return Some(head);
        }
        while let [byte, rest @ ..] = *input {
            self.held[self.length] = *byte;
            self.length += 1;
            *input = rest;
            if let Some((head, _)) = parse(&self.held[..self.length]) {
                self.length = 0;
                return Some(head);
            }
        }
        None
    }
}

impl fmt::Debug for HeadReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeadReader").field(&&self.held[..self.length]).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers_survive_every_cut() {
        for length in [0, 125, 126, 65_535, 65_536] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut bytes = Vec::new();
                put(&mut bytes, FIN | 2, length, mask);
                for cut in 0..=bytes.len() {
                    let mut reader = HeadReader::default();
                    let (mut one, mut two) = bytes.split_at(cut);
                    let head = reader.next(&mut one).or_else(|| reader.next(&mut two)).unwrap();
                    assert_eq!((head.length, head.mask, head.first), (length as u64, mask, FIN | 2));
                }
            }
        }
    }

    #[test]
    fn masking_in_pieces_is_masking_whole() {
        let plain: Vec<u8> = (0..=255).collect();
        let mut whole = plain.clone();
        apply_mask(&mut whole, [9, 8, 7, 6], 0);
        for cut in 0..plain.len() {
            let mut pieces = plain.clone();
            let (one, two) = pieces.split_at_mut(cut);
            apply_mask(one, [9, 8, 7, 6], 0);
            apply_mask(two, [9, 8, 7, 6], cut);
            assert_eq!(pieces, whole);
        }
    }
}
