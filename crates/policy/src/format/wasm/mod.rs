//! `wasm`: messages of a private protocol, decoded by a WebAssembly component.

mod config;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use config::RawWasm;
use wicketgate_plugin::{Data, Decoder, Direction as Way, Field, Value as Told};
use wicketgate_wire::DataKind;

use crate::component::InForce;
use crate::fields::{Builder, Path, Undecodable, Value};
use crate::message::Direction;
use crate::reloaded::Reloaded;

/// Messages that a component decodes.
#[derive(Debug)]
pub struct Wasm {
    decoder: InForce<Decoder>,
    types: [DataKind; 1],
    kind: Option<Path>,
}

impl PartialEq for Wasm {
    fn eq(&self, other: &Self) -> bool {
        self.decoder.get().is_same(&other.decoder.get())
            && self.types == other.types
            && self.kind == other.kind
    }
}

impl Wasm {
    /// The type of message that it comes in.
    pub const fn types(&self) -> &[DataKind] {
        &self.types
    }

    /// Where a message says of what kind it is.
    pub const fn kind(&self) -> Option<&Path> {
        self.kind.as_ref()
    }

    /// The file that the component is loaded from.
    pub(crate) fn file(&self) -> PathBuf {
        self.decoder.file().to_owned()
    }

    /// Loads the component anew, if its file changed.
    pub(crate) fn reload(&self) -> Option<Reloaded> {
        self.decoder.reload()
    }

    pub(crate) fn decode(
        &self,
        direction: Direction,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Undecodable> {
        let direction = match direction {
            Direction::ToUpstream => Way::ToUpstream,
            Direction::ToClient => Way::ToClient,
        };
        let data = match self.types {
            [DataKind::Text] => Data::Text,
            [DataKind::Binary] => Data::Binary,
        };
        let answer = self.decoder.get().decode(direction, data, builder.payload());
        match answer.map_err(|fault| Undecodable::Unanswered(fault.label()))? {
            Some(fields) => build(&fields, builder),
            None => Err(Undecodable::Malformed { format: "message of the component's format", at: None }),
        }
    }
}

/// A list or map that is open: how many values are still to come, and whether they have names.
struct Open {
    left: u32,
    named: bool,
}

/// Makes a tree of fields, which are one behind the other. What makes none is the component's fault.
fn build(fields: &[Field], builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    const UNSOUND: Undecodable = Undecodable::Unanswered("plugin_answer");
    let (mut open, mut is_whole) = (Vec::<Open>::new(), false);
    for field in fields {
        let named = match open.last_mut() {
            Some(around) => {
                around.left = around.left.checked_sub(1).ok_or(UNSOUND)?;
                around.named
            }
            None if is_whole => return Err(UNSOUND),
            None => false,
        };
        match &field.name {
            Some(name) if named => builder.key(name)?,
            None if !named => {}
            _ => return Err(UNSOUND),
        }
        match &field.value {
            Told::Null => builder.scalar(Value::Null, None)?,
            Told::Bool(value) => builder.scalar(Value::Bool(*value), None)?,
            Told::Int(value) => builder.scalar(Value::Int(*value), None)?,
            // A number has one form, whichever the component chose.
            Told::Uint(value) => {
                builder.scalar(i64::try_from(*value).map_or(Value::Uint(*value), Value::Int), None)?
            }
            Told::Float(value) => builder.scalar(Value::Float(*value), None)?,
            Told::Text(text) => builder.text(text, None)?,
            Told::Bytes(bytes) => builder.bytes(bytes, None)?,
            Told::List(count) => {
                builder.open_list()?;
                open.push(Open { left: *count, named: false });
            }
            Told::Map(count) => {
                builder.open_map()?;
                open.push(Open { left: *count, named: true });
            }
        }
        while open.last().is_some_and(|last| last.left == 0) {
            open.pop();
            builder.close(None)?;
        }
        is_whole = open.is_empty();
    }
    if is_whole { Ok(()) } else { Err(UNSOUND) }
}
