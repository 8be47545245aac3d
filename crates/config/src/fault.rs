//! Why a value could not be read, in the words of whoever wrote the file.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::place::Place;
use super::tree::{Content, Entry, Node};

/// Why a value could not be read.
#[derive(Debug)]
pub struct Fault {
    pub(crate) what: String,
    pub(crate) help: String,
    pub(crate) place: Option<Place>,
    /// The key that is missing, if that is the reason.
    missing: Option<&'static str>,
    /// Whether only what was cut out before is missing.
    follows: bool,
    /// From the faulty value up to the root: the number of the item or entry on each level.
    pub(crate) path: Vec<usize>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: help.into(),
            place: None,
            missing: None,
            follows: false,
            path: Vec::new(),
        }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }

    pub(crate) fn below(mut self, index: usize) -> Self {
        self.path.push(index);
        self
    }

    /// A value of which too much was cut out: no finding of its own.
    pub(crate) fn following() -> Self {
        Self { follows: true, ..Self::new("nothing is left of this value", "") }
    }

    /// Whether a key is missing only because its value was cut out before, or because its name was misspelt.
    pub(crate) fn follows_from_cut(&self, root: &Node) -> bool {
        let Some(key) = self.missing else { return self.follows };
        let mut node = root;
        for &index in self.path.iter().rev() {
            let below = match &node.content {
                Content::List(items) => items.get(index),
                Content::Map(entries) => entries.get(index).and_then(|e| e.value.as_ref()),
                Content::Scalar(_) => None,
            };
            match below {
                Some(below) => node = below,
                None => return false,
            }
        }
        let is_it = |entry: &Entry| entry.value.is_none() && likeness(&entry.key, key) > ALIKE;
        matches!(&node.content, Content::Map(entries) if entries.iter().any(is_it))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // Types of ours write `what is wrong: what would be right`.
        let message = message.to_string();
        match message.split_once(": ") {
            Some((what, help)) => Self::new(what, help),
            None => Self::new(message, ""),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(
            format!("{} does not fit here", found_words(&found)),
            format!("give {}", expected_words(expected)),
        )
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("{length} values do not fit here"), format!("give {}", expected_words(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("there is no key `{field}` here"), alternatives(field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("`{variant}` is not among the words for this"), alternatives(variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut fault = Self::new(format!("the key `{field}` is missing"), format!("add `{field}:`"));
        fault.missing = Some(field);
        fault
    }
}

/// From 0 to 1; what is above [`ALIKE`] is taken for a slip of the keyboard.
fn likeness(word: &str, known: &str) -> f64 {
    strsim::jaro_winkler(word, known)
}

const ALIKE: f64 = 0.8;

/// What was probably meant, or all that would be right.
pub fn alternatives(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (likeness(word, known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        None => "nothing may stand here".into(),
        Some((near, known)) if near > ALIKE => format!("did you mean `{known}`?"),
        Some(_) => {
            format!("there are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

fn found_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Str(value) => format!("`{value}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        Unexpected::UnitVariant => "this word alone".into(),
        other => other.to_string(),
    }
}

/// Serde names Rust's types; whoever writes the file should not have to know them.
fn expected_words(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" | "u64" | "usize" => "a whole number from 0 up".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "`true` or `false`".into(),
        "a string" => "a text".into(),
        "a sequence" => "a list".into(),
        "newtype variant" | "tuple variant" | "struct variant" => {
            "what belongs to it, as in `word: value`".into()
        }
        text if text.starts_with("struct ") => "a mapping of keys and values".into(),
        text if text.starts_with("enum ") || text == "variant identifier" => {
            "one of the words for this".into()
        }
        _ => expected,
    }
}
