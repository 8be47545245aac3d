//! Frame headers (RFC 6455 section 5.2), parsed and written in place.

use crate::Violation;

/// What a frame is (RFC 6455 section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// The first or only frame of a text message.
    Text = 0x1,
    /// The first or only frame of a binary message.
    Binary = 0x2,
    /// The close handshake.
    Close = 0x8,
    /// A request for a pong.
    Ping = 0x9,
    /// The answer to a ping, or a heartbeat of its own.
    Pong = 0xA,
}

impl Opcode {
    /// Whether this is a control frame: unfragmented, at most 125 bytes (RFC 6455 section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    const fn from_bits(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return Err(Violation::UnknownOpcode(bits)),
        })
    }
}

/// The three reserved bits of a header, as they stand in its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit.
    pub const NONE: Self = Self(0);
    /// RSV1: with permessage-deflate, this message is compressed (RFC 7692 section 6).
    pub const RSV1: Self = Self(0x40);
    /// All three.
    pub const ALL: Self = Self(0x70);

    /// Whether every bit that is set here is set in `allowed` too.
    pub const fn is_within(self, allowed: Self) -> bool {
        self.0 & !allowed.0 == 0
    }

    /// Whether RSV1 is set.
    pub const fn has_rsv1(self) -> bool {
        self.0 & Self::RSV1.0 != 0
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; present on exactly the frames that a client sends.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes, at most 2^63 - 1.
    pub length: u64,
}

impl Header {
    /// The longest header: two bytes, eight of length, four of mask.
    pub const MAX_LEN: usize = 14;

    /// Reads a header from the start of `bytes`: the header and its own length in bytes, or `None`
    /// where more bytes are needed.
    ///
    /// # Errors
    /// An unknown opcode, a length that is not in its shortest form or has its top bit set, a control
    /// frame that is fragmented or longer than 125 bytes.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::from_bits(first & 0x0F)?;
        let fin = first & 0x80 != 0;
        let short = second & 0x7F;
        if opcode.is_control() {
            if !fin {
                return Err(Violation::FragmentedControl);
            }
            if short > 125 {
                return Err(Violation::ControlTooLong);
            }
        }
        let (length, rest, mut used) = match short {
            126 => {
                let Some((extended, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                let length = u64::from(u16::from_be_bytes(*extended));
                if length < 126 {
                    return Err(Violation::LengthNotMinimal);
                }
                (length, rest, 4)
            }
            127 => {
                let Some((extended, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                let length = u64::from_be_bytes(*extended);
                if length <= u64::from(u16::MAX) {
                    return Err(Violation::LengthNotMinimal);
                }
                if length >> 63 != 0 {
                    return Err(Violation::LengthOverflow);
                }
                (length, rest, 10)
            }
            short => (u64::from(short), rest, 2),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(key) = rest.first_chunk::<4>() else { return Ok(None) };
            used += 4;
            Some(*key)
        };
        Ok(Some((Self { fin, rsv: Rsv(first & 0x70), opcode, mask, length }, used)))
    }

    /// The header's bytes, its length in the shortest form.
    pub fn encode(&self) -> EncodedHeader {
        let mut bytes = [0; Self::MAX_LEN];
        bytes[0] = u8::from(self.fin) << 7 | self.rsv.0 | self.opcode as u8;
        let masked = u8::from(self.mask.is_some()) << 7;
        let mut used = match self.length {
            short @ 0..=125 => {
                bytes[1] = masked | short as u8;
                2
            }
            medium @ 126..=0xFFFF => {
                bytes[1] = masked | 126;
                bytes[2..4].copy_from_slice(&(medium as u16).to_be_bytes());
                4
            }
            long => {
                bytes[1] = masked | 127;
                bytes[2..10].copy_from_slice(&long.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.mask {
            bytes[used..used + 4].copy_from_slice(&key);
            used += 4;
        }
        EncodedHeader { bytes, used: used as u8 }
    }
}

/// A header as it goes on the wire; reads as its bytes.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; Header::MAX_LEN],
    used: u8,
}

impl std::ops::Deref for EncodedHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.used)]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        Header::parse(bytes)
    }

    #[test]
    fn every_prefix_asks_for_more() {
        let header = Header {
            fin: true,
            rsv: Rsv::RSV1,
            opcode: Opcode::Binary,
            mask: Some([1, 2, 3, 4]),
            length: 70_000,
        };
        let encoded = header.encode();
        for n in 0..encoded.len() {
            assert_eq!(parse(&encoded[..n]), Ok(None));
        }
        assert_eq!(parse(&encoded), Ok(Some((header, 14))));
    }

    #[test]
    fn lengths_round_trip_at_their_borders() {
        for length in [0, 1, 125, 126, 65_535, 65_536, u64::MAX >> 1] {
            for mask in [None, Some([9, 8, 7, 6])] {
                let header = Header { fin: false, rsv: Rsv::NONE, opcode: Opcode::Text, mask, length };
                let encoded = header.encode();
                assert_eq!(parse(&encoded), Ok(Some((header, encoded.len()))));
            }
        }
    }

    #[test]
    fn violations_are_named() {
        assert_eq!(parse(&[0x83, 0]), Err(Violation::UnknownOpcode(3)));
        assert_eq!(parse(&[0x8F, 0]), Err(Violation::UnknownOpcode(15)));
        assert_eq!(parse(&[0x09, 0]), Err(Violation::FragmentedControl));
        assert_eq!(parse(&[0x89, 126]), Err(Violation::ControlTooLong));
        assert_eq!(parse(&[0x81, 126, 0, 125]), Err(Violation::LengthNotMinimal));
        assert_eq!(parse(&[0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255]), Err(Violation::LengthNotMinimal));
        assert_eq!(parse(&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(Violation::LengthOverflow));
    }
}
