//! What a component answers, once it was looked through: nothing that it says is believed before.

use crate::fault::Fault;

/// The longest word, in bytes.
const MAX_WORD: usize = 64;
/// The most words of one verdict.
pub const MAX_TAGS: usize = 16;
/// The most changes of one verdict.
pub const MAX_EDITS: usize = 64;
/// The longest path of a change, in bytes.
const MAX_PATH: usize = 256;

/// A word of a component for findings and metrics: 1 to 64 letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(Box<str>);

impl Word {
    /// The word by itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a text that is a word.
    ///
    /// # Errors
    /// A text that is none.
    pub fn new(text: &str) -> Result<Self, Fault> {
        let is_good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_good || text.is_empty() || text.len() > MAX_WORD {
            return Err(Fault::Answer(
                "a reason or tag that is not 1 to 64 letters, digits, `-`, `_` and `.`",
            ));
        }
        Ok(Self(text.into()))
    }
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It goes on, and these are recorded.
    Tag(Vec<Word>),
    /// It does not pass; with this close code, where there is one.
    Refuse(Word, Option<u16>),
    /// It does not go on, and nobody is told.
    Drop(Word),
    /// This goes on in its place.
    Rewrite(Vec<u8>),
    /// It goes on with these changes.
    Edit(Vec<Edit>),
}

/// A change of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Which field, as the component writes it.
    pub path: String,
    /// The value that it has from now on; none where it goes.
    pub value: Option<Value>,
}

impl Edit {
    /// Takes a change.
    ///
    /// # Errors
    /// One whose path is too long to be looked at.
    pub fn new(path: String, value: Option<Value>) -> Result<Self, Fault> {
        match path.len() > MAX_PATH {
            true => Err(Fault::Answer("a path of more than 256 bytes")),
            false => Ok(Self { path, value }),
        }
    }
}

/// A value of a decoded message. What stands in a list or map follows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
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
    Text(String),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
    /// The next so many values stand in it.
    List(u32),
    /// The next so many values stand in it, each under a name.
    Map(u32),
}

/// A value, and its name where it stands in a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name.
    pub name: Option<String>,
    /// The value.
    pub value: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_and_plain() {
        for good in ["a", "card-number", "A_1.b", &"x".repeat(64)] {
            assert_eq!(Word::new(good).map(|word| word.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in ["", "a b", "ä", "a\n", "a/b", &"x".repeat(65)] {
            assert!(Word::new(bad).is_err(), "{bad:?}");
        }
    }
}
