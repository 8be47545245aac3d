//! Operators: what a rule asks of a value.

mod address;
mod bytes;
mod injection;
mod phrase;
mod word;

use std::path::Path;

use crate::byte_set::ByteSet;
use crate::load::{Data, Stamp, data_file};
use crate::macros::Macro;
use crate::names::Names;
use crate::pattern::Pattern;

pub(crate) use address::Networks;
pub(crate) use injection::Injection;
pub(crate) use phrase::Phrases;

/// What a rule asks of a value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Rx(Pattern),
    Phrases(Phrases),
    Text(Relation, Macro),
    Number(Order, Macro),
    Injection(Injection),
    /// A byte that is not in the set.
    ByteOutside(ByteSet),
    UrlEncoding,
    Utf8Encoding,
    Address(Networks),
    Always,
    Never,
}

/// How a value stands to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Contains,
    ContainsWord,
    BeginsWith,
    EndsWith,
    Equals,
    /// The value stands in the text.
    Within,
}

/// How a value stands to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    NotLess,
    Greater,
    NotGreater,
    Less,
}

/// Why an operator cannot be asked.
pub(crate) type Unsupported = String;

impl Test {
    /// Reads an operator, as in `@rx ^a`; `beside` is the folder of its file.
    pub(crate) fn read(
        text: &str,
        beside: &Path,
        names: &mut Names,
        stamps: &mut Vec<Stamp>,
        unknown: &mut dyn FnMut(String),
    ) -> Result<Self, Unsupported> {
        let (name, argument) = match text.strip_prefix('@') {
            Some(named) => named.split_once(char::is_whitespace).unwrap_or((named, "")),
            None => ("rx", text),
        };
        let mut relation =
            |relation| Ok(Self::Text(relation, Macro::read(argument.trim_start(), names, unknown)));
        match name.to_ascii_lowercase().as_str() {
            "rx" if argument.contains("%{") => Err("`@rx` with a variable in it".into()),
            "rx" => Pattern::new(argument).map(Self::Rx).map_err(|fault| fault.to_string()),
            "pm" => Ok(Self::Phrases(Phrases::new(&phrase::words(argument)))),
            "pmf" | "pmfromfile" => {
                let lines = data_lines(argument, beside, stamps)?;
                Ok(Self::Phrases(Phrases::new(&lines)))
            }
            "contains" | "strmatch" => relation(Relation::Contains),
            "containsword" => relation(Relation::ContainsWord),
            "beginswith" => relation(Relation::BeginsWith),
            "endswith" => relation(Relation::EndsWith),
            "streq" => relation(Relation::Equals),
            "within" => relation(Relation::Within),
            "eq" => Ok(Self::Number(Order::Equal, Macro::read(argument, names, unknown))),
            "ge" => Ok(Self::Number(Order::NotLess, Macro::read(argument, names, unknown))),
            "gt" => Ok(Self::Number(Order::Greater, Macro::read(argument, names, unknown))),
            "le" => Ok(Self::Number(Order::NotGreater, Macro::read(argument, names, unknown))),
            "lt" => Ok(Self::Number(Order::Less, Macro::read(argument, names, unknown))),
            "detectsqli" => Ok(Self::Injection(Injection::Sql)),
            "detectxss" => Ok(Self::Injection(Injection::Html)),
            "validatebyterange" => bytes::range(argument).map(Self::ByteOutside),
            "validateurlencoding" => Ok(Self::UrlEncoding),
            "validateutf8encoding" => Ok(Self::Utf8Encoding),
            "ipmatch" => Networks::new(argument.split(',')).map(Self::Address),
            "ipmatchf" | "ipmatchfromfile" => {
                let lines = data_lines(argument, beside, stamps)?;
                Networks::new(lines.iter().map(String::as_str)).map(Self::Address)
            }
            "nomatch" => Ok(Self::Never),
            "unconditionalmatch" => Ok(Self::Always),
            _ => Err(format!("the operator `@{name}`")),
        }
    }
}

fn data_lines(argument: &str, beside: &Path, stamps: &mut Vec<Stamp>) -> Result<Vec<String>, Unsupported> {
    let mut all = Vec::new();
    for name in argument.split_whitespace() {
        stamps.push(Stamp::of(&beside.join(name)));
        let Data(lines) = data_file(&beside.join(name)).map_err(|error| error.to_string())?;
        all.extend(lines);
    }
    Ok(all)
}

impl Relation {
    /// Whether a value stands so to a text.
    pub(crate) fn holds(self, value: &[u8], text: &[u8]) -> bool {
        match self {
            Self::Contains => memchr::memmem::find(value, text).is_some(),
            Self::ContainsWord => word::contains(value, text),
            Self::BeginsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
            Self::Equals => value == text,
            Self::Within => memchr::memmem::find(text, value).is_some(),
        }
    }
}

impl Order {
    /// Whether a number stands so to another.
    pub(crate) const fn holds(self, value: i64, other: i64) -> bool {
        match self {
            Self::Equal => value == other,
            Self::NotLess => value >= other,
            Self::Greater => value > other,
            Self::NotGreater => value <= other,
            Self::Less => value < other,
        }
    }
}

/// The number at the start of a text, as C's `atoi` reads it; 0 where none is.
pub(crate) fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text.split_first() {
        Some((b'-', digits)) => (-1, digits),
        Some((b'+', digits)) => (1, digits),
        _ => (1, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value =
        digits.fold(0i64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    sign * value
}

pub(crate) use bytes::{is_url_encoded, is_utf8};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, value) in
            [(&b"12x"[..], 12), (b" -3", -3), (b"x", 0), (b"", 0), (b"99999999999999999999", i64::MAX)]
        {
            assert_eq!(number(text), value);
        }
    }

    #[test]
    fn texts_stand_to_each_other() {
        assert!(Relation::Within.holds(b"GET", b"GET POST") && Relation::Within.holds(b"", b"GET"));
        assert!(Relation::Contains.holds(b"a/b", b"/") && !Relation::Contains.holds(b"A", b"a"));
        assert!(Relation::ContainsWord.holds(b"a/etc b", b"etc"));
        assert!(!Relation::ContainsWord.holds(b"fetch etcd", b"etc"));
        assert!(Order::Less.holds(1, 2) && !Order::Greater.holds(2, 2) && Order::NotLess.holds(2, 2));
    }
}
