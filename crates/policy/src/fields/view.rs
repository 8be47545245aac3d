//! A tree beside its payload: fields read, walked, and named by their paths.

use std::fmt::Write;
use std::ops::Range;

use super::tree::{NodeId, Tree, Value};

/// What a message says: its tree and the payload that it was made of.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'m> {
    tree: &'m Tree,
    payload: &'m [u8],
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown<'m> {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above what `Int` holds.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(&'m str),
    /// Bytes that are no text.
    Bytes(&'m [u8]),
    /// So many values in a row.
    List(usize),
    /// So many values, each under a name.
    Map(usize),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'m> {
    fields: Fields<'m>,
    id: NodeId,
}

/// What stands in a field, in order.
#[derive(Clone, Debug)]
pub struct Children<'m> {
    fields: Fields<'m>,
    at: u32,
    end: u32,
}

impl<'m> Iterator for Children<'m> {
    type Item = Field<'m>;

    fn next(&mut self) -> Option<Field<'m>> {
        let child = Field { fields: self.fields, id: NodeId(self.at) };
        self.at = (self.at < self.end).then(|| child.node())??.end;
        Some(child)
    }
}

impl<'m> Fields<'m> {
    /// A tree and the very payload that it was made of.
    pub const fn new(tree: &'m Tree, payload: &'m [u8]) -> Self {
        Self { tree, payload }
    }

    /// The payload.
    pub const fn payload(&self) -> &'m [u8] {
        self.payload
    }

    /// The whole message; none where it says nothing.
    pub fn root(&self) -> Option<Field<'m>> {
        self.field(NodeId::ROOT)
    }

    /// The field of this number.
    pub fn field(&self, id: NodeId) -> Option<Field<'m>> {
        self.tree.node(id).map(|_| Field { fields: *self, id })
    }

    /// Every field, each before those inside it.
    pub fn all(&self) -> impl Iterator<Item = Field<'m>> + use<'m> {
        let fields = *self;
        (0..self.tree.len() as u32).map(move |number| Field { fields, id: NodeId(number) })
    }
}

impl<'m> Field<'m> {
    /// Its number in the tree.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Its value.
    pub fn show(&self) -> Shown<'m> {
        let bytes = |span| self.fields.tree.bytes(self.fields.payload, span);
        match self.node().map_or(Value::Null, |node| node.value) {
            Value::Null => Shown::Null,
            Value::Bool(value) => Shown::Bool(value),
            Value::Int(value) => Shown::Int(value),
            Value::Uint(value) => Shown::Uint(value),
            Value::Float(value) => Shown::Float(value),
            // A builder takes text as `str` alone: it is UTF-8.
            Value::Text(span) => Shown::Text(std::str::from_utf8(bytes(span)).unwrap_or_default()),
            Value::Bytes(span) => Shown::Bytes(bytes(span)),
            Value::List(count) => Shown::List(count as usize),
            Value::Map(count) => Shown::Map(count as usize),
        }
    }

    /// Its text, where it is one.
    pub fn text(&self) -> Option<&'m str> {
        match self.show() {
            Shown::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name under which it stands in its map.
    pub fn key(&self) -> Option<&'m str> {
        let key = self.node()?.key?;
        std::str::from_utf8(self.fields.tree.bytes(self.fields.payload, key)).ok()
    }

    /// Which of its list's or map's values it is.
    pub fn index(&self) -> usize {
        self.node().map_or(0, |node| node.index as usize)
    }

    /// The list or map that it stands in; none for the whole message.
    pub fn parent(&self) -> Option<Self> {
        let parent = self.node()?.parent;
        (parent != self.id.0).then_some(Self { fields: self.fields, id: NodeId(parent) })
    }

    /// Where its encoding stands in the payload, where the format says.
    pub fn at(&self) -> Option<Range<usize>> {
        self.node()?.at()
    }

    /// The number behind its own and those of all that stands in it.
    pub fn end(&self) -> NodeId {
        NodeId(self.node().map_or(self.id.0, |node| node.end))
    }

    /// The field itself, then all that stands in it.
    pub fn with_inner(&self) -> impl Iterator<Item = Self> + use<'m> {
        let fields = self.fields;
        (self.id.0..self.end().0).map(move |number| Self { fields, id: NodeId(number) })
    }

    /// What stands in it, in order; nothing in what is neither list nor map.
    pub fn children(&self) -> Children<'m> {
        let end = self.node().map_or(0, |node| node.end);
        Children { fields: self.fields, at: self.id.0 + 1, end }
    }

    /// What stands in it under a name.
    pub fn get(&self, key: &str) -> Option<Self> {
        self.children().find(|child| child.key() == Some(key))
    }

    /// What stands in it at a place, from 0.
    pub fn nth(&self, index: usize) -> Option<Self> {
        self.children().nth(index)
    }

    /// Its path, as in `order.items[0].name`; `$` for the whole message.
    pub fn path(&self) -> String {
        let mut way = vec![*self];
        while let Some(parent) = way.last().and_then(Field::parent) {
            way.push(parent);
        }
        let mut path = String::new();
        for field in way.iter().rev().skip(1) {
            match field.key() {
                Some(key) if is_plain(key) => {
                    let dot = if path.is_empty() { "" } else { "." };
                    let _ = write!(path, "{dot}{key}");
                }
                Some(key) => {
                    // As a path of the configuration quotes it.
                    let _ = write!(path, "[{}]", serde_json::Value::from(key));
                }
                None => {
                    let _ = write!(path, "[{}]", field.index());
                }
            }
        }
        if path.is_empty() { "$".into() } else { path }
    }

    fn node(&self) -> Option<&'m super::tree::Node> {
        self.fields.tree.node(self.id)
    }
}

/// Whether a name can stand in a path without quotes.
pub(super) fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-$@:".contains(&b) || !b.is_ascii())
}
