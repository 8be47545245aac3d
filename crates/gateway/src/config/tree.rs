//! A YAML document as a tree with places.
//!
//! Reading straight from the parser's events ends at the first value that does not fit. A tree can be read again
//! without that value, so that all findings come at once; `yaml` builds it, `read` reads from it.

use super::place::Place;

/// A value in a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
    /// Whether something was cut out of it, or below it, because it could not be read.
    pub(super) cut: bool,
}

/// The three kinds of value.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A text, with its variables filled in.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Without quotes: may stand for a number, a truth value or nothing.
    pub(super) plain: bool,
}

impl Scalar {
    /// Whether it stands for nothing.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// A key and its value. A key whose value was cut out keeps its place, so that nobody calls it missing.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) value: Option<Node>,
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub(super) fn child(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| e.key == key)?.value.as_ref(),
            _ => None,
        }
    }
}
