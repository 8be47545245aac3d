//! MessagePack and CBOR: every value has its length or count before it, so that where something goes or comes, the headers
//! above it change too.

mod cbor;
mod msgpack;

use std::ops::Range;

pub(super) use cbor::Cbor;
pub(super) use msgpack::Msgpack;

use super::patch::Patches;
use super::{Change, Container, NewValue, containers};
use crate::fields::{Field, Fields, NodeId, Shown};

/// What comes before a value, in its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where it stands.
    pub(super) start: usize,
    /// The byte behind it.
    pub(super) end: usize,
    /// Whether it says how much follows; otherwise a mark stands at the end.
    pub(super) counts: bool,
}

/// What MessagePack and CBOR do alike, each in its own bytes.
pub(super) trait Packed {
    /// The head of the value that stands at `at`, behind what only says how it is meant.
    fn head(payload: &[u8], at: Range<usize>) -> Option<Head>;

    /// A head of the same kind, and where it can be of the same length, that counts `count`.
    fn recount(payload: &[u8], head: Head, count: usize) -> Option<Vec<u8>>;

    /// Writes a value.
    fn write(value: &NewValue, out: &mut Vec<u8>);
}

pub(super) fn patch<P: Packed>(
    edits: &[(NodeId, Change)],
    fields: &Fields<'_>,
    patches: &mut Patches,
) -> Option<()> {
    let payload = fields.payload();
    for (id, change) in edits {
        let field = fields.field(*id)?;
        let at = field.at()?;
        match change {
            Change::Replace(value) => patches.replace(at, written::<P>(value)),
            Change::Remove if field.parent().is_none() => patches.replace(at, written::<P>(&NewValue::Null)),
            Change::Splice(pieces) => splice::<P>(payload, &field, pieces, patches)?,
            Change::Remove | Change::Insert(..) => {}
        }
    }
    for home in containers(edits, fields) {
        edit_entries::<P>(payload, &home, patches)?;
    }
    Some(())
}

fn written<P: Packed>(value: &NewValue) -> Vec<u8> {
    let mut out = Vec::new();
    P::write(value, &mut out);
    out
}

/// Changes stretches of a text or of bytes. What stands in chunks is written as a whole.
fn splice<P: Packed>(
    payload: &[u8],
    field: &Field<'_>,
    pieces: &[(Range<usize>, String)],
    patches: &mut Patches,
) -> Option<()> {
    let old = match field.show() {
        Shown::Text(text) => text.as_bytes(),
        Shown::Bytes(bytes) => bytes,
        _ => return None,
    };
    let at = field.at()?;
    let head = P::head(payload, at.clone())?;
    let (more, less) =
        pieces.iter().fold((0, 0), |(more, less), (piece, new)| (more + new.len(), less + piece.len()));
    if head.counts && payload.get(head.end..at.end)? == old {
        let length = (old.len() + more).checked_sub(less)?;
        if length != old.len() {
            patches.replace(head.start..head.end, P::recount(payload, head, length)?);
        }
        for (piece, new) in pieces {
            patches.replace(head.end + piece.start..head.end + piece.end, new.as_bytes());
        }
        return Some(());
    }
    let mut new = Patches::default();
    for (piece, text) in pieces {
        new.replace(piece.clone(), text.as_bytes());
    }
    let new = new.apply(old, super::MAX_GROWTH).ok()?;
    let value = match field.show() {
        Shown::Text(_) => NewValue::Text(String::from_utf8(new).ok()?),
        _ => NewValue::Bytes(new),
    };
    patches.replace(head.start..at.end, written::<P>(&value));
    Some(())
}

fn edit_entries<P: Packed>(payload: &[u8], home: &Container<'_>, patches: &mut Patches) -> Option<()> {
    let at = home.field.at()?;
    let head = P::head(payload, at.clone())?;
    let (mut from, mut count) = (head.end, 0);
    for child in home.field.children() {
        let end = child.at()?.end;
        // Nothing stands between one value and the name of the next.
        if home.removed.binary_search(&child.id()).is_ok() {
            patches.replace(from..end, Vec::new());
        } else {
            count += 1;
        }
        from = end;
    }
    let mut new = Vec::new();
    for (name, value) in &home.inserted {
        P::write(&NewValue::Text((&**name).into()), &mut new);
        P::write(value, &mut new);
        count += 1;
    }
    if !new.is_empty() {
        patches.insert(from, home.field.id().number(), new);
    }
    if head.counts {
        patches.replace(head.start..head.end, P::recount(payload, head, count)?);
    }
    Some(())
}
