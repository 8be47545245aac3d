//! MessagePack: heads and values.

use std::ops::Range;

use super::{Head, Packed};
use crate::rewrite::NewValue;

/// MessagePack.
#[derive(Debug)]
pub(in crate::rewrite) struct Msgpack;

impl Packed for Msgpack {
    fn head(payload: &[u8], at: Range<usize>) -> Option<Head> {
        let more = match payload.get(at.start)? {
            0xc4 | 0xd9 => 1,
            0xc5 | 0xda | 0xdc | 0xde => 2,
            0xc6 | 0xdb | 0xdd | 0xdf => 4,
            // The type of an extension is part of its bytes, and its length is that of the rest: written anew as a whole.
            0xc7..=0xc9 | 0xd4..=0xd8 => return Some(Head { start: at.start, end: at.start, counts: false }),
            _ => 0,
        };
        Some(Head { start: at.start, end: at.start + 1 + more, counts: true })
    }

    fn recount(payload: &[u8], head: Head, count: usize) -> Option<Vec<u8>> {
        let marker = *payload.get(head.start)?;
        let few = |start: u8, most: usize| (count <= most).then(|| vec![start | count as u8]);
        let one = |marker: u8| u8::try_from(count).ok().map(|count| vec![marker, count]);
        let two = |marker: u8| u16::try_from(count).ok().map(|count| with(marker, &count.to_be_bytes()));
        let four = |marker: u8| u32::try_from(count).ok().map(|count| with(marker, &count.to_be_bytes()));
        let short = || match marker {
            0x80..=0x8f => few(0x80, 15),
            0x90..=0x9f => few(0x90, 15),
            0xa0..=0xbf => few(0xa0, 31),
            0xc4 | 0xd9 => one(marker),
            0xc5 | 0xda | 0xdc | 0xde => two(marker),
            _ => None,
        };
        let longer = || match marker {
            0x80..=0x8f | 0xde | 0xdf => two(0xde).filter(|_| marker != 0xdf).or_else(|| four(0xdf)),
            0x90..=0x9f | 0xdc | 0xdd => two(0xdc).filter(|_| marker != 0xdd).or_else(|| four(0xdd)),
            0xa0..=0xbf => one(0xd9).or_else(|| two(0xda)).or_else(|| four(0xdb)),
            0xd9 | 0xda => two(0xda).or_else(|| four(0xdb)),
            0xdb => four(0xdb),
            0xc4 | 0xc5 => two(0xc5).or_else(|| four(0xc6)),
            0xc6 => four(0xc6),
            _ => None,
        };
        short().or_else(longer)
    }

    fn write(value: &NewValue, out: &mut Vec<u8>) {
        // A vector takes whatever is written.
        let _ = match value {
            NewValue::Null => rmp::encode::write_nil(out),
            NewValue::Bool(value) => rmp::encode::write_bool(out, *value),
            NewValue::Int(number) => {
                rmp::encode::write_sint(out, *number).map(drop).map_err(std::io::Error::from)
            }
            NewValue::Uint(number) => {
                rmp::encode::write_uint(out, *number).map(drop).map_err(std::io::Error::from)
            }
            NewValue::Float(number) => rmp::encode::write_f64(out, *number).map_err(std::io::Error::from),
            NewValue::Text(text) => rmp::encode::write_str(out, text).map_err(std::io::Error::from),
            NewValue::Bytes(bytes) => rmp::encode::write_bin(out, bytes).map_err(std::io::Error::from),
            NewValue::List(values) => {
                let written = rmp::encode::write_array_len(out, values.len() as u32);
                values.iter().for_each(|value| Self::write(value, out));
                written.map(drop).map_err(std::io::Error::from)
            }
            NewValue::Map(named) => {
                let written = rmp::encode::write_map_len(out, named.len() as u32);
                for (name, value) in named {
                    let _ = rmp::encode::write_str(out, name);
                    Self::write(value, out);
                }
                written.map(drop).map_err(std::io::Error::from)
            }
        };
    }
}

fn with(marker: u8, bytes: &[u8]) -> Vec<u8> {
    [&[marker], bytes].concat()
}
