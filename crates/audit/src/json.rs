//! Records as JSON: one object, with the stable names of their fields and nothing for what they do not hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::cell::{Cell, Kind, Timestamp};
use crate::record::{FIELDS, FieldInfo, Record};

/// A record as it is sent to others.
pub(crate) fn object(record: &Record) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, &record.cells());
    map
}

/// A record as one line of JSON, with its end.
pub(crate) fn line(record: &Record) -> String {
    let mut line = Value::Object(object(record)).to_string();
    line.push('\n');
    line
}

/// Adds fields, given in the order of [`FIELDS`].
pub(crate) fn put(map: &mut Map<String, Value>, cells: &[Cell<'_>]) {
    for (field, cell) in FIELDS.iter().zip(cells) {
        if let Some(value) = value(field, cell) {
            map.insert(field.name.to_owned(), value);
        }
    }
}

fn value(field: &FieldInfo, cell: &Cell<'_>) -> Option<Value> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Number(number) if field.kind == Kind::Time => Timestamp(*number).to_string().into(),
        Cell::Number(number) => (*number).into(),
        Cell::Text(text) => text.as_ref().into(),
        Cell::Bytes(bytes) => STANDARD.encode(bytes).into(),
    })
}

/// Reads what [`put`] has written.
pub(crate) fn cell(field: &FieldInfo, value: Option<&Value>) -> Result<Cell<'static>, String> {
    let Some(value) = value else { return Ok(Cell::Null) };
    let read = match field.kind {
        Kind::Number => value.as_u64().map(Cell::Number),
        Kind::Time => value.as_str().and_then(Timestamp::parse).map(|moment| Cell::Number(moment.0)),
        Kind::Text => value.as_str().map(|text| Cell::Text(text.to_owned().into())),
        Kind::Bytes => {
            value.as_str().and_then(|text| STANDARD.decode(text).ok()).map(|bytes| Cell::Bytes(bytes.into()))
        }
    };
    read.ok_or_else(|| format!("`{}` holds something else than it should", field.name))
}
