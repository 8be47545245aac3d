//! A YAML document as a tree with places.
//!
//! Reading straight from the parser's events ends at the first value that does not fit. A tree can be read again
//! without that value, so that all findings come at once; `yaml` builds it, `read` reads from it.

use super::place::Place;

/// A value in a document.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub content: Content,
    /// Whether something was cut out of it, or below it, because it could not be read.
    pub cut: bool,
}

/// The three kinds of value.
#[derive(Clone, Debug)]
pub enum Content {
    /// A text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A text, with its variables filled in.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text itself.
    pub text: String,
    /// Without quotes: may stand for a number, a truth value or nothing.
    pub plain: bool,
}

impl Scalar {
    /// Whether it stands for nothing.
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// A key and its value. A key whose value was cut out keeps its place, so that nobody calls it missing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// The value, unless it was cut out.
    pub value: Option<Node>,
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub fn child(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| e.key == key)?.value.as_ref(),
            _ => None,
        }
    }
}
