//! `limit` as it is written in the configuration.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};
use wicketgate_config::{At, Problems};
use wicketgate_meter::rate::Rate;

use super::{Key, Limit, Shared};
use crate::fields::Path;

/// So many messages a second. What is beyond the rate uses nothing of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLimit {
    /// Whose messages are counted together: `session`, `identity`, `address`, `{field: PATH}`, or `{claim: NAME}`. Messages
    /// without it are counted together. Default: `session`.
    #[serde(default)]
    key: Option<RawKey>,
    /// Messages a second, 1 to 1000000.
    per_second: At<u32>,
    /// Messages at once, 1 to 10000000. Default: as many as in two seconds.
    #[serde(default)]
    burst: Option<At<u32>>,
    /// How many keys can be told apart at once, 64 to 10000000; of `session`, each session has its own. Only those that have
    /// used some of their rate need a place; when all are taken, newcomers share one until another is free. 32 bytes each,
    /// so 2 MiB at the default. Default: 65536.
    #[serde(default)]
    entries: Option<At<u32>>,
}

/// Whose messages are counted together.
#[derive(Clone, Debug)]
pub enum RawKey {
    /// A word.
    Word(RawKeyWord),
    /// What the message or the credential says.
    Of(RawKeyOf),
}

/// Whose messages are counted together, by a word.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawKeyWord {
    /// Each session's.
    Session,
    /// Each subject's, over all its sessions.
    Identity,
    /// Each client address's, over all its sessions.
    Address,
}

/// Whose messages are counted together, by what the message or the credential says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawKeyOf {
    /// Those with one value of this field, as in `room`.
    Field(At<String>),
    /// Those of clients with one value of this claim.
    Claim(At<String>),
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`session`, `identity`, `address`, `{field: PATH}` or `{claim: NAME}`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawKey, E> {
                RawKeyWord::deserialize(word.into_deserializer()).map(RawKey::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawKey, A::Error> {
                RawKeyOf::deserialize(MapAccessDeserializer::new(map)).map(RawKey::Of)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawKey {
    fn schema_name() -> Cow<'static, str> {
        "RawKey".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, of) = (generator.subschema_for::<RawKeyWord>(), generator.subschema_for::<RawKeyOf>());
        json_schema!({ "anyOf": [word, of] })
    }
}

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(At { value: raw, .. }: At<RawLimit>, problems: &mut Problems) -> Option<Limit> {
    let per_second = problems.in_range("per_second", &raw.per_second, 1..=1_000_000);
    let burst = match &raw.burst {
        Some(burst) => problems.in_range("burst", burst, 1..=10_000_000),
        None => per_second.saturating_mul(2),
    };
    let entries = match &raw.entries {
        Some(entries) => problems.in_range("entries", entries, 64..=10_000_000),
        None => 65_536,
    };
    let key = match raw.key.unwrap_or(RawKey::Word(RawKeyWord::Session)) {
        RawKey::Word(RawKeyWord::Session) => Key::Session,
        RawKey::Word(RawKeyWord::Identity) => Key::Identity,
        RawKey::Word(RawKeyWord::Address) => Key::Address,
        RawKey::Of(RawKeyOf::Field(path)) => Key::Field(Path::check(&path, problems)?),
        RawKey::Of(RawKeyOf::Claim(name)) => Key::Claim(name.value.into()),
    };
    if let (Key::Session, Some(entries)) = (&key, &raw.entries) {
        problems.error(
            entries.place,
            "each session has its own count",
            "take `entries` out, or name another `key`",
        );
    }
    let shared = Shared { entries: entries as usize, used: OnceLock::new() };
    Some(Limit { rate: Rate::new(per_second.into(), burst.into()), key, shared: Arc::new(shared) })
}
