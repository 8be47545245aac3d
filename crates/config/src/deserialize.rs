//! A tree as a serde deserializer: any type that serde can read, read from a document's values.

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
};
use serde::de::{Unexpected, VariantAccess, Visitor};

use super::fault::Fault;
use super::place::{ITEM, Place};
use super::tree::{Content, Entry, Node, Scalar};
use super::value::ONE_OR_MANY;

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
            (ITEM, _) => visitor.visit_seq(Placed::new(self.place, !self.cut, self)),
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
            Content::Map(entries) => match entries.as_slice() {
                [entry] if entry.value.is_some() => visitor.visit_enum(Variant(entry)),
                entries if entries.iter().any(|entry| entry.value.is_none()) => Err(Fault::following()),
                _ => Err(de::Error::invalid_type(Unexpected::Map, &"one of the words for this")),
            },
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
struct Placed<D> {
    place: Option<Place>,
    whole: Option<bool>,
    value: Option<D>,
}

impl<D> Placed<D> {
    fn new(place: Place, whole: bool, value: D) -> Self {
        Self { place: Some(place), whole: Some(whole), value: Some(value) }
    }
}

impl<'de, D: Deserializer<'de, Error = Fault>> SeqAccess<'de> for Placed<D> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if let Some(place) = self.place.take() {
            return seed.deserialize(SeqDeserializer::new(place.numbers().into_iter())).map(Some);
        }
        if let Some(whole) = self.whole.take() {
            return seed.deserialize(whole.into_deserializer()).map(Some);
        }
        self.value.take().map(|value| seed.deserialize(value)).transpose()
    }
}

/// A key, which knows its place like any other text.
struct Key<'de>(&'de Entry);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(&self.0.key)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            ITEM => visitor.visit_seq(Placed::new(self.0.key_place, true, self)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
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
                let index = self.next;
                return seed
                    .deserialize(Key(entry))
                    .map(Some)
                    .map_err(|fault| fault.at(entry.key_place).below(index));
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
        self.0.value.as_ref().ok_or_else(Fault::following)
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
