//! Declared formats of private protocols: fields of the configuration, compiled at load into a program that reads messages.
//!
//! `config`, `length` and `words` are how a format is written; `compile` and what it calls make a `program` of it, `read`
//! follows that. Every field reads inside a window, and a window has to be used up before reading goes on behind it: that is how
//! every byte is accounted for.

mod checksum;
mod compile;
pub mod config;
mod entries;
mod extent;
mod keys;
pub mod length;
mod program;
mod quote;
mod read;
mod scope;
mod tagged;
mod values;
pub mod words;

use wicketgate_config::{At, Item, Problems};
use wicketgate_wire::DataKind;

use self::compile::Compiler;
use self::config::{RawCustom, RawField};
use self::program::{Body, Op, Scope, What};
use self::scope::Frame;
use self::words::RawData;
use super::states::States;
use crate::fields::{Builder, Path, Undecodable};

const FORMAT: &str = "`custom`";

/// A private protocol's messages, as they were declared.
#[derive(Debug, PartialEq)]
pub struct Custom {
    types: [DataKind; 1],
    root: Scope,
    structs: Box<[Scope]>,
    kind: Option<Path>,
    states: Option<States>,
}

impl Custom {
    /// The type of message that it comes in.
    pub const fn types(&self) -> &[DataKind] {
        &self.types
    }

    /// Where a message says of what kind it is.
    pub const fn kind(&self) -> Option<&Path> {
        self.kind.as_ref()
    }

    /// The protocol's states.
    pub const fn states(&self) -> Option<&States> {
        self.states.as_ref()
    }

    pub(super) fn decode(&self, builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
        read::read(&self.root, &self.structs, builder)
    }
}

impl RawCustom {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Custom {
        let kind = self.kind.as_ref().and_then(|kind| match kind.value.parse::<Path>() {
            Ok(path) => Some(path),
            Err(error) => {
                problems.error(kind.place, error.to_string(), "write it as in `type` or `header.kind`");
                None
            }
        });
        let states = self.states.and_then(|states| States::check(states, problems));
        let (names, lists): (Vec<At<String>>, Vec<_>) = self.structs.0.into_iter().unzip();
        let mut compiler = Compiler { structs: &names, endian: self.endian, problems, fields: 0, depth: 0 };
        let root = compile(&mut compiler, self.fields);
        let structs: Box<[Scope]> = lists.into_iter().map(|list| compile(&mut compiler, list)).collect();
        for (number, name) in names.iter().enumerate() {
            if names[..number].iter().any(|before| before.value == name.value) {
                problems.error(name.place, "there is a struct of this name already", "give it another one");
            }
            if always_holds(&structs, number, number, &mut vec![false; structs.len()]) {
                let what = format!("`{}` always holds itself: no message would be long enough", name.value);
                problems.error(
                    name.place,
                    what,
                    "give the field that uses it an `if`, or put it into a list",
                );
            }
        }
        let data = match self.data {
            RawData::Text => DataKind::Text,
            RawData::Binary => DataKind::Binary,
        };
        Custom { types: [data], root, structs, kind, states }
    }
}

fn compile(compiler: &mut Compiler<'_>, fields: At<Vec<Item<RawField>>>) -> Scope {
    let mut frame = Frame::of(&fields.value);
    compiler.scope(fields, &mut frame)
}

/// Whether the struct `from` cannot be read without reading the struct `to`.
fn always_holds(structs: &[Scope], from: usize, to: usize, seen: &mut [bool]) -> bool {
    match seen.get_mut(from) {
        Some(seen) if !*seen => *seen = true,
        _ => return false,
    }
    fn any(structs: &[Scope], ops: &[Op], to: usize, seen: &mut [bool]) -> bool {
        ops.iter().filter(|op| op.only.is_none()).any(|op| match &op.what {
            What::Struct(Body::Named(number)) => *number == to || always_holds(structs, *number, to, seen),
            What::Struct(Body::Inline(scope)) => any(structs, &scope.ops, to, seen),
            _ => false,
        })
    }
    structs.get(from).is_some_and(|scope| any(structs, &scope.ops, to, seen))
}

#[cfg(test)]
mod tests;
