//! JSON: where a field stands is found by walking to it, once a message that is rewritten.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::patch::Patches;
use super::{Change, Container, NewValue, containers};
use crate::fields::{Field, Fields, NodeId, Shown};

pub(super) fn patch(edits: &[(NodeId, Change)], fields: &Fields<'_>, patches: &mut Patches) -> Option<()> {
    let homes = containers(edits, fields);
    let mut walk = Walk { payload: fields.payload(), edits, homes: &homes, patches };
    let text = std::str::from_utf8(fields.payload()).ok()?;
    walk.value(text.trim_matches([' ', '\t', '\n', '\r']), fields.root()?)
}

/// Goes through the lists and maps on the way to what changes.
struct Walk<'a, 'm> {
    payload: &'m [u8],
    /// In the order in which the fields stand.
    edits: &'a [(NodeId, Change)],
    homes: &'a [Container<'m>],
    patches: &'a mut Patches,
}

/// An entry of a list or map: where it stands, with its name, and its value alone.
struct Entry<'m> {
    whole: Range<usize>,
    value: &'m str,
}

impl<'a, 'm> Walk<'a, 'm> {
    fn value(&mut self, text: &'m str, field: Field<'m>) -> Option<()> {
        let at = self.place(text)?;
        for (_, change) in self.edits_of(field.id()..field.id().next()) {
            match change {
                Change::Replace(value) => self.patches.replace(at.clone(), written(value)),
                // In a list or map, it is taken out with what parts it from the next.
                Change::Remove if field.parent().is_some() => {}
                Change::Remove => self.patches.replace(at.clone(), "null"),
                Change::Splice(pieces) => splice(text, at.start, pieces, self.patches)?,
                Change::Insert(..) => {}
            }
        }
        // Nothing changes inside.
        if self.edits_of(field.id().next()..field.end()).is_empty() && self.home(field.id()).is_none() {
            return Some(());
        }
        let entries = match field.show() {
            Shown::Map(_) => serde_json::Deserializer::from_str(text).deserialize_map(Entries(self.payload)),
            Shown::List(_) => serde_json::Deserializer::from_str(text).deserialize_seq(Entries(self.payload)),
            _ => return Some(()),
        };
        let entries = entries.ok()?;
        if let Some(home) = self.home(field.id()) {
            edit_entries(home, &entries, at.start, self.patches)?;
        }
        for (child, entry) in field.children().zip(&entries) {
            if !self.edits_of(child.id()..child.end()).is_empty() {
                self.value(entry.value, child)?;
            }
        }
        Some(())
    }

    fn edits_of(&self, ids: Range<NodeId>) -> &'a [(NodeId, Change)] {
        let start = self.edits.partition_point(|(id, _)| *id < ids.start);
        let end = self.edits.partition_point(|(id, _)| *id < ids.end);
        self.edits.get(start..end).unwrap_or_default()
    }

    fn home(&self, id: NodeId) -> Option<&'a Container<'m>> {
        let place = self.homes.binary_search_by_key(&id, |home| home.field.id()).ok()?;
        self.homes.get(place)
    }

    fn place(&self, text: &str) -> Option<Range<usize>> {
        place(self.payload, text)
    }
}

/// Where a part of the payload stands in it.
fn place(payload: &[u8], part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(payload.as_ptr() as usize)?;
    let end = start.checked_add(part.len()).filter(|end| *end <= payload.len())?;
    Some(start..end)
}

/// Reads the entries of one list or map, and nothing of what is in them.
struct Entries<'m>(&'m [u8]);

impl<'m> Entries<'m> {
    fn entry(&self, name: Option<&'m RawValue>, value: &'m RawValue) -> Option<Entry<'m>> {
        let at = place(self.0, value.get())?;
        let start = match name {
            Some(name) => place(self.0, name.get())?.start,
            None => at.start,
        };
        Some(Entry { whole: start..at.end, value: value.get() })
    }
}

impl<'m> Visitor<'m> for Entries<'m> {
    type Value = Vec<Entry<'m>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = seq.next_element::<&'m RawValue>()? {
            entries.extend(self.entry(None, value));
        }
        Ok(entries)
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<&'m RawValue, &'m RawValue>()? {
            entries.extend(self.entry(Some(name), value));
        }
        Ok(entries)
    }
}

/// Takes entries out, each with the comma that parts it from one that stays, and puts new ones behind the last.
fn edit_entries(
    home: &Container<'_>,
    entries: &[Entry<'_>],
    start: usize,
    patches: &mut Patches,
) -> Option<()> {
    let mut stays = false;
    let is_removed = |child: &Field<'_>| home.removed.binary_search(&child.id()).is_ok();
    for (number, (child, entry)) in home.field.children().zip(entries).enumerate() {
        if !is_removed(&child) {
            stays = true;
            continue;
        }
        let before = number.checked_sub(1).and_then(|before| entries.get(before)).filter(|_| stays);
        let after = entries.get(number + 1).filter(|_| !stays);
        let from = before.map_or(entry.whole.start, |before| before.whole.end);
        let to = after.map_or(entry.whole.end, |after| after.whole.start);
        patches.replace(from..to, Vec::new());
    }
    let mut new = Vec::new();
    for (name, value) in &home.inserted {
        if stays || !new.is_empty() {
            new.push(b',');
        }
        new.extend(written(&NewValue::Text((&**name).into())));
        new.push(b':');
        new.extend(written(value));
    }
    if !new.is_empty() {
        let at = entries.last().map_or(start.checked_add(1)?, |last| last.whole.end);
        patches.insert(at, home.field.id().number(), new);
    }
    Some(())
}

/// A value as JSON.
fn written(value: &NewValue) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &NewValue, out: &mut Vec<u8>) {
    use base64::Engine;
    match value {
        NewValue::Null => out.extend_from_slice(b"null"),
        NewValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        NewValue::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        NewValue::Uint(number) => out.extend_from_slice(number.to_string().as_bytes()),
        NewValue::Float(number) => out.extend(serde_json::to_vec(number).unwrap_or_default()),
        NewValue::Text(text) => out.extend(serde_json::to_vec(text).unwrap_or_default()),
        NewValue::Bytes(bytes) => {
            out.push(b'"');
            out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
        NewValue::List(values) => {
            out.push(b'[');
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                write(value, out);
            }
            out.push(b']');
        }
        NewValue::Map(named) => {
            out.push(b'{');
            for (number, (name, value)) in named.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                out.extend(serde_json::to_vec(name).unwrap_or_default());
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Changes stretches of a text that stands quoted at `start`; what is escaped elsewhere in it stays so.
fn splice(
    quoted: &str,
    start: usize,
    pieces: &[(Range<usize>, String)],
    patches: &mut Patches,
) -> Option<()> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut reader = Reader { text: inner.as_bytes(), at: 0, read: 0 };
    for (piece, new) in pieces {
        let from = reader.forward(piece.start)?;
        let to = reader.forward(piece.end)?;
        let new = serde_json::to_vec(new).ok()?;
        let base = start + 1;
        patches.replace(base + from..base + to, new.get(1..new.len() - 1)?);
    }
    Some(())
}

/// Reads a text between its quotes, and counts the bytes that it stands for.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    read: usize,
}

impl Reader<'_> {
    /// Where the byte of this number is written.
    fn forward(&mut self, number: usize) -> Option<usize> {
        while self.read < number {
            let (written, means) = match self.text.get(self.at..)? {
                [b'\\', b'u', rest @ ..] => escaped(rest)?,
                [b'\\', _, ..] => (2, 1),
                [_, ..] => (1, 1),
                [] => return None,
            };
            self.at += written;
            self.read += means;
        }
        // A stretch begins and ends between characters.
        (self.read == number).then_some(self.at)
    }
}

/// How many bytes an escape behind `\u` is written in, with these two, and how many of UTF-8 it stands for.
fn escaped(rest: &[u8]) -> Option<(usize, usize)> {
    let digits = std::str::from_utf8(rest.get(..4)?).ok()?;
    Some(match u32::from_str_radix(digits, 16).ok()? {
        0..0x80 => (6, 1),
        0x80..0x800 => (6, 2),
        // One of a pair, which stands for a character of four bytes.
        0xd800..0xe000 => (12, 4),
        _ => (6, 3),
    })
}
