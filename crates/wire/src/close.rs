//! Close codes and the body of close frames (RFC 6455 sections 5.5.1 and 7.4).

use crate::{EncodedHeader, Header, Opcode, Rsv, Violation, mask};

/// A status code of the close handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// An endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// A protocol violation.
    pub const PROTOCOL: Self = Self(1002);
    /// A type of message that is not accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// No code was in the close frame; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// The connection ended without a close frame; never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// Data that does not fit its type: text that is not UTF-8, compressed data that cannot be inflated.
    pub const INVALID_DATA: Self = Self(1007);
    /// A rule or a rate was broken.
    pub const POLICY: Self = Self(1008);
    /// A message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// The server met something unexpected.
    pub const INTERNAL: Self = Self(1011);
    /// The service restarts; connect again.
    pub const RESTART: Self = Self(1012);
    /// The service is overloaded; try again later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// Whether the code may stand in a close frame (section 7.4, and the registry of section 11.7).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// The body of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// The code; `None` where the body was empty.
    pub code: Option<CloseCode>,
    /// The reason, at most 123 bytes.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// The longest frame that `write` makes: header, mask and 125 bytes.
    pub const MAX_FRAME: usize = 2 + 4 + 125;

    /// Reads the unmasked body of a close frame.
    ///
    /// # Errors
    /// A body of one byte, a code that must not be sent, a reason that is not UTF-8.
    pub fn parse(body: &'a [u8]) -> Result<Self, Violation> {
        match body {
            [] => Ok(Self { code: None, reason: "" }),
            [_] => Err(Violation::CloseTooShort),
            [high, low, reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !code.may_be_sent() {
                    return Err(Violation::CloseCode(code.0));
                }
                let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
                Ok(Self { code: Some(code), reason })
            }
        }
    }

    /// Appends a whole close frame to `out`, masked where a key is given; a reason over 123 bytes is
    /// cut at a character.
    pub fn write(&self, key: Option<[u8; 4]>, out: &mut Vec<u8>) {
        let mut reason_len = self.reason.len().min(123);
        while !self.reason.is_char_boundary(reason_len) {
            reason_len -= 1;
        }
        let mut body = Vec::with_capacity(2 + reason_len);
        if let Some(code) = self.code {
            body.extend_from_slice(&code.0.to_be_bytes());
            body.extend_from_slice(&self.reason.as_bytes()[..reason_len]);
        }
        write_control(Opcode::Close, key, &body, out);
    }
}

/// Appends a whole control frame to `out`; a body over 125 bytes is cut.
pub fn write_control(opcode: Opcode, key: Option<[u8; 4]>, body: &[u8], out: &mut Vec<u8>) {
    let body = &body[..body.len().min(125)];
    let header = Header { fin: true, rsv: Rsv::NONE, opcode, mask: key, length: body.len() as u64 };
    let encoded: EncodedHeader = header.encode();
    out.extend_from_slice(&encoded);
    let start = out.len();
    out.extend_from_slice(body);
    if let Some(key) = key {
        mask::apply(&mut out[start..], key, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_judged() {
        assert_eq!(Close::parse(b""), Ok(Close { code: None, reason: "" }));
        assert_eq!(Close::parse(b"\x03\xe8bye"), Ok(Close { code: Some(CloseCode::NORMAL), reason: "bye" }));
        assert_eq!(Close::parse(b"\x03"), Err(Violation::CloseTooShort));
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(Close::parse(&code.to_be_bytes()), Err(Violation::CloseCode(code)));
        }
        assert_eq!(Close::parse(b"\x03\xe8\xff"), Err(Violation::InvalidUtf8));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let reason = "é".repeat(100);
        let mut frame = Vec::new();
        Close { code: Some(CloseCode::POLICY), reason: &reason }.write(None, &mut frame);
        assert!(frame.len() <= Close::MAX_FRAME);
        assert!(Close::parse(&frame[2..]).is_ok_and(|c| c.reason.len() == 122));
    }
}
