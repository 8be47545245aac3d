//! What texts of one field have in common: their lengths, a pattern, and the few values that they are.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::RegexSet;

/// The most values that are told apart.
const MAX_VALUES: usize = 12;
/// The longest value that may be one of few, in bytes.
const MAX_VALUE: usize = 40;
/// The longest text that patterns are tried on, in bytes.
const MAX_TRIED: usize = 256;

/// Patterns for texts, the narrowest first. One stands in a schema as it stands here, so that what it was found by and what it
/// is judged by are the same.
const PATTERNS: [&str; 9] = [
    "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "^[0-9]{1,3}([.][0-9]{1,3}){3}$",
    "^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$",
    "^[0-9]+$",
    "^[A-Za-z0-9]+$",
    "^[A-Za-z0-9_.:-]+$",
    "^[A-Za-z0-9_.:/+=@#-]+$",
];
/// What they are called in comments.
const NAMES: [&str; 9] = [
    "a UUID",
    "a date and time",
    "a date",
    "an IPv4 address",
    "an e-mail address",
    "digits",
    "letters and digits",
    "a word",
    "a word or address",
];
/// Those whose texts are never few values: they name a thing, a time or a person.
const NAMING: u16 = 0b01_1111;
/// What a value of few is written in: whatever else is free text.
const WORD: usize = 7;

static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(PATTERNS).ok());

/// What the texts of a field have in common.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) seen: u64,
    /// In characters.
    pub(crate) shortest: u64,
    pub(crate) longest: u64,
    /// A bit for each pattern that all of them fit.
    patterns: u16,
    /// None once they are too many, or anything else than words.
    values: Option<BTreeSet<Box<str>>>,
}

impl Texts {
    pub(crate) fn new() -> Self {
        let values = Some(BTreeSet::new());
        Self { seen: 0, shortest: u64::MAX, longest: 0, patterns: (1 << PATTERNS.len()) - 1, values }
    }

    pub(crate) fn observe(&mut self, text: &str, is_secret: bool) {
        let length = text.chars().count() as u64;
        self.seen += 1;
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
        if is_secret {
            return self.forget();
        }
        if self.patterns != 0 {
            self.patterns &= fitting(text);
        }
        match &mut self.values {
            Some(values) if text.len() <= MAX_VALUE && self.patterns & 1 << WORD != 0 => {
                if !values.contains(text) {
                    values.insert(text.into());
                }
                if values.len() > MAX_VALUES {
                    self.values = None;
                }
            }
            _ => self.values = None,
        }
    }

    /// Keeps the lengths alone.
    pub(crate) fn forget(&mut self) {
        self.patterns = 0;
        self.values = None;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.seen += other.seen;
        self.shortest = self.shortest.min(other.shortest);
        self.longest = self.longest.max(other.longest);
        self.patterns &= other.patterns;
        self.values = match (self.values.take(), other.values) {
            (Some(mut values), Some(others)) => {
                values.extend(others);
                Some(values).filter(|values| values.len() <= MAX_VALUES)
            }
            _ => None,
        };
    }

    /// The values, where they are few and each came several times.
    pub(crate) fn few(&self, min_count: u64) -> Option<&BTreeSet<Box<str>>> {
        let values = self.values.as_ref().filter(|values| !values.is_empty())?;
        let enough = self.seen >= min_count && self.seen >= 3 * values.len() as u64;
        (enough && self.patterns & NAMING == 0).then_some(values)
    }

    /// The narrowest pattern that all of them fit, and what it is called.
    pub(crate) fn pattern(&self) -> Option<(&'static str, &'static str)> {
        let number = (self.patterns != 0).then(|| self.patterns.trailing_zeros() as usize)?;
        PATTERNS.get(number).copied().zip(NAMES.get(number).copied())
    }
}

/// A bit for each pattern that the text fits.
fn fitting(text: &str) -> u16 {
    let Some(set) = SET.as_ref().filter(|_| text.len() <= MAX_TRIED) else { return 0 };
    set.matches(text).iter().fold(0, |bits, number| bits | 1 << number)
}

/// Whether a name of a map is one of a program, and not the id of a thing or a person.
pub(crate) fn is_field_name(name: &str) -> bool {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let begins = name.starts_with(|c: char| c.is_alphabetic() || "_$@".contains(c));
    let is_number = !name.is_empty() && digits == name.len() && digits <= 2;
    let is_word = begins
        && name.len() <= 64
        && (digits <= 2 || digits * 3 <= name.len())
        && !name.chars().any(|c| c.is_control() || "*{}\"'\\<>".contains(c))
        && fitting(name) & NAMING == 0;
    is_number || is_word
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(list: &[&str]) -> Texts {
        let mut texts = Texts::new();
        list.iter().for_each(|text| texts.observe(text, false));
        texts
    }

    #[test]
    fn the_narrowest_pattern_is_found() {
        for (list, name) in [
            (&["123e4567-e89b-12d3-a456-426614174000"][..], "a UUID"),
            (&["2026-11-28T10:00:00Z", "2026-11-28T10:00:00.25+01:00"], "a date and time"),
            (&["2026-11-28"], "a date"),
            (&["2026-11-28", "today"], "a word"),
            (&["12", "7"], "digits"),
            (&["ann@example.org"], "an e-mail address"),
        ] {
            assert_eq!(texts(list).pattern().map(|(_, name)| name), Some(name), "{list:?}");
        }
        assert!(texts(&["hello there"]).pattern().is_none());
        assert!(texts(&["word", ""]).pattern().is_none());
        assert!(texts(&["a\nb"]).pattern().is_none());
        assert!(texts(&["word\n"]).pattern().is_none());
    }

    #[test]
    fn few_words_are_values_and_nothing_else_is() {
        let often = |list: &[&'static str]| -> Vec<&'static str> { list.repeat(5) };
        let values = texts(&often(&["red", "green"]));
        assert_eq!(values.few(10).map(BTreeSet::len), Some(2));
        assert!(values.few(11).is_none());
        assert!(texts(&["red", "green"]).few(1).is_none());
        assert!(texts(&often(&["2026-11-28"])).few(1).is_none());
        assert!(texts(&often(&["hello there"])).few(1).is_none());
        let mut secret = texts(&often(&["red"]));
        secret.observe("red", true);
        assert!(secret.few(1).is_none() && secret.pattern().is_none());
        let numbers: Vec<String> = (0..13).map(|number| format!("v{number}")).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        assert!(texts(&numbers.repeat(5)).few(1).is_none());
    }

    #[test]
    fn ids_are_no_names_of_fields() {
        for name in ["type", "user_id", "$ref", "x1", "1", "größe", "a b"] {
            assert!(is_field_name(name), "{name}");
        }
        for name in ["", "1001", "u1001", "ann@example.org", "123e4567-e89b-12d3-a456-426614174000", "a\"b"] {
            assert!(!is_field_name(name), "{name}");
        }
    }
}
