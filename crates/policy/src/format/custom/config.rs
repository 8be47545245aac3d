//! A declared format as it is written in the configuration.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Table};

use super::length::{RawIf, RawLength};
use super::words::{RawAlgorithm, RawData, RawEndian, RawEscape, RawType, RawUnknown};
use crate::format::states::RawState;

/// A private protocol's messages, declared field by field in the order in which they stand. Every byte belongs to a field: a
/// message that ends too early or goes on too long, or that holds what is not declared, is undecodable.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCustom {
    /// `text` or `binary`: the type of message that it comes in.
    #[serde(rename = "type")]
    pub(super) data: RawData,
    /// The order of bytes in numbers: `big` or `little`. Default: `big`.
    #[serde(default)]
    pub(super) endian: RawEndian,
    /// The path of the field that says what kind of message one is, where the policy has no `kind` of its own.
    #[serde(default)]
    pub(super) kind: Option<At<String>>,
    /// The message's fields, at most 1000 with those inside them and those of `structs`.
    pub(super) fields: At<Vec<Item<RawField>>>,
    /// Fields that stand in several places, or inside themselves, under names for `use`.
    #[serde(default)]
    pub(super) structs: Table<At<Vec<Item<RawField>>>>,
    /// The protocol's states, where the policy has no `states` of its own.
    #[serde(default)]
    pub(super) states: Option<At<Vec<Item<RawState>>>>,
}

/// One field. Which keys it may have is a matter of its `type`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawField {
    /// The field's name in paths: letters, digits, `_` and `-`, at most 64. Without one, `bits` and `switch` give their fields to
    /// what they stand in; `constant`, `padding` and `checksum` give none and need none.
    pub(super) name: Option<At<String>>,
    /// What it is.
    #[serde(rename = "type")]
    pub(super) what: Option<At<RawType>>,
    /// The field is there only if this holds: the name of an earlier field that is not 0, or `{field: NAME, is: [VALUE, ...]}`.
    #[serde(rename = "if")]
    pub(super) only: Option<At<RawIf>>,
    /// The order of bytes, where it is not the format's.
    pub(super) endian: Option<At<RawEndian>>,
    /// How many bytes it has: a number, the name of an earlier field that says so, `{field: NAME, plus: NUMBER}`,
    /// `{prefix: u16, plus: NUMBER}` for a number in front of it, `{plus: -4}` for all but the last 4, or `rest`. Default: `rest`
    /// for `text`, `bytes`, `integer`, `decimal`, `tlv` and `pairs`; as many as its fields have for `struct` and `list`.
    pub(super) length: Option<At<RawLength>>,
    /// The text behind which it ends, which is not part of it; the message ends too early without it.
    pub(super) until: Option<At<String>>,
    /// Whether it may also end without `until`, with what it stands in. Default: `false`.
    pub(super) or_end: Option<At<bool>>,
    /// The character around texts in which `until` and `separator` do not count, as in `'"'`.
    pub(super) quote: Option<At<String>>,
    /// How a quote stands inside quotes: `double` for twice, `backslash` for one behind a backslash. Default: `double`.
    pub(super) escape: Option<At<RawEscape>>,
    /// Whether a text that ends with `until` or `separator` may be empty without quotes. Default: `false`.
    pub(super) empty: Option<At<bool>>,
    /// Names for the field's values, as in `{1: login, 2: data}`; it is then a text. Others are refused, unless `unknown` says `keep`.
    pub(super) values: Option<At<Table<At<String>>>>,
    /// What happens to a value, tag or name that is not listed: `refuse`, or `keep` as it is. Default: `refuse`.
    pub(super) unknown: Option<At<RawUnknown>>,
    /// `constant`: the text that has to stand here.
    pub(super) value: Option<At<String>>,
    /// `constant`: the bytes that have to stand here, in hexadecimal.
    pub(super) hex: Option<At<String>>,
    /// `padding`: whether it may hold anything rather than zeros. Default: `false`.
    pub(super) any: Option<At<bool>>,
    /// `bits`: the number that they are parts of, one of `u8`, `u16`, `u32`, `u64`. Default: `u8`.
    pub(super) of: Option<At<RawType>>,
    /// `bits`: its parts, the highest first; their widths are together those of the number.
    pub(super) bits: Option<At<Vec<Item<RawBits>>>>,
    /// `struct`: the fields inside it.
    pub(super) fields: Option<At<Vec<Item<RawField>>>>,
    /// `struct`: the fields inside it, by their name under `structs`. Those cannot be referred to from outside.
    #[serde(rename = "use")]
    pub(super) named: Option<At<String>>,
    /// `list`: what stands in it again and again, a field without a name. `pairs`: what names that are not listed have; default:
    /// a text.
    pub(super) item: Option<Box<Item<RawField>>>,
    /// `list`: how many there are: a number, the name of an earlier field, `{prefix: u8}`, or `rest` for as many as fit. Default:
    /// `rest`.
    pub(super) count: Option<At<RawLength>>,
    /// `list` and `pairs`: the text that parts its values. One at the end begins another, empty value.
    pub(super) separator: Option<At<String>>,
    /// `pairs`: the text that parts name and value. Default: `=`.
    pub(super) assign: Option<At<String>>,
    /// `tlv`: how a tag is written, one of the types of whole numbers. Default: `u8`.
    pub(super) tag: Option<At<RawType>>,
    /// `tlv`: how the length of a value is written, one of the types of whole numbers. Default: `u8`.
    pub(super) size: Option<At<RawType>>,
    /// `tlv`: what is to be added to the length that is written for that of the value, as in `-2` where it counts tag and length.
    /// Default: 0.
    pub(super) size_plus: Option<At<i64>>,
    /// `tlv` and `pairs`: the field behind each tag or name, as in `{1: {name: temperature, type: i16}}`. Pairs without any may
    /// have all names.
    pub(super) entries: Option<At<Table<Item<RawField>>>>,
    /// `tlv`: whether a tag may come more than once; it is then a list, with a map of one name for each. Default: `false`.
    pub(super) repeat: Option<At<bool>>,
    /// `switch`: the earlier field whose value decides which fields follow.
    pub(super) on: Option<At<String>>,
    /// `switch`: which fields follow what value.
    pub(super) cases: Option<At<Vec<Item<RawCase>>>>,
    /// `switch`: which fields follow any other value. Such a message is refused without this key.
    pub(super) default: Option<At<Vec<Item<RawField>>>>,
    /// `checksum`: how it is computed, over what stands before it in the same `struct`, or in the message.
    pub(super) algorithm: Option<At<RawAlgorithm>>,
    /// `checksum`: how many bytes at the beginning it leaves out. Default: 0.
    pub(super) skip: Option<At<u32>>,
}

/// Part of a number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBits {
    /// The field's name in paths. Bits without one have to be zero.
    #[serde(default)]
    pub(super) name: Option<At<String>>,
    /// How many bits it has, 1 to 64. One bit is `true` or `false`; more are a whole number.
    pub(super) width: At<u8>,
    /// Names for its values.
    #[serde(default)]
    pub(super) values: Option<At<Table<At<String>>>>,
    /// What happens to a value that is not listed. Default: `refuse`.
    #[serde(default)]
    pub(super) unknown: RawUnknown,
}

/// Fields that follow some values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCase {
    /// The values: numbers, texts, or names of `values`.
    pub(super) is: At<OneOrMany<At<String>>>,
    /// What follows; it may be empty.
    pub(super) fields: At<Vec<Item<RawField>>>,
}
