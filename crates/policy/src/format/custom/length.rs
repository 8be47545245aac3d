//! How a length, and a condition, are written: in short, or with what belongs to them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use wicketgate_config::{At, OneOrMany};

use super::words::{RawEndian, RawType};

/// How long something is, or how often it comes.
#[derive(Clone, Debug)]
pub enum RawLength {
    /// So much, always.
    Number(u64),
    /// A field's name, or `rest`.
    Word(String),
    /// With what belongs to it.
    With(RawLengthOf),
}

/// Where a length stands, and what is to be added to it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLengthOf {
    /// The earlier field that says it, as in `size` or `header.size`.
    pub(super) field: Option<At<String>>,
    /// The type of the number that stands right in front.
    pub(super) prefix: Option<At<RawType>>,
    /// The order of bytes of `prefix`, where it is not the field's.
    pub(super) endian: Option<At<RawEndian>>,
    /// What is to be added, or taken away where it is negative. Default: 0.
    pub(super) plus: At<i64>,
}

impl<'de> Deserialize<'de> for RawLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawLength;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, the name of an earlier field, `rest`, `{field: NAME, plus: NUMBER}` or `{prefix: u16}`")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RawLength, E> {
                Ok(RawLength::Number(number))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawLength, E> {
                Ok(RawLength::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawLength, A::Error> {
                RawLengthOf::deserialize(MapAccessDeserializer::new(map)).map(RawLength::With)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawLength {
    fn schema_name() -> Cow<'static, str> {
        "RawLength".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let with = generator.subschema_for::<RawLengthOf>();
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }, with] })
    }
}

/// When a field is there.
#[derive(Clone, Debug)]
pub enum RawIf {
    /// If this field is neither 0 nor `false`.
    Field(String),
    /// If a field has one of some values.
    Is(RawIs),
}

/// Some values of a field.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIs {
    /// The earlier field.
    pub(super) field: At<String>,
    /// The values: numbers, texts, or names of `values`.
    pub(super) is: At<OneOrMany<At<String>>>,
}

impl<'de> Deserialize<'de> for RawIf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawIf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an earlier field, or `{field: NAME, is: [VALUE, ...]}`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawIf, E> {
                Ok(RawIf::Field(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawIf, A::Error> {
                RawIs::deserialize(MapAccessDeserializer::new(map)).map(RawIf::Is)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawIf {
    fn schema_name() -> Cow<'static, str> {
        "RawIf".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let is = generator.subschema_for::<RawIs>();
        json_schema!({ "anyOf": [{ "type": "string" }, is] })
    }
}
