//! A row of the store: a record in its place in the chain, as it was read back.

use serde_json::{Map, Value};

use crate::cell::{Cell, Kind, Timestamp};
use crate::chain::{Anchor, Hash, link};
use crate::json;
use crate::record::FIELDS;
use crate::seal::{Identity, SealError};

/// A row of the store, or a line of its export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1.
    pub sequence: u64,
    /// What its fields hold, in the order of [`FIELDS`].
    pub cells: Vec<Cell<'static>>,
    /// The hash of the row before.
    pub previous: Hash,
    /// Its own hash.
    pub hash: Hash,
}

/// A key of JSON that a row has beside its fields where its payload was opened; no part of the chain.
const OPENED: &str = "opened";

impl Row {
    /// The hash that it should have.
    pub fn computed(&self) -> Hash {
        link(self.previous, self.sequence, FIELDS.iter().map(|field| field.name).zip(&self.cells))
    }

    /// The row as an anchor.
    pub const fn anchor(&self) -> Anchor {
        Anchor { sequence: self.sequence, hash: self.hash }
    }

    /// What a field holds.
    pub fn field(&self, name: &str) -> &Cell<'static> {
        let at = FIELDS.iter().position(|field| field.name == name);
        at.and_then(|at| self.cells.get(at)).unwrap_or(&Cell::Null)
    }

    /// The payload, where it is sealed and the identity is whom it is sealed for.
    ///
    /// # Errors
    /// It is for another identity, or was changed.
    pub fn open(&self, identity: &Identity) -> Option<Result<Vec<u8>, SealError>> {
        let Cell::Bytes(sealed) = self.field("payload") else { return None };
        Some(identity.open(sealed, &bound_to(self.field("process").text(), self.field("serial").number())))
    }

    /// The row as JSON; with what its payload says where that is given.
    pub fn to_json(&self, opened: Option<&[u8]>) -> Value {
        let mut map = Map::new();
        map.insert("sequence".into(), self.sequence.into());
        json::put(&mut map, &self.cells);
        if let Some(opened) = opened {
            map.insert(OPENED.into(), shown(opened));
        }
        map.insert("previous".into(), self.previous.to_string().into());
        map.insert("hash".into(), self.hash.to_string().into());
        Value::Object(map)
    }

    /// Reads what [`Row::to_json`] has written.
    ///
    /// # Errors
    /// What it lacks, or has too much.
    pub fn from_json(line: &str) -> Result<Self, String> {
        let map: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| format!("this is no JSON object ({error})"))?;
        let known = |name: &str| {
            matches!(name, "sequence" | "previous" | "hash" | OPENED) || FIELDS.iter().any(|f| f.name == name)
        };
        if let Some(name) = map.keys().find(|name| !known(name)) {
            return Err(format!("`{name}` is no field of this version"));
        }
        let hash = |name: &str| {
            let text = map.get(name).and_then(Value::as_str).ok_or(format!("`{name}` is missing"))?;
            text.parse::<Hash>().map_err(|why| format!("`{name}`: {why}"))
        };
        let cells = FIELDS.iter().map(|field| json::cell(field, map.get(field.name)));
        Ok(Self {
            sequence: map.get("sequence").and_then(Value::as_u64).ok_or("`sequence` is missing")?,
            cells: cells.collect::<Result<_, _>>()?,
            previous: hash("previous")?,
            hash: hash("hash")?,
        })
    }

    /// The row as one line for people. What would move a terminal's cursor is replaced.
    pub fn to_text(&self, opened: Option<&[u8]>) -> String {
        let mut line = self.sequence.to_string();
        for (field, cell) in FIELDS.iter().zip(&self.cells) {
            match (field.kind, cell) {
                (_, Cell::Null) => {}
                (Kind::Time, Cell::Number(micros)) => line.push_str(&format!("  {}", Timestamp(*micros))),
                (_, Cell::Text(text)) if field.name == "event" => line.push_str(&format!("  {text}")),
                (_, Cell::Number(number)) => line.push_str(&format!("  {}={number}", field.name)),
                (_, Cell::Text(text)) => line.push_str(&format!("  {}={}", field.name, quoted(text))),
                (_, Cell::Bytes(bytes)) => {
                    line.push_str(&format!("  {}=({} bytes)", field.name, bytes.len()))
                }
            }
        }
        if let Some(opened) = opened {
            line.push_str(&format!("  {OPENED}={}", quoted(&String::from_utf8_lossy(opened))));
        }
        line
    }
}

/// What a sealed payload is bound to.
pub(crate) fn bound_to(process: Option<&str>, serial: Option<u64>) -> String {
    format!("{}:{}", process.unwrap_or_default(), serial.unwrap_or_default())
}

/// Text as text, and all else in base64.
fn shown(payload: &[u8]) -> Value {
    use base64::Engine;
    match std::str::from_utf8(payload) {
        Ok(text) => serde_json::json!({ "text": text }),
        Err(_) => {
            serde_json::json!({ "base64": base64::engine::general_purpose::STANDARD.encode(payload) })
        }
    }
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '=';
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => {
            let safe: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            Value::String(safe).to_string()
        }
    }
}
