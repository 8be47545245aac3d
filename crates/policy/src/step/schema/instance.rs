//! A message's fields as the validator reads them: in place, without a copy.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp, unique};
use serde_json::Value;

use super::number::Number;
use crate::fields::{Children, Field, Shown};

/// Fields as one more representation of JSON.
pub(super) struct Message;

/// A value of a message, or the name of one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'m> {
    Field(Field<'m>),
    Name(&'m str),
}

/// A list or a map of a message, with how many values it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'m> {
    field: Field<'m>,
    len: usize,
}

/// The values of a map with their names.
#[derive(Clone, Debug)]
pub(super) struct Members<'m>(Children<'m>);

/// The values of a list.
#[derive(Clone, Debug)]
pub(super) struct Elements<'m>(Children<'m>);

impl<'m> Iterator for Members<'m> {
    type Item = (&'m str, Part<'m>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|field| (field.key().unwrap_or_default(), Part::Field(field)))
    }
}

impl<'m> Iterator for Elements<'m> {
    type Item = Part<'m>;

    fn next(&mut self) -> Option<Part<'m>> {
        self.0.next().map(Part::Field)
    }
}

impl Json for Message {
    type Node<'a> = Part<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    // A lookup walks through the names, and so does a pass.
    const KEYS_PER_LOOKUP: usize = 64;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(_: &mut (), string: &str, f: impl FnOnce(Part<'_>) -> T) -> T {
        f(Part::Name(string))
    }
}

impl<'m> Part<'m> {
    fn show(&self) -> Shown<'m> {
        match self {
            Self::Name(name) => Shown::Text(name),
            Self::Field(field) => match field.show() {
                // JSON has no such number, and a comparison with one is false both ways: no limit would hold it.
                Shown::Float(number) if !number.is_finite() => Shown::Null,
                shown => shown,
            },
        }
    }

    fn group(&self) -> Option<Group<'m>> {
        match (self, self.show()) {
            (Self::Field(field), Shown::List(len) | Shown::Map(len)) => Some(Group { field: *field, len }),
            _ => None,
        }
    }
}

impl<'m> Node<'m, Message> for Part<'m> {
    type Object = Group<'m>;
    type Array = Group<'m>;
    type Number = Number;

    fn as_object(&self) -> Option<Group<'m>> {
        matches!(self.show(), Shown::Map(_)).then(|| self.group())?
    }

    fn as_array(&self) -> Option<Group<'m>> {
        matches!(self.show(), Shown::List(_)).then(|| self.group())?
    }

    /// Bytes are what RFC 8949, section 6.1, makes of them in JSON: base64url without padding.
    fn as_string(&self) -> Option<Cow<'m, str>> {
        match self.show() {
            Shown::Text(text) => Some(Cow::Borrowed(text)),
            Shown::Bytes(bytes) => Some(Cow::Owned(URL_SAFE_NO_PAD.encode(bytes))),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self.show() {
            Shown::Int(number) => Some(Number::Int(number)),
            Shown::Uint(number) => Some(Number::Uint(number)),
            Shown::Float(number) => Some(Number::Float(number)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.show() {
            Shown::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        self.show() == Shown::Null
    }

    fn json_type(&self) -> JsonType {
        match self.show() {
            Shown::Null => JsonType::Null,
            Shown::Bool(_) => JsonType::Boolean,
            Shown::Int(_) | Shown::Uint(_) | Shown::Float(_) => JsonType::Number,
            Shown::Text(_) | Shown::Bytes(_) => JsonType::String,
            Shown::List(_) => JsonType::Array,
            Shown::Map(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        match self.show() {
            Shown::Text(text) => Some(text.chars().count() as u64),
            Shown::Bytes(bytes) => Some((bytes.len() as u64 * 4).div_ceil(3)),
            _ => None,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.show(), expected) {
            (Shown::Null, Value::Null) => true,
            (Shown::Bool(value), Value::Bool(expected)) => value == *expected,
            (Shown::Text(text), Value::String(expected)) => text == expected,
            (Shown::Bytes(_), Value::String(expected)) => {
                self.as_string().is_some_and(|text| text == *expected)
            }
            (Shown::Int(_) | Shown::Uint(_) | Shown::Float(_), Value::Number(expected)) => {
                self.as_number().is_some_and(|number| cmp::equal_numbers(&number, expected))
            }
            (Shown::List(len), Value::Array(expected)) => {
                len == expected.len()
                    && self.group().is_some_and(|list| {
                        list.elements().zip(expected).all(|(part, expected)| part.equals_value(expected))
                    })
            }
            (Shown::Map(len), Value::Object(expected)) => {
                len == expected.len()
                    && self.group().is_some_and(|map| {
                        map.members().all(|(name, part)| {
                            expected.get(name).is_some_and(|expected| part.equals_value(expected))
                        })
                    })
            }
            _ => false,
        }
    }

    /// An error would hold a copy of what it is about, once for every alternative that was tried, and no finding shows it:
    /// whatever else needs the value is done by the other functions here.
    fn to_value(&self) -> Cow<'m, Value> {
        Cow::Borrowed(&Value::Null)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            // No name stands at the address 0.
            Self::Field(field) => NodeIdentity::tagged(0, field.id().number()),
            Self::Name(name) => NodeIdentity::new(name.as_ptr() as usize),
        })
    }
}

impl<'m> Object<'m, Message> for Group<'m> {
    type Node = Part<'m>;
    type MemberName = &'m str;
    type MembersIter = Members<'m>;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, key: &Box<str>) -> Option<Part<'m>> {
        self.field.get(key).map(Part::Field)
    }

    fn members(&self) -> Self::MembersIter {
        Members(self.field.children())
    }
}

impl<'m> Array<'m, Message> for Group<'m> {
    type Node = Part<'m>;
    type ElementsIter = Elements<'m>;

    fn len(&self) -> usize {
        self.len
    }

    fn elements(&self) -> Self::ElementsIter {
        Elements(self.field.children())
    }

    fn is_unique(&self) -> bool {
        let values: Vec<Value> = self.elements().map(|part| value(&part)).collect();
        unique::is_unique(&values)
    }
}

/// A copy, for what has to be hashed. The tree's bounds are its bounds.
fn value(part: &Part<'_>) -> Value {
    match part.show() {
        Shown::Null => Value::Null,
        Shown::Bool(value) => Value::Bool(value),
        Shown::Int(number) => number.into(),
        Shown::Uint(number) => number.into(),
        Shown::Float(number) => number.into(),
        Shown::Text(_) | Shown::Bytes(_) => part.as_string().unwrap_or_default().into(),
        Shown::List(_) => {
            let elements = part.as_array().map(|list| list.elements());
            Value::Array(elements.into_iter().flatten().map(|part| value(&part)).collect())
        }
        Shown::Map(_) => {
            let members = part.as_object().map(|map| map.members());
            Value::Object(
                members.into_iter().flatten().map(|(name, part)| (name.to_owned(), value(&part))).collect(),
            )
        }
    }
}
