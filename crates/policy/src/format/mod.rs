//! Formats: how a message becomes fields. One decoder each; what none of its format's rules allows is undecodable.

mod binary;
mod cbor;
mod config;
pub mod custom;
mod file;
mod json;
mod msgpack;
pub mod pack;
pub mod protobuf;
pub mod states;
mod text;
mod wasm;

use std::sync::Arc;

pub use config::RawFormat;
use wicketgate_wire::DataKind;

use self::custom::Custom;
use self::pack::{Breach, Pack, Talk};
use self::protobuf::Protobuf;
use self::states::States;
pub(crate) use self::wasm::Wasm;
use crate::fields::{Bounds, Builder, Path, Tree, Undecodable};
use crate::message::Direction;

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
    /// A private protocol, as it was declared.
    Custom(Arc<Custom>),
    /// Protocol Buffers of one message type.
    Protobuf(Arc<Protobuf>),
    /// A private protocol, as a component decodes it.
    Wasm(Arc<Wasm>),
    /// A protocol that is known.
    Pack(Arc<Pack>),
}

impl Format {
    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Json => "json",
            Self::Msgpack => "msgpack",
            Self::Cbor => "cbor",
            Self::Custom(_) => "custom",
            Self::Protobuf(_) => "protobuf",
            Self::Wasm(_) => "wasm",
            Self::Pack(pack) => pack.name(),
        }
    }

    /// The types of message that it may come in; an endpoint that sends another one does not speak it.
    pub fn types(&self) -> &[DataKind] {
        match self {
            Self::Text | Self::Json => &[DataKind::Text],
            Self::Binary | Self::Msgpack | Self::Cbor | Self::Protobuf(_) => &[DataKind::Binary],
            Self::Custom(custom) => custom.types(),
            Self::Wasm(wasm) => wasm.types(),
            Self::Pack(pack) => pack.types(),
        }
    }

    /// Where a message says of what kind it is, where the format itself says so.
    pub fn kind(&self) -> Option<&Path> {
        match self {
            Self::Custom(custom) => custom.kind(),
            Self::Wasm(wasm) => wasm.kind(),
            _ => None,
        }
    }

    /// The protocol's states, where the format itself has some.
    pub fn states(&self) -> Option<&States> {
        match self {
            Self::Custom(custom) => custom.states(),
            _ => None,
        }
    }

    /// Whether its messages can have values of bytes that are no text.
    pub fn has_bytes(&self) -> bool {
        match self {
            Self::Text | Self::Json => false,
            Self::Pack(pack) => !pack.is_json(),
            Self::Binary
            | Self::Msgpack
            | Self::Cbor
            | Self::Custom(_)
            | Self::Protobuf(_)
            | Self::Wasm(_) => true,
        }
    }

    /// Whether steps may change its messages.
    pub fn can_rewrite(&self) -> bool {
        match self {
            Self::Text | Self::Binary | Self::Json | Self::Msgpack | Self::Cbor => true,
            // Lengths around a change, and checks that were declared, would have to follow.
            Self::Custom(_) | Self::Protobuf(_) | Self::Wasm(_) => false,
            Self::Pack(pack) => pack.is_json(),
        }
    }

    /// The pack, where it is one.
    pub fn pack(&self) -> Option<&Pack> {
        match self {
            Self::Pack(pack) => Some(pack),
            _ => None,
        }
    }

    /// Whether its messages have maps, with fields that can be set.
    pub const fn has_maps(&self) -> bool {
        !matches!(self, Self::Text | Self::Binary)
    }

    /// The component that decodes, where one does.
    pub(crate) fn wasm(&self) -> Option<&Wasm> {
        match self {
            Self::Wasm(wasm) => Some(wasm),
            _ => None,
        }
    }

    /// Fills `tree` with what the payload says; of a pack, with what it would say as the first of a client's packets, and of a
    /// component, as a client's message.
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
            Self::Custom(custom) => custom.decode(&mut builder),
            Self::Protobuf(protobuf) => protobuf.decode(&mut builder),
            Self::Wasm(wasm) => wasm.decode(Direction::ToUpstream, &mut builder),
            Self::Pack(pack) => {
                let data =
                    if pack.types().contains(&DataKind::Text) { DataKind::Text } else { DataKind::Binary };
                let read = pack.read(&Talk::default(), Direction::ToUpstream, data, &mut builder);
                read.map_err(|breach| match breach {
                    Breach::Undecodable(error) => error,
                    _ => Undecodable::Malformed { format: pack.name(), at: None },
                })
            }
        }
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
