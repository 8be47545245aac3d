//! Rewriting: changes of single fields become changes of single stretches of the payload; every other byte stays as it came.
//!
//! A step says what changes by a field's [`NodeId`] ([`Edits`]). The format says where that field, its list or map, and the
//! numbers that count them stand, and how new values are written: [`json`], [`packed`] for MessagePack and CBOR, [`plain`]
//! for text and bytes. What comes of it are [`patch::Patches`].

mod json;
mod packed;
mod patch;
mod plain;
#[cfg(test)]
mod tests;
mod value;

use std::ops::Range;

pub(crate) use value::NewValue;

use self::patch::Patches;
use crate::fields::{Field, Fields, NodeId};
use crate::format::Format;

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Stretches of its text or bytes become others. They are in order, and none begins before another ends.
    Splice(Vec<(Range<usize>, String)>),
    /// Another value stands in its place.
    Replace(NewValue),
    /// It goes, with its name or its place in the list.
    Remove,
    /// A map has one more name and value, behind those that it has.
    Insert(Box<str>, NewValue),
}

/// What changes in a message.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(NodeId, Change)>);

/// Why a message cannot be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    /// The rewritten message would be much longer than the one that came.
    #[error("the rewritten message is much longer")]
    TooLong,
    /// The field cannot be found in the payload, or the change cannot be written there.
    #[error("the message cannot be rewritten")]
    Misplaced,
}

/// How much longer a message may become, in bytes.
const MAX_GROWTH: usize = 1 << 20;

impl Edits {
    /// Notes a change.
    pub(crate) fn push(&mut self, field: NodeId, change: Change) {
        self.0.push((field, change));
    }

    /// Whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The payload with the changes.
    pub(crate) fn apply(self, format: &Format, fields: &Fields<'_>) -> Result<Vec<u8>, Unwritable> {
        self.apply_within(MAX_GROWTH, format, fields)
    }

    /// The payload with the changes, if that is longer by at most `growth` bytes.
    pub(crate) fn apply_within(
        mut self,
        growth: usize,
        format: &Format,
        fields: &Fields<'_>,
    ) -> Result<Vec<u8>, Unwritable> {
        self.settle(fields);
        let mut patches = Patches::default();
        match format {
            Format::Text | Format::Binary => plain::patch(&self.0, fields.payload().len(), &mut patches),
            Format::Json => json::patch(&self.0, fields, &mut patches),
            Format::Msgpack => packed::patch::<packed::Msgpack>(&self.0, fields, &mut patches),
            Format::Cbor => packed::patch::<packed::Cbor>(&self.0, fields, &mut patches),
            Format::Pack(pack) if pack.is_json() => json::patch(&self.0, fields, &mut patches),
            Format::Custom(_) | Format::Protobuf(_) | Format::Wasm(_) | Format::Pack(_) => None,
        }
        .ok_or(Unwritable::Misplaced)?;
        patches.apply(fields.payload(), growth)
    }

    /// Orders the changes as their fields stand, and leaves out what comes to nothing: changes inside of what goes or is
    /// replaced. Of several that replace or remove one field, the first is made.
    fn settle(&mut self, fields: &Fields<'_>) {
        self.0.sort_by_key(|(field, _)| *field);
        let mut settled: Vec<(NodeId, Change)> = Vec::with_capacity(self.0.len());
        let mut gone = None;
        for (field, change) in std::mem::take(&mut self.0) {
            if gone.is_some_and(|end| field < end) {
                continue;
            }
            match (change, settled.last_mut()) {
                (Change::Splice(more), Some((last, Change::Splice(pieces)))) if *last == field => {
                    pieces.extend(more);
                }
                (change @ (Change::Replace(_) | Change::Remove), _) => {
                    while settled.last().is_some_and(|(last, _)| *last == field) {
                        settled.pop();
                    }
                    // What is inside comes later in this order, and so do further changes of the field itself.
                    gone = fields.field(field).map(|field| field.end());
                    settled.push((field, change));
                }
                (change, _) => settled.push((field, change)),
            }
        }
        for (_, change) in &mut settled {
            if let Change::Splice(pieces) = change {
                // Of two that overlap, the one that begins first is made, and covers both.
                pieces.sort_by_key(|(at, _)| (at.start, usize::MAX - at.end));
                pieces.dedup_by(|(next, _), (last, _)| {
                    let overlap = next.start < last.end;
                    if overlap {
                        last.end = last.end.max(next.end);
                    }
                    overlap
                });
            }
        }
        self.0 = settled;
    }
}

/// One list or map of which something changes: what goes, and what comes.
struct Container<'m> {
    field: Field<'m>,
    removed: Vec<NodeId>,
    inserted: Vec<(Box<str>, NewValue)>,
}

/// The lists and maps that lose or gain values, in the order in which they stand. The whole message has none to go out of.
fn containers<'m>(edits: &[(NodeId, Change)], fields: &Fields<'m>) -> Vec<Container<'m>> {
    let mut containers: Vec<Container<'m>> = Vec::new();
    for (id, change) in edits {
        let Some(field) = fields.field(*id) else { continue };
        let home = match change {
            Change::Remove => field.parent(),
            Change::Insert(..) => Some(field),
            Change::Splice(_) | Change::Replace(_) => None,
        };
        let Some(home) = home else { continue };
        let place = match containers.binary_search_by_key(&home.id(), |container| container.field.id()) {
            Ok(place) => place,
            Err(place) => {
                containers
                    .insert(place, Container { field: home, removed: Vec::new(), inserted: Vec::new() });
                place
            }
        };
        match change {
            Change::Insert(name, value) => containers[place].inserted.push((name.clone(), value.clone())),
            _ => containers[place].removed.push(*id),
        }
    }
    containers
}
