//! WebSocket frames with every bit in the test's own hand, legal or not.

/// Frame opcodes of RFC 6455, section 5.2.
pub mod opcode {
    /// Continues a message.
    pub const CONTINUATION: u8 = 0;
    /// Opens a text message.
    pub const TEXT: u8 = 1;
    /// Opens a binary message.
    pub const BINARY: u8 = 2;
    /// Closes the connection.
    pub const CLOSE: u8 = 8;
    /// Asks for a pong.
    pub const PING: u8 = 9;
    /// Answers a ping.
    pub const PONG: u8 = 10;
}

/// How a frame's length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LengthForm {
    /// As short as possible, as the RFC demands.
    #[default]
    Shortest,
    /// In the two-byte form, whatever the length.
    TwoBytes,
    /// In the eight-byte form, whatever the length.
    EightBytes,
    /// In the eight-byte form, claiming this length whatever the payload.
    Claimed(u64),
}

/// One frame. `payload` is what the peer is to understand: the mask is applied when the frame is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The FIN bit.
    pub fin: bool,
    /// The three RSV bits, RSV1 being 4.
    pub rsv: u8,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The masking key, if the MASK bit is set.
    pub mask: Option<[u8; 4]>,
    /// How the length is written.
    pub length: LengthForm,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole, unmasked message or control frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, rsv: 0, opcode, mask: None, length: LengthForm::Shortest, payload: payload.into() }
    }

    /// A whole text message.
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::TEXT, payload)
    }

    /// A whole binary message.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::BINARY, payload)
    }

    /// A ping.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::PING, payload)
    }

    /// A close frame with a code and a reason.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(opcode::CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The same, masked with this key, as a client must.
    pub fn masked(self, key: [u8; 4]) -> Self {
        Self { mask: Some(key), ..self }
    }

    /// The same without FIN: more of the message follows.
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// The same with these RSV bits.
    pub fn rsv(self, rsv: u8) -> Self {
        Self { rsv, ..self }
    }

    /// The same with its length written so.
    pub fn length(self, length: LengthForm) -> Self {
        Self { length, ..self }
    }

    /// A close frame's code; `None` for other frames and for a close without one.
    pub fn close_code(&self) -> Option<u16> {
        match (self.opcode, self.payload.as_slice()) {
            (opcode::CLOSE, [high, low, ..]) => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    /// The frame's bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + Header::LONGEST);
        let header = Header { fin: self.fin, rsv: self.rsv, opcode: self.opcode, mask: self.mask, length: 0 };
        header.write_with(self.length, self.payload.len() as u64, &mut out);
        let start = out.len();
        out.extend_from_slice(&self.payload);
        if let Some(key) = self.mask {
            apply_mask(&mut out[start..], key, 0);
        }
        out
    }

    /// Reads a frame off the front of `bytes`, with how many bytes it took; `None` if it is not there whole.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (header, start) = Header::parse(bytes)?;
        let end = start.checked_add(usize::try_from(header.length).ok()?)?;
        let mut payload = bytes.get(start..end)?.to_vec();
        if let Some(key) = header.mask {
            apply_mask(&mut payload, key, 0);
        }
        let Header { fin, rsv, opcode, mask, .. } = header;
        Some((Self { fin, rsv, opcode, mask, length: LengthForm::Shortest, payload }, end))
    }
}

/// A frame's header as read from the wire, believed whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The FIN bit.
    pub fin: bool,
    /// The three RSV bits, RSV1 being 4.
    pub rsv: u8,
    /// The opcode.
    pub opcode: u8,
    /// The masking key, if the MASK bit is set.
    pub mask: Option<[u8; 4]>,
    /// The payload's length.
    pub length: u64,
}

impl Header {
    /// Bytes of the longest header.
    pub const LONGEST: usize = 14;

    /// Reads a header, with its own length; `None` if it is not there whole.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
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
        Some((Self { fin: first & 0x80 != 0, rsv: first >> 4 & 7, opcode: first & 15, mask, length }, at))
    }

    /// Appends the header, its length in the shortest form.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_with(LengthForm::Shortest, self.length, out);
    }

    fn write_with(&self, form: LengthForm, length: u64, out: &mut Vec<u8>) {
        out.push(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode & 15);
        let mask_bit = u8::from(self.mask.is_some()) << 7;
        match (form, u8::try_from(length), u16::try_from(length)) {
            (LengthForm::Shortest, Ok(short @ ..=125), _) => out.push(mask_bit | short),
            (LengthForm::Shortest | LengthForm::TwoBytes, _, Ok(two)) => {
                out.push(mask_bit | 126);
                out.extend_from_slice(&two.to_be_bytes());
            }
            (form, ..) => {
                let claimed = if let LengthForm::Claimed(claimed) = form { claimed } else { length };
                out.push(mask_bit | 127);
                out.extend_from_slice(&claimed.to_be_bytes());
            }
        }
        out.extend_from_slice(self.mask.as_ref().map_or(&[], <[u8; 4]>::as_slice));
    }
}

/// Masks or unmasks bytes that stand `offset` bytes into their payload.
pub(super) fn apply_mask(bytes: &mut [u8], key: [u8; 4], offset: usize) {
    let mut key = key;
    key.rotate_left(offset % 4);
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        let mut value = [0; 8];
        value.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(value) ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let hello = Frame::text("Hello");
        assert_eq!(hello.bytes(), [0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let masked = hello.clone().masked([0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(masked.bytes(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert_eq!(Frame::parse(&masked.bytes()), Some((masked, 11)));
    }

    #[test]
    fn lengths_in_every_form_come_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let frame = Frame::binary(vec![7; length]).masked([1, 2, 3, 4]);
            assert_eq!(Frame::parse(&frame.bytes()), Some((frame.clone(), frame.bytes().len())));
            assert_eq!(Frame::parse(&frame.bytes()[..frame.bytes().len() - 1]), None);
        }
        assert_eq!(Frame::text("a").length(LengthForm::TwoBytes).bytes(), [0x81, 126, 0, 1, b'a']);
        assert_eq!(Frame::text("").length(LengthForm::Claimed(1 << 63)).bytes()[1..3], [127, 0x80]);
    }

    #[test]
    fn a_mask_goes_on_across_pieces() {
        let key = [9, 8, 7, 6];
        let whole: Vec<u8> = (0..100).collect();
        let mut at_once = whole.clone();
        apply_mask(&mut at_once, key, 0);
        let mut pieces = whole;
        let (first, rest) = pieces.split_at_mut(13);
        apply_mask(first, key, 0);
        apply_mask(rest, key, 13);
        assert_eq!(pieces, at_once);
    }
}
