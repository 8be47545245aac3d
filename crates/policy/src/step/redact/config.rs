//! `redact` as it is written in the configuration.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use wicketgate_config::{At, OneOrMany, Problems, RawSecret};

use super::cover::{Cover, Key};
use super::pattern::{Pattern, Patterns};
use super::{Redact, Rule};
use crate::fields::Path;

/// What is covered, and how. Names of fields stay as they are. It has `paths`, `patterns`, or both: then what has a pattern is
/// covered at these paths alone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRedact {
    /// The fields, as in `user.email`, `items[*].card` or `**.password`, with all that is in them; at most 200.
    paths: Option<At<OneOrMany<At<String>>>>,
    /// What is looked for in text, and in bytes: a whole value need not match. Card numbers are found in numbers too.
    patterns: Option<At<OneOrMany<RawPattern>>>,
    /// What takes its place. Default: `mask`.
    with: Option<RawWith>,
    /// The key of `hash` and `token`, of at least 16 characters: whoever has it can try out what was hashed.
    key: Option<At<RawSecret>>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawPattern {
    /// Payment card numbers: 13 to 19 digits that a known issuer begins so, of its lengths, whose check digit is right; also
    /// with single spaces or hyphens between groups.
    Card,
    /// E-mail addresses.
    Email,
    /// International bank account numbers of known countries, whose check digits are right; also in groups.
    Iban,
    /// Telephone numbers: those that begin with `+`, and the usual groups of North America, France, the United Kingdom
    /// and Germany.
    Phone,
    /// JSON Web Tokens, and what follows `Bearer`.
    Token,
    /// Private keys in PEM, and the keys of well-known services, as AWS, GitHub, GitLab, Google, OpenAI, Slack and Stripe.
    Key,
}

impl From<RawPattern> for Pattern {
    fn from(raw: RawPattern) -> Self {
        match raw {
            RawPattern::Card => Self::Card,
            RawPattern::Email => Self::Email,
            RawPattern::Iban => Self::Iban,
            RawPattern::Phone => Self::Phone,
            RawPattern::Token => Self::Token,
            RawPattern::Key => Self::Key,
        }
    }
}

/// What takes the place of what is redacted: a word, or a text.
#[derive(Clone, Debug)]
pub enum RawWith {
    /// A word.
    Word(RawCover),
    /// A text.
    Text(RawText),
}

/// What takes the place, by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawCover {
    /// `*` for every character; a card number keeps its last four digits. Numbers and truth values become `***`.
    Mask,
    /// Nothing: the field goes with its name, or its place in the list; what was found in a text goes out of the text.
    Remove,
    /// The first 32 hexadecimal digits of its HMAC-SHA-256.
    Hash,
    /// A placeholder of the same look, of at most 64 characters, made of its HMAC-SHA-256: digits for digits and letters for
    /// letters. The same value has the same token under one key. There is no vault: nothing leads back from it.
    Token,
}

/// A text that takes the place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawText {
    /// The text, of at most 1024 bytes.
    text: At<String>,
}

impl<'de> Deserialize<'de> for RawWith {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawWith;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`mask`, `remove`, `hash`, `token` or `{text: TEXT}`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawWith, E> {
                RawCover::deserialize(word.into_deserializer()).map(RawWith::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawWith, A::Error> {
                RawText::deserialize(MapAccessDeserializer::new(map)).map(RawWith::Text)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawWith {
    fn schema_name() -> Cow<'static, str> {
        "RawWith".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, text) = (generator.subschema_for::<RawCover>(), generator.subschema_for::<RawText>());
        json_schema!({ "anyOf": [word, text] })
    }
}

/// The most rules of one step.
const MAX_RULES: usize = 100;
/// The most paths of one rule.
const MAX_PATHS: usize = 200;
/// The longest text that takes the place, in bytes.
const MAX_TEXT: usize = 1024;
/// The shortest key, in characters.
const MIN_KEY: usize = 16;

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(raw: At<OneOrMany<At<RawRedact>>>, problems: &mut Problems) -> Redact {
    if raw.value.is_empty() || raw.value.len() > MAX_RULES {
        let what = format!("`redact` has {} rules", raw.value.len());
        problems.error(
            raw.place,
            what,
            format!("write 1 to {MAX_RULES}: `{{paths: [\"**.password\"], with: mask}}`"),
        );
    }
    Redact(raw.value.0.into_iter().filter_map(|rule| check_rule(rule, problems)).collect())
}

fn check_rule(At { value: raw, place }: At<RawRedact>, problems: &mut Problems) -> Option<Rule> {
    if raw.paths.is_none() && raw.patterns.is_none() {
        problems.error(place, "it is not said what is redacted", "add `paths:`, `patterns:`, or both");
    }
    let paths = raw.paths.map(|paths| Path::check_list(paths, MAX_PATHS, problems)).unwrap_or_default();
    let patterns = raw.patterns.map(|patterns| {
        if patterns.value.is_empty() {
            problems.error(patterns.place, "no pattern is listed", "list one or more, or leave the key out");
        }
        Patterns::new(patterns.value.iter().map(|raw| Pattern::from(*raw)))
    });
    let key = raw.key.as_ref().map(|key| key.place);
    let secret = raw.key.and_then(|key| RawSecret::check(key, "the key", MIN_KEY, problems));
    let mut keyed = |word| match (&secret, key) {
        (Some(secret), _) => Some(Key::new(secret)),
        (None, Some(_)) => None,
        (None, None) => {
            problems.error(
                place,
                format!("`{word}` has no key"),
                "add `key: {value: ${NAME}}`, or `key: {file: PATH}`",
            );
            None
        }
    };
    let cover = match raw.with.unwrap_or(RawWith::Word(RawCover::Mask)) {
        RawWith::Word(RawCover::Hash) => Cover::Hash(keyed("hash")?),
        RawWith::Word(RawCover::Token) => Cover::Token(keyed("token")?),
        with => {
            if let Some(key) = key {
                problems.error(
                    key,
                    "only `hash` and `token` take a key",
                    "take it out, or write `with: hash`",
                );
            }
            match with {
                RawWith::Word(RawCover::Remove) => Cover::Remove,
                RawWith::Word(_) => Cover::Mask,
                RawWith::Text(RawText { text }) => {
                    if text.value.len() > MAX_TEXT {
                        let what = format!("the text is longer than {MAX_TEXT} bytes");
                        problems.error(text.place, what, "say it shorter");
                    }
                    Cover::Text(text.value.into())
                }
            }
        }
    };
    Some(Rule { paths, patterns, cover })
}
