//! Which keys a field may have, by its type.

use wicketgate_config::{Place, Problems};

use super::config::RawField;
use super::words::RawType;

impl RawType {
    /// Its word in the configuration.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U24 => "u24",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Varint => "varint",
            Self::Zigzag => "zigzag",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Constant => "constant",
            Self::Padding => "padding",
            Self::Bits => "bits",
            Self::Struct => "struct",
            Self::List => "list",
            Self::Tlv => "tlv",
            Self::Pairs => "pairs",
            Self::Switch => "switch",
            Self::Checksum => "checksum",
        }
    }

    /// The keys beside `name`, `type` and `if`.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::U8
            | Self::U16
            | Self::U24
            | Self::U32
            | Self::U64
            | Self::I8
            | Self::I16
            | Self::I32
            | Self::I64
            | Self::Varint
            | Self::Zigzag => &["endian", "values", "unknown"],
            Self::F32 | Self::F64 => &["endian"],
            Self::Text => {
                &["length", "endian", "until", "or_end", "quote", "escape", "empty", "values", "unknown"]
            }
            Self::Bytes | Self::Decimal => &["length", "endian", "until", "or_end"],
            Self::Integer => &["length", "endian", "until", "or_end", "values", "unknown"],
            Self::Constant => &["value", "hex"],
            Self::Padding => &["length", "endian", "any"],
            Self::Bits => &["of", "endian", "bits"],
            Self::Struct => &["fields", "use", "length", "endian", "until", "or_end", "quote", "escape"],
            Self::List => {
                &["item", "count", "separator", "length", "endian", "until", "or_end", "quote", "escape"]
            }
            Self::Tlv => &["tag", "size", "size_plus", "entries", "unknown", "repeat", "length", "endian"],
            Self::Pairs => &[
                "separator",
                "assign",
                "entries",
                "item",
                "unknown",
                "length",
                "endian",
                "until",
                "or_end",
                "quote",
                "escape",
            ],
            Self::Switch => &["on", "cases", "default"],
            Self::Checksum => &["algorithm", "skip", "endian"],
        }
    }
}

/// Refuses the keys that say nothing about a field of this type.
pub(super) fn check(raw: &RawField, what: RawType, problems: &mut Problems) {
    for (key, place) in written(raw) {
        if !what.keys().contains(&key) {
            let word = what.word();
            let keys = what.keys().iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            problems.error(
                place,
                format!("`{key}` says nothing about a field of type `{word}`"),
                format!("remove it; beside `name`, `type` and `if`, such a field may have {keys}"),
            );
        }
    }
}

/// The keys that are there, beside `name`, `type` and `if`.
fn written(raw: &RawField) -> impl Iterator<Item = (&'static str, Place)> {
    macro_rules! places {
        ($($key:literal: $field:ident),+ $(,)?) => {
            [$(($key, raw.$field.as_ref().map(|at| at.place))),+]
        };
    }
    let all = places! {
        "endian": endian, "length": length, "until": until, "or_end": or_end, "quote": quote,
        "escape": escape, "empty": empty, "values": values, "unknown": unknown, "value": value,
        "hex": hex, "any": any, "of": of, "bits": bits, "fields": fields, "use": named, "item": item,
        "count": count, "separator": separator, "assign": assign, "tag": tag, "size": size,
        "size_plus": size_plus, "entries": entries, "repeat": repeat, "on": on, "cases": cases,
        "default": default, "algorithm": algorithm, "skip": skip,
    };
    all.into_iter().filter_map(|(key, place)| Some((key, place?)))
}
