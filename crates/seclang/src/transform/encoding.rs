//! Base64, hexadecimal digits and hashes.

use sha1::{Digest, Sha1};

use super::{digit, pair};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Up to what is no base64; or, `lenient`, without what is none.
pub(super) fn base64_decode(text: &[u8], lenient: bool, out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0u32, 0);
    for &byte in text {
        let Some(value) = sextet(byte) else {
            match lenient {
                true => continue,
                false => break,
            }
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
}

pub(super) fn base64_encode(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            match place <= chunk.len() {
                true => out.push(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]),
                false => out.push(b'='),
            }
        }
    }
}

pub(super) fn hex_decode(text: &[u8], out: &mut Vec<u8>) {
    let value = |byte: u8| digit(byte).unwrap_or(0);
    out.extend(text.chunks_exact(2).map(|two| value(two[0]) << 4 | value(two[1])));
}

pub(super) fn hex_encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(text.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

pub(super) fn sha1(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&Sha1::digest(text));
}

/// `0x41` and the like, at least one pair of digits.
pub(super) fn sql_hex_decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.strip_prefix(b"x").or_else(|| behind.strip_prefix(b"X"));
        match digits {
            Some(mut digits) if first == b'0' && pair(digits).is_some() => {
                while let Some(byte) = pair(digits) {
                    out.push(byte);
                    digits = &digits[2..];
                }
                rest = digits;
            }
            _ => {
                out.push(first);
                rest = behind;
            }
        }
    }
}
