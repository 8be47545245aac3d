//! CBOR (RFC 8949): heads and values.

use std::ops::Range;

use super::{Head, Packed};
use crate::rewrite::NewValue;

/// CBOR.
#[derive(Debug)]
pub(in crate::rewrite) struct Cbor;

// Major types (RFC 8949 section 3.1), in the upper three bits.
const POSITIVE: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const TAG: u8 = 6;
/// In the lower five bits: no length is given.
const INDEFINITE: u8 = 31;

impl Packed for Cbor {
    fn head(payload: &[u8], at: Range<usize>) -> Option<Head> {
        let mut start = at.start;
        loop {
            let first = *payload.get(start)?;
            let more = match first & 31 {
                0..24 | INDEFINITE => 0,
                24 => 1,
                25 => 2,
                26 => 4,
                27 => 8,
                _ => return None,
            };
            let end = start + 1 + more;
            if first >> 5 != TAG {
                return Some(Head { start, end, counts: first & 31 != INDEFINITE });
            }
            start = end;
        }
    }

    fn recount(payload: &[u8], head: Head, count: usize) -> Option<Vec<u8>> {
        let first = *payload.get(head.start)?;
        Some(number(first & 0xe0, count as u64, head.end.checked_sub(head.start)?))
    }

    fn write(value: &NewValue, out: &mut Vec<u8>) {
        match value {
            NewValue::Null => out.push(0xf6),
            NewValue::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            NewValue::Int(value @ 0..) => out.extend(number(POSITIVE, value.unsigned_abs(), 1)),
            NewValue::Int(value) => out.extend(number(NEGATIVE, !*value as u64, 1)),
            NewValue::Uint(value) => out.extend(number(POSITIVE, *value, 1)),
            NewValue::Float(value) => {
                out.push(0xfb);
                out.extend_from_slice(&value.to_be_bytes());
            }
            NewValue::Text(text) => {
                out.extend(number(TEXT, text.len() as u64, 1));
                out.extend_from_slice(text.as_bytes());
            }
            NewValue::Bytes(bytes) => {
                out.extend(number(BYTES, bytes.len() as u64, 1));
                out.extend_from_slice(bytes);
            }
            NewValue::List(values) => {
                out.extend(number(ARRAY, values.len() as u64, 1));
                values.iter().for_each(|value| Self::write(value, out));
            }
            NewValue::Map(named) => {
                out.extend(number(MAP, named.len() as u64, 1));
                for (name, value) in named {
                    out.extend(number(TEXT, name.len() as u64, 1));
                    out.extend_from_slice(name.as_bytes());
                    Self::write(value, out);
                }
            }
        }
    }
}

/// A number under a major type, in `least` bytes or more.
fn number(major: u8, number: u64, least: usize) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    match number {
        0..24 if least <= 1 => vec![major | number as u8],
        0..0x100 if least <= 2 => vec![major | 24, number as u8],
        0..0x1_0000 if least <= 3 => [&[major | 25], &bytes[6..]].concat(),
        0..0x1_0000_0000 if least <= 5 => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}
