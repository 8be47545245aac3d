//! The `match` of a route, as it is written.

use std::borrow::Cow;
use std::fmt;

use http::Method;
use http::header::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use wicketgate_config::{At, OneOrMany, Problems, Table};

use super::matcher::{Conditions, HeaderTest, MatchConfig};
use super::pattern::{HostPattern, PathPattern};

/// Which requests a route is for. All that is given must hold.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMatch {
    /// A host without its port, or a list: `example.com`, `*.example.com` for every name below it, or `*` for all.
    pub host: OneOrMany<At<String>>,
    /// A path, or a list: `/a` for itself, `/a/*` for all that begins with `/a/`, or a glob: a `*` that is not the
    /// last segment stands for any characters within one segment, `**` for any number of segments.
    pub path: OneOrMany<At<String>>,
    /// A method, or a list. WebSocket handshakes count as GET.
    pub methods: OneOrMany<At<String>>,
    /// Headers by name: the exact value of one of its lines, or `{present: true}` or `{present: false}`.
    pub headers: Table<RawHeaderTest>,
    /// A subprotocol that the client offers, or a list of which it offers one.
    pub subprotocol: OneOrMany<At<String>>,
}

/// What a header must be: a text that it equals, or whether it is there at all.
#[derive(Clone, Debug)]
pub enum RawHeaderTest {
    /// One of its lines is exactly this.
    Is(String),
    /// Whether it is there.
    Present(bool),
}

impl RawMatch {
    pub(super) fn check(self, problems: &mut Problems) -> MatchConfig {
        let mut hosts = parsed(
            &self.host.0,
            HostPattern::parse,
            "host",
            "as in `example.com`, `*.example.com`, `*`",
            problems,
        );
        let mut paths =
            parsed(&self.path.0, PathPattern::parse, "path", "as in `/a`, `/a/*`, `/a/*/c`", problems);
        let method = |text: &str| match text.parse::<Method>() {
            Ok(Method::CONNECT) | Err(_) => Err("it cannot be matched".to_owned()),
            Ok(method) if text.bytes().all(|b| b.is_ascii_uppercase()) => Ok(method),
            Ok(_) => Err("methods are written in capitals".into()),
        };
        let mut methods =
            parsed(&self.methods.0, method, "method", "as in `GET`; WebSocket handshakes are GET", problems);
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let token = |text: &str| match text.bytes().all(is_token) && !text.is_empty() {
            true => Ok(Box::from(text)),
            false => Err("it has characters that no token has".to_owned()),
        };
        let mut subprotocols: Vec<Box<str>> =
            parsed(&self.subprotocol.0, token, "subprotocol", "as in `chat.v2`", problems);
        subprotocols.sort();
        let mut headers = Vec::new();
        for (at, test) in self.headers.0 {
            match at.parse::<HeaderName>() {
                Ok(name) if headers.iter().any(|(other, _)| *other == name) => {
                    let what = format!("the header `{name}` stands here twice");
                    problems.error(at.place, what, "capitals make no difference: keep one of them");
                }
                Ok(name) => headers.push((name, HeaderTest::from(test))),
                Err(_) => {
                    let what = format!("`{}` is no name of a header", at.value);
                    problems.error(at.place, what, "a name has letters, digits and `-`");
                }
            }
        }
        headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        if hosts.is_empty() {
            hosts.push(HostPattern::Any);
        }
        if paths.is_empty() {
            paths.push(PathPattern::Prefix("/".into()));
        }
        MatchConfig { hosts, paths, conditions: Conditions { methods, headers, subprotocols } }
    }
}

/// Reads each text of a list; what cannot be read, or stands there twice, goes to `problems`.
fn parsed<T: PartialEq>(
    texts: &[At<String>],
    parse: impl Fn(&str) -> Result<T, String>,
    what: &str,
    help: &str,
    problems: &mut Problems,
) -> Vec<T> {
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        match parse(text) {
            Ok(value) if values.contains(&value) => {
                let what = format!("the {what} `{}` stands here twice", text.value);
                problems.error(text.place, what, "keep one of them");
            }
            Ok(value) => values.push(value),
            Err(error) => {
                problems.error(text.place, format!("`{}` is no {what} to match: {error}", text.value), help);
            }
        }
    }
    values
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl From<RawHeaderTest> for HeaderTest {
    fn from(raw: RawHeaderTest) -> Self {
        match raw {
            RawHeaderTest::Is(value) => Self::Is(value.into()),
            RawHeaderTest::Present(true) => Self::Present,
            RawHeaderTest::Present(false) => Self::Absent,
        }
    }
}

impl<'de> Deserialize<'de> for RawHeaderTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Presence {
            present: bool,
        }

        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawHeaderTest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, `{present: true}` or `{present: false}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawHeaderTest, E> {
                Ok(RawHeaderTest::Is(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RawHeaderTest, E> {
                Ok(RawHeaderTest::Is(number.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawHeaderTest, A::Error> {
                let Presence { present } = de::Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawHeaderTest::Present(present))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawHeaderTest {
    fn schema_name() -> Cow<'static, str> {
        "HeaderTest".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a header must be: a text that one of its lines equals, or whether it is there.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "present": { "type": "boolean", "description": "Whether it is there at all." }
                    },
                    "required": ["present"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
