//! The chain: each row's hash covers the row and the hash of the row before.
//!
//! The hash of a row is SHA-256 over, in this order, the 32 bytes of the hash before it (zeros before the first row), its
//! sequence number, and each field that holds something, in the order of [`crate::FIELDS`]. A sequence number or field
//! is one byte with the length of its name, the name, one byte for what it is (1 number, 2 text, 3 bytes), eight bytes with
//! the length of the value, and the value; numbers are eight bytes, and all that are more than one byte have the highest first.
//! What a field does not hold is not in it, so that rows keep their hashes when later versions add fields.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::cell::Cell;

/// A SHA-256.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first row.
    pub const ZERO: Self = Self([0; 32]);

    /// Takes exactly 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a hash has 64 digits of 0-9 and a-f";
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong);
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong)?;
        }
        Ok(Self(bytes))
    }
}

/// A row by its number and hash: whoever keeps it elsewhere can tell later whether the rows up to it are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// The row's number; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sequence, hash) = text.split_once(':').ok_or("an anchor is written SEQUENCE:HASH")?;
        let sequence = sequence.parse().map_err(|_| "an anchor begins with the number of a row")?;
        Ok(Self { sequence, hash: hash.parse()? })
    }
}

/// The hash of a row.
pub(crate) fn link<'a>(
    previous: Hash,
    sequence: u64,
    fields: impl Iterator<Item = (&'static str, &'a Cell<'a>)>,
) -> Hash {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&previous.0);
    let mut put = |name: &str, what: u8, value: &[u8]| {
        hash.update(&[u8::try_from(name.len()).unwrap_or(u8::MAX)]);
        hash.update(name.as_bytes());
        hash.update(&[what]);
        hash.update(&(value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    put("sequence", 1, &sequence.to_be_bytes());
    for (name, cell) in fields {
        match cell {
            Cell::Null => {}
            Cell::Number(number) => put(name, 1, &number.to_be_bytes()),
            Cell::Text(text) => put(name, 2, text.as_bytes()),
            Cell::Bytes(bytes) => put(name, 3, bytes),
        }
    }
    Hash::from_bytes(hash.finish().as_ref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Computed by another program (Python's hashlib) from the description above.
    #[test]
    fn the_hash_is_what_is_written_down() {
        let cells = [
            ("timestamp", Cell::Number(1)),
            ("event", Cell::Text("a".into())),
            ("payload", Cell::Bytes(b"\0\xff".as_slice().into())),
            ("anchor", Cell::Null),
        ];
        let hash = link(Hash::ZERO, 7, cells.iter().map(|(name, cell)| (*name, cell)));
        assert_eq!(hash.to_string(), "144c96c2e4bce74a56d2946ec8bdd763d6cf78ea4b1da9e8b3876385c15efb8f");
    }

    #[test]
    fn anchors_are_written_and_read() {
        let anchor = Anchor { sequence: 12, hash: Hash([0xab; 32]) };
        assert_eq!(anchor.to_string().parse(), Ok(anchor));
        for text in
            ["", "12", "12:ab", "x:ab", &format!("1:{}", "é".repeat(32)), &format!("1:{}", "+1".repeat(32))]
        {
            assert!(text.parse::<Anchor>().is_err(), "{text}");
        }
    }
}
