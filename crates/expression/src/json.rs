//! JSON as a tree, for claims.

use serde_json::{Map, Value};

use crate::LazyValue;
use crate::scope::Bound;
use crate::tree::{Shown, Tree};

/// Objects, lists and values of `serde_json`.
#[derive(Clone, Copy, Debug)]
pub struct Json<'j>(JsonNode<'j>);

/// A node of [`Json`].
#[derive(Clone, Copy, Debug)]
pub enum JsonNode<'j> {
    /// An object.
    Object(&'j Map<String, Value>),
    /// A list.
    List(&'j [Value]),
    /// Anything else.
    Plain(&'j Value),
}

impl<'j> Json<'j> {
    /// The tree under an object.
    pub const fn object(fields: &'j Map<String, Value>) -> Self {
        Self(JsonNode::Object(fields))
    }

    /// The tree under any value.
    pub fn value(value: &'j Value) -> Self {
        Self(value.into())
    }

    /// The whole of it, for a [`Scope`](crate::Scope).
    pub fn bound<'v>(&'v self) -> Bound<'v> {
        LazyValue::bound(self, self.0)
    }
}

impl<'j> From<&'j Value> for JsonNode<'j> {
    fn from(value: &'j Value) -> Self {
        match value {
            Value::Object(fields) => Self::Object(fields),
            Value::Array(values) => Self::List(values),
            _ => Self::Plain(value),
        }
    }
}

impl<'j> Tree for Json<'j> {
    type Node = JsonNode<'j>;

    fn show(&self, node: JsonNode<'j>) -> Shown<'_> {
        match node {
            JsonNode::Object(_) => Shown::Map,
            JsonNode::List(_) => Shown::List,
            JsonNode::Plain(Value::Bool(value)) => Shown::Bool(*value),
            JsonNode::Plain(Value::String(text)) => Shown::Text(text),
            JsonNode::Plain(Value::Number(number)) => {
                match (number.as_i64(), number.as_u64(), number.as_f64()) {
                    (Some(int), ..) => Shown::Int(int),
                    (_, Some(uint), _) => Shown::Uint(uint),
                    (.., float) => float.map_or(Shown::Null, Shown::Float),
                }
            }
            JsonNode::Plain(_) => Shown::Null,
        }
    }

    fn get(&self, node: JsonNode<'j>, key: &str) -> Option<JsonNode<'j>> {
        match node {
            JsonNode::Object(fields) => fields.get(key).map(Into::into),
            _ => None,
        }
    }

    fn nth(&self, node: JsonNode<'j>, index: usize) -> Option<JsonNode<'j>> {
        match node {
            JsonNode::List(values) => values.get(index).map(Into::into),
            _ => None,
        }
    }

    fn len(&self, node: JsonNode<'j>) -> usize {
        match node {
            JsonNode::Object(fields) => fields.len(),
            JsonNode::List(values) => values.len(),
            JsonNode::Plain(_) => 0,
        }
    }

    fn children(&self, node: JsonNode<'j>) -> impl Iterator<Item = (Option<&str>, JsonNode<'j>)> + Send {
        let (fields, values) = match node {
            JsonNode::Object(fields) => (Some(fields), None),
            JsonNode::List(values) => (None, Some(values)),
            JsonNode::Plain(_) => (None, None),
        };
        let fields = fields.into_iter().flatten().map(|(name, value)| (Some(name.as_str()), value.into()));
        fields.chain(values.into_iter().flatten().map(|value| (None, value.into())))
    }
}
