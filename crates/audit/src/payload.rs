//! The payload of a message in a record: in clear only in memory, on its way to whoever seals it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::cell::{Cell, Field, Kind};

/// The payload of a recorded message.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Payload {
    /// None is kept.
    #[default]
    None,
    /// As it was sent. No record is written with it: it is sealed before, or left out.
    Clear(Bytes),
    /// Encrypted to the auditor's key.
    Sealed(Vec<u8>),
}

impl Payload {
    /// The bytes that it takes.
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Clear(bytes) => bytes.len(),
            Self::Sealed(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What clients said stands in no log.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Clear(bytes) => write!(f, "Clear({} bytes)", bytes.len()),
            Self::Sealed(bytes) => write!(f, "Sealed({} bytes)", bytes.len()),
        }
    }
}

impl Field for Payload {
    const KIND: Kind = Kind::Bytes;
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Sealed(bytes) => Cell::Bytes(Cow::Borrowed(bytes)),
            Self::None | Self::Clear(_) => Cell::Null,
        }
    }
}
