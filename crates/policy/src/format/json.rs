//! JSON (RFC 8259), by serde_json; duplicate names and everything beyond the bounds are refused while it reads.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::fields::{Builder, Undecodable, Value};

pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let payload = builder.payload();
    value(builder, payload)
}

/// One value, which is all of `text`.
pub(super) fn value(builder: &mut Builder<'_, '_>, text: &[u8]) -> Result<(), Undecodable> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let fault = Cell::new(None);
    let read = Reader { builder, fault: &fault }.deserialize(&mut json);
    read.map_err(|error| fault.take().unwrap_or_else(|| malformed(&error)))?;
    json.end().map_err(|_| Undecodable::Trailing { format: "JSON" })
}

fn malformed(error: &serde_json::Error) -> Undecodable {
    // serde_json has no kind for it, and says so in words.
    if error.to_string().starts_with("number out of range") {
        return Undecodable::Number;
    }
    // Messages have few lines: the column tells the byte for those of one.
    let at = (error.line() == 1).then(|| error.column().saturating_sub(1));
    Undecodable::Malformed { format: "JSON", at }
}

/// Reads one value into the tree. What ends it beside bad JSON is left in `fault`.
struct Reader<'a, 't, 'p> {
    builder: &'a mut Builder<'t, 'p>,
    fault: &'a Cell<Option<Undecodable>>,
}

impl<'t, 'p> Reader<'_, 't, 'p> {
    fn settle<E: Error>(&self, result: Result<(), Undecodable>) -> Result<(), E> {
        result.map_err(|fault| {
            self.fault.set(Some(fault));
            E::custom(fault)
        })
    }

    fn scalar<E: Error>(self, value: Value) -> Result<(), E> {
        let result = self.builder.scalar(value, None);
        self.settle(result)
    }

    fn inner(&mut self) -> Reader<'_, 't, 'p> {
        Reader { builder: self.builder, fault: self.fault }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(i64::try_from(value).map_or(Value::Uint(value), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Value::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let result = self.builder.text(text, None);
        self.settle(result)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let opened = self.builder.open_list();
        self.settle(opened)?;
        while seq.next_element_seed(self.inner())?.is_some() {}
        let closed = self.builder.close(None);
        self.settle(closed)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let opened = self.builder.open_map();
        self.settle(opened)?;
        while map.next_key_seed(Name(self.inner()))?.is_some() {
            map.next_value_seed(self.inner())?;
        }
        let closed = self.builder.close(None);
        self.settle(closed)
    }
}

/// Reads the name of a value.
struct Name<'a, 't, 'p>(Reader<'a, 't, 'p>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        let result = self.0.builder.key(key);
        self.0.settle(result)
    }
}
