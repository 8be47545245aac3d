//! What happens to a message that a step does not let pass.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use wicketgate_config::{At, Problems};
use wicketgate_wire::{CloseCode, DataKind};

use crate::finding::Action;
use crate::verdict::{Reply, Verdict};

/// What happens to a message that a step does not let pass: a word, or one with what belongs to it.
#[derive(Clone, Debug)]
pub enum RawThen {
    /// A word alone.
    Word(RawWord),
    /// A word with what belongs to it.
    With(RawWith),
}

/// What happens, by a word alone.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawWord {
    /// The session ends: whoever sent it is told 1008.
    Close,
    /// It does not go on.
    Drop,
    /// It goes on, and a finding is recorded.
    Record,
}

/// What happens, with what belongs to it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawWith {
    /// The session ends: whoever sent it is told this code, 1008 or 4000 to 4999.
    Close(At<u16>),
    /// It does not go on, and whoever sent it gets this text message, of at most 4096 bytes.
    Reply(At<String>),
}

impl<'de> Deserialize<'de> for RawThen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawThen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`close`, `drop`, `record`, `{close: CODE}` or `{reply: TEXT}`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawThen, E> {
                RawWord::deserialize(word.into_deserializer()).map(RawThen::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawThen, A::Error> {
                RawWith::deserialize(MapAccessDeserializer::new(map)).map(RawThen::With)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawThen {
    fn schema_name() -> Cow<'static, str> {
        "RawThen".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, with) = (generator.subschema_for::<RawWord>(), generator.subschema_for::<RawWith>());
        json_schema!({ "anyOf": [word, with] })
    }
}

/// What happens to a message that a step does not let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The session ends with this code.
    Close(CloseCode),
    /// It does not go on.
    Drop,
    /// It does not go on, and whoever sent it is answered.
    Reply(Reply),
    /// It goes on, and a finding is recorded.
    Record,
}

impl Default for Then {
    fn default() -> Self {
        Self::Close(CloseCode::POLICY)
    }
}

/// The longest answer, in bytes.
const MAX_REPLY: usize = 4096;

impl RawThen {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Then {
        match self {
            Self::Word(RawWord::Close) => Then::default(),
            Self::Word(RawWord::Drop) => Then::Drop,
            Self::Word(RawWord::Record) => Then::Record,
            Self::With(RawWith::Close(code)) => {
                if !matches!(code.value, 1008 | 4000..=4999) {
                    let what = format!("a policy closes with 1008 or 4000 to 4999, not {}", code.value);
                    problems.error(
                        code.place,
                        what,
                        "write `close`, or one of your own codes: `{close: 4400}`",
                    );
                }
                Then::Close(CloseCode(code.value))
            }
            Self::With(RawWith::Reply(text)) => {
                if text.value.len() > MAX_REPLY {
                    let what = format!("the reply is longer than {MAX_REPLY} bytes");
                    problems.error(text.place, what, "say it shorter");
                }
                Then::Reply(Reply { kind: DataKind::Text, payload: text.value.into_bytes().into() })
            }
        }
    }
}

impl Then {
    /// What it comes to for the message; none where that goes on.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Close(code) => Some(Verdict::Close(*code)),
            Self::Drop => Some(Verdict::Drop),
            Self::Reply(reply) => Some(Verdict::Reply(reply.clone())),
            Self::Record => None,
        }
    }

    pub(crate) const fn action(&self) -> Action {
        match self {
            Self::Close(_) => Action::Closed,
            Self::Drop => Action::Dropped,
            Self::Reply(_) => Action::Replied,
            Self::Record => Action::Recorded,
        }
    }
}
