//! Formats: how a message becomes fields. One decoder each; what none of its format's rules allows is undecodable.

mod binary;
mod cbor;
mod config;
mod json;
mod msgpack;
mod text;

use wicketgate_wire::DataKind;

pub use config::RawFormat;

use crate::fields::{Bounds, Builder, Tree, Undecodable};

/// How messages of a policy are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Text: one field that is all of it.
    #[default]
    Text,
    /// Bytes: one field that is all of them.
    Binary,
    /// JSON (RFC 8259).
    Json,
    /// MessagePack.
    Msgpack,
    /// CBOR (RFC 8949).
    Cbor,
}

impl Format {
    /// Its name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Json => "json",
            Self::Msgpack => "msgpack",
            Self::Cbor => "cbor",
        }
    }

    /// The types of message that it may come in; an endpoint that sends another one does not speak it.
    pub const fn types(&self) -> &'static [DataKind] {
        match self {
            Self::Text | Self::Json => &[DataKind::Text],
            Self::Binary | Self::Msgpack | Self::Cbor => &[DataKind::Binary],
        }
    }

    /// Whether steps may change its messages.
    pub const fn can_rewrite(&self) -> bool {
        match self {
            Self::Text | Self::Binary | Self::Json | Self::Msgpack | Self::Cbor => true,
        }
    }

    /// Fills `tree` with what the payload says.
    ///
    /// # Errors
    /// A payload that is no message of the format, or one beyond its bounds.
    pub fn decode(&self, payload: &[u8], tree: &mut Tree, bounds: &Bounds) -> Result<(), Undecodable> {
        let mut builder = Builder::new(tree, payload, bounds)?;
        match self {
            Self::Text => text::decode(&mut builder),
            Self::Binary => binary::decode(&mut builder),
            Self::Json => json::decode(&mut builder),
            Self::Msgpack => msgpack::decode(&mut builder),
            Self::Cbor => cbor::decode(&mut builder),
        }
    }
}

#[cfg(test)]
mod tests;
