//! Where a value stands in the configuration, and values that know it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// Where a value stands: file by number, line and column in characters from 1, and the bytes it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    source: u32,
    line: u32,
    column: u32,
    start: u32,
    end: u32,
}

impl Place {
    /// No place in any file: a default, or a value that a test made.
    pub const UNKNOWN: Self = Self { source: 0, line: 0, column: 0, start: 0, end: 0 };

    /// A place in the file of number `source`; `line` and `column` count from 1.
    pub const fn new(source: u32, line: u32, column: u32, bytes: Range<u32>) -> Self {
        Self { source, line, column, start: bytes.start, end: bytes.end }
    }

    /// Whether this is a place in a file.
    pub const fn is_known(self) -> bool {
        self.line != 0
    }

    /// The line, from 1; 0 where the place is unknown.
    pub const fn line(self) -> u32 {
        self.line
    }

    /// The column in characters, from 1; 0 where the place is unknown.
    pub const fn column(self) -> u32 {
        self.column
    }

    pub(crate) const fn source(self) -> usize {
        self.source as usize
    }

    pub(crate) const fn bytes(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The five numbers that [`Place::deserialize`] reads back.
    pub(crate) const fn numbers(self) -> [u32; 5] {
        [self.source, self.line, self.column, self.start, self.end]
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [source, line, column, start, end] = Deserialize::deserialize(deserializer)?;
        Ok(Self { source, line, column, start, end })
    }
}

/// A value and its place, so that a later check can point at it.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value itself.
    pub value: T,
    /// Where it stands; [`Place::UNKNOWN`] for a default.
    pub place: Place,
}

impl<T> At<T> {
    /// A value that stands in no file: a default, or a test's.
    pub const fn nowhere(value: T) -> Self {
        Self { value, place: Place::UNKNOWN }
    }
}

impl<T: Default> Default for At<T> {
    fn default() -> Self {
        Self::nowhere(T::default())
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Item::deserialize(deserializer).map(|Item { value, place, .. }| Self { value, place })
    }
}

/// A part of the configuration that is checked by itself, and only if it was read whole: what follows from a
/// key that could not be read is no finding of its own.
#[derive(Clone, Debug)]
pub struct Item<T> {
    /// The part itself.
    pub value: T,
    /// Where it stands.
    pub place: Place,
    /// Whether every key inside it could be read.
    pub whole: bool,
}

impl<T: Default> Default for Item<T> {
    fn default() -> Self {
        Self { value: T::default(), place: Place::UNKNOWN, whole: true }
    }
}

/// The newtype name by which an [`Item`] asks our own deserializer for `(place, whole, value)`.
pub(crate) const ITEM: &str = "wicketgate::Item";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ITEM, Placed(PhantomData))
    }
}

struct Placed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Placed<T> {
    type Value = Item<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item<T>, A::Error> {
        let missing = || de::Error::custom("a place, a flag and a value were expected");
        let place = seq.next_element()?.ok_or_else(missing)?;
        let whole = seq.next_element()?.ok_or_else(missing)?;
        let value = seq.next_element()?.ok_or_else(missing)?;
        Ok(Item { value, place, whole })
    }

    /// Other deserializers know no places.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item<T>, D::Error> {
        T::deserialize(deserializer).map(|value| Item { value, place: Place::UNKNOWN, whole: true })
    }
}

macro_rules! schema_of_inner {
    ($type:ident) => {
        impl<T: JsonSchema> JsonSchema for $type<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }
            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }
            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }

        impl<T: serde::Serialize> serde::Serialize for $type<T> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.value.serialize(serializer)
            }
        }
    };
}

schema_of_inner!(At);
schema_of_inner!(Item);
