//! Encodings of addresses and pages.

use super::{digit, pair, quad};

pub(super) fn url_decode(text: &[u8], out: &mut Vec<u8>) {
    decode(text, false, out);
}

/// Also knows `%uHHHH`.
pub(super) fn url_decode_uni(text: &[u8], out: &mut Vec<u8>) {
    decode(text, true, out);
}

/// Undoes `%HH` alone, as in a path.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        match pair(behind).filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
}

fn decode(text: &[u8], unicode: bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, length) = match (first, behind.first()) {
            (b'+', _) => (b' ', 0),
            (b'%', Some(b'u' | b'U')) if unicode => match quad(&behind[1..]) {
                Some(byte) => (byte, 5),
                None => (b'%', 0),
            },
            (b'%', _) => match pair(behind) {
                Some(byte) => (byte, 2),
                None => (b'%', 0),
            },
            _ => (first, 0),
        };
        out.push(byte);
        rest = &behind[length..];
    }
}

pub(super) fn url_encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte),
            _ => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

/// Numbers of characters, of which the last byte counts, and five names. The semicolon may be missing.
pub(super) fn html_entities(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        match (first == b'&').then(|| entity(behind)).flatten() {
            Some((byte, length)) => {
                out.push(byte);
                rest = &behind[length..];
                rest = rest.strip_prefix(b";").unwrap_or(rest);
            }
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
}

/// The byte of an entity, and how long it is behind its `&`.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    if let Some(number) = text.strip_prefix(b"#") {
        let hex = number.strip_prefix(b"x").or_else(|| number.strip_prefix(b"X"));
        let (digits, base, before) = match hex {
            Some(digits) => (digits, 16, 2),
            None => (number, 10, 1),
        };
        let is_digit = |byte: &u8| digit(*byte).is_some_and(|value| value < base);
        let count = digits.iter().take_while(|byte| is_digit(byte)).count();
        let value = digits[..count].iter().filter_map(|byte| digit(*byte));
        let value = value.fold(0u64, |all, digit| {
            all.saturating_mul(base.into()).saturating_add(digit.into()).min(i64::MAX as u64)
        });
        return (count > 0).then_some(((value & 0xff) as u8, before + count));
    }
    let count = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let byte = match text[..count].to_ascii_lowercase().as_slice() {
        b"quot" => b'"',
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"nbsp" => 0xa0,
        _ => return None,
    };
    Some((byte, count))
}

/// Characters beyond ASCII become `%uHHHH`; what is no UTF-8 stays.
pub(super) fn utf8_to_unicode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let length = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let character = rest.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        match character.and_then(|text| text.chars().next()) {
            Some(character) if length > 1 => {
                out.extend_from_slice(format!("%u{:04x}", u32::from(character)).as_bytes());
                rest = &rest[length..];
            }
            _ => {
                out.push(first);
                rest = behind;
            }
        }
    }
}
