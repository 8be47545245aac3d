//! Reads typed values out of a tree, and goes on after each value that does not fit.

use std::fmt;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
};
use serde::de::{MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor};

use super::place::{ITEM, Place};
use super::problem::Problems;
use super::tree::{Content, Entry, Node, Scalar};
use super::value::ONE_OR_MANY;

/// How many values of one file are reported as unreadable before the rest is left for the next try.
const MAX_FAULTS: usize = 50;

/// Reads a `T` out of `root`. A value that does not fit is reported and cut out of the tree, then the rest is
/// read anew, so that every such value is found; `None` when nothing is left.
pub(super) fn read<T: DeserializeOwned>(root: &mut Node, problems: &mut Problems) -> Option<T> {
    for _ in 0..MAX_FAULTS {
        let fault = match T::deserialize(&*root) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        if !fault.follows_from_cut(root) {
            problems.error(fault.place.unwrap_or(root.place), &fault.what, &fault.help);
        }
        if !cut(root, &fault.path) {
            return None;
        }
    }
    problems.error(root.place, "too many values could not be read", "mend those above, then check again");
    None
}

/// Cuts the value at `path` (from the leaf up) out of the tree; false if that is the whole tree.
fn cut(node: &mut Node, path: &[usize]) -> bool {
    let Some((&last, above)) = path.split_last() else { return false };
    node.cut = true;
    match &mut node.content {
        Content::List(items) if above.is_empty() => drop(items.remove(last)),
        Content::List(items) => return cut(&mut items[last], above),
        Content::Map(entries) => match entries[last].value.as_mut() {
            Some(value) if !above.is_empty() => return cut(value, above),
            _ => entries[last].value = None,
        },
        Content::Scalar(_) => return false,
    }
    true
}

/// Why a value could not be read.
#[derive(Debug)]
pub(super) struct Fault {
    what: String,
    help: String,
    place: Option<Place>,
    /// The key that is missing, if that is the reason.
    missing: Option<&'static str>,
    /// From the faulty value up to the root: the number of the item or entry on each level.
    path: Vec<usize>,
}

impl Fault {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into(), place: None, missing: None, path: Vec::new() }
    }

    fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }

    fn below(mut self, index: usize) -> Self {
        self.path.push(index);
        self
    }

    /// Whether a key is missing only because its value was cut out before.
    fn follows_from_cut(&self, root: &Node) -> bool {
        let Some(key) = self.missing else { return false };
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
        matches!(&node.content, Content::Map(entries) if entries.iter().any(|e| e.key == key && e.value.is_none()))
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

/// What was probably meant, or all that would be right.
pub(super) fn alternatives(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|k| (strsim::jaro_winkler(word, k), k)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        None => "nothing may stand here".into(),
        Some((likeness, near)) if likeness > 0.8 => format!("did you mean `{near}`?"),
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
        text if text.starts_with("struct ") => "a mapping of keys and values".into(),
        text if text.starts_with("enum ") || text == "variant identifier" => {
            "one of the words for this".into()
        }
        _ => expected,
    }
}

impl Node {
    fn scalar<V: Expected>(&self, expected: &V) -> Result<&Scalar, Fault> {
        match &self.content {
            Content::Scalar(scalar) if scalar.is_null() => {
                Err(de::Error::invalid_type(Unexpected::Unit, expected))
            }
            Content::Scalar(scalar) => Ok(scalar),
            _ => Err(de::Error::invalid_type(self.unexpected(), expected)),
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match &self.content {
            Content::Scalar(scalar) if scalar.is_null() => Unexpected::Unit,
            Content::Scalar(scalar) => Unexpected::Str(&scalar.text),
            Content::List(_) => Unexpected::Seq,
            Content::Map(_) => Unexpected::Map,
        }
    }

    fn whole_number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        let text = &self.scalar(&visitor)?.text;
        match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(de::Error::invalid_type(Unexpected::Str(text), &visitor)),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }
}

/// What a plain scalar stands for where no type is asked for, by YAML 1.2's core schema.
fn visit_plain<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, Fault> {
    match text {
        "true" | "True" | "TRUE" => return visitor.visit_bool(true),
        "false" | "False" | "FALSE" => return visitor.visit_bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    match text.parse::<f64>() {
        Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            visitor.visit_f64(number)
        }
        _ => visitor.visit_str(text),
    }
}

macro_rules! whole_numbers {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.whole_number(visitor)
        })+
    };
}

macro_rules! texts {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let text = &self.scalar(&visitor).map_err(|fault| fault.at(self.place))?.text;
            visitor.visit_str(text).map_err(|fault: Fault| fault.at(self.place))
        })+
    };
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Scalar(scalar) if scalar.is_null() => visitor.visit_unit(),
            Content::Scalar(scalar) if scalar.plain => visit_plain(&scalar.text, visitor),
            Content::Scalar(scalar) => visitor.visit_str(&scalar.text),
            Content::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Content::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Scalar(scalar) if scalar.is_null() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, Fault> {
        match (name, &self.content) {
            (ITEM, _) => visitor.visit_seq(Placed { node: self, next: 0 }),
            (ONE_OR_MANY, Content::List(items)) => visitor.visit_seq(Items { items, next: 0 }),
            (ONE_OR_MANY, _) => visitor.visit_seq(Single(Some(self))),
            _ => visitor.visit_newtype_struct(self),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    /// A list whose items are all commented out is an empty one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Content::Scalar(scalar) if scalar.is_null() => visitor.visit_seq(Items { items: &[], next: 0 }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    /// A mapping whose keys are all commented out is an empty one.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
            Content::Scalar(scalar) if scalar.is_null() => {
                visitor.visit_map(Entries { entries: &[], next: 0 })
            }
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.content {
            Content::Scalar(scalar) if !scalar.is_null() => {
                visitor.visit_enum(scalar.text.as_str().into_deserializer())
            }
            Content::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
        .map_err(|fault: Fault| fault.at(self.place))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bool f32 f64 bytes byte_buf unit unit_struct }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let (index, Some(item)) = (self.next, self.items.get(self.next)) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(item).map(Some).map_err(|fault| fault.at(item.place).below(index))
    }
}

/// One value that stands for a list of one.
struct Single<'de>(Option<&'de Node>);

impl<'de> SeqAccess<'de> for Single<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.take().map(|node| seed.deserialize(node)).transpose()
    }
}

/// The place, the wholeness and the value of an `Item`.
struct Placed<'de> {
    node: &'de Node,
    next: usize,
}

impl<'de> SeqAccess<'de> for Placed<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(SeqDeserializer::new(self.node.place.numbers().into_iter())).map(Some),
            2 => seed.deserialize((!self.node.cut).into_deserializer()).map(Some),
            3 => seed.deserialize(self.node).map(Some),
            _ => Ok(None),
        }
    }
}

struct Entries<'de> {
    entries: &'de [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(entry) = self.entries.get(self.next) {
            if entry.value.is_some() {
                let key = StrDeserializer::new(&entry.key);
                let index = self.next;
                return seed
                    .deserialize(key)
                    .map(Some)
                    .map_err(|fault: Fault| fault.at(entry.key_place).below(index));
            }
            self.next += 1;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let index = self.next;
        self.next += 1;
        match self.entries.get(index).and_then(|entry| entry.value.as_ref()) {
            Some(value) => seed.deserialize(value).map_err(|fault| fault.at(value.place).below(index)),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// `{name: content}` as an enum.
#[derive(Clone, Copy)]
struct Variant<'de>(&'de Entry);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let key: StrDeserializer<'_, Fault> = StrDeserializer::new(&self.0.key);
        seed.deserialize(key).map(|value| (value, self)).map_err(|fault| fault.at(self.0.key_place).below(0))
    }
}

impl<'de> Variant<'de> {
    fn content(self) -> Result<&'de Node, Fault> {
        self.0.value.as_ref().ok_or_else(|| Fault::new("nothing is left of this value", ""))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(Fault::new(format!("`{}` takes no value", self.0.key), format!("write `{}` alone", self.0.key)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.content()?).map_err(|fault| fault.below(0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content()?.deserialize_seq(visitor).map_err(|fault| fault.below(0))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content()?.deserialize_map(visitor).map_err(|fault| fault.below(0))
    }
}
