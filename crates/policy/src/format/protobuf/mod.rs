//! Protocol Buffers, by the descriptors of a set that is read at load: `load` makes a `table` of what a message may hold,
//! `read` follows it over the wire.

mod load;
mod read;
mod table;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::At;

use self::table::Table;
use super::custom::words::RawUnknown;
use crate::fields::{Builder, Undecodable};

const FORMAT: &str = "Protocol Buffers";

/// Protocol Buffers in binary messages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProtobuf {
    /// The file of descriptors, as `protoc --include_imports --descriptor_set_out=FILE` writes it. Relative to the working
    /// directory; at most 8 MiB.
    pub(super) descriptor_set: At<PathBuf>,
    /// The full name of the message that every WebSocket message holds, as in `chat.v1.Envelope`.
    pub(super) message: At<String>,
    /// What happens to fields and values of enumerations that the descriptors do not have: `refuse`, or `keep` under their
    /// numbers. Default: `refuse`.
    #[serde(default)]
    pub(super) unknown: RawUnknown,
}

/// Messages of one type.
#[derive(Debug, PartialEq)]
pub struct Protobuf(Table);

/// Why a set of descriptors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadDescriptors {
    /// It is none, or names what it does not hold.
    #[error("it is no complete set of descriptors: {0}")]
    Set(String),
    /// It has no such message.
    #[error("it has no message of that name")]
    NoMessage,
}

impl Protobuf {
    /// Messages of the type `message`, by a file descriptor set.
    ///
    /// # Errors
    /// What is no descriptor set, or one without the message.
    pub fn new(descriptor_set: &[u8], message: &str, unknown: RawUnknown) -> Result<Self, BadDescriptors> {
        load::table(descriptor_set, message, unknown == RawUnknown::Keep).map(Self)
    }

    pub(super) fn decode(&self, builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
        read::read(&self.0, builder)
    }
}

#[cfg(test)]
mod tests;
