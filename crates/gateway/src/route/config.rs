//! A route: which requests it is for, and what becomes of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::edit::{RawHeaderEdits, Side};
use super::matcher::{Conditions, HeaderTest, HeaderTextOrder, MatchConfig};
use super::pattern::{HostPattern, PathPattern};
use super::respond::{RawRedirect, RawRespond};
use super::rewrite::RawRewrite;
use super::{HeaderEdits, Redirect, Respond, Rewrite};
use crate::config::problem::Problems;
use crate::config::value::{At, OneOrMany, Place, Size, Switch, Time, Toggle};
use crate::pump::config::{RawWebSocket, WebSocketConfig};

/// A route: which requests it is for, and what becomes of them. It has one of `upstream`, `redirect` and `respond`.
///
/// The most specific route is taken: an exact host before the longest `*.name` before any host; then an exact path
/// before the prefix or glob with the most literal characters; then the route with more conditions (each header, the
/// methods, the subprotocols); then the one that stands first.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// The name in logs and metrics: letters, digits, `-`, `_` and `.`, at most 64; no two routes share one.
    pub name: At<String>,
    /// Which requests it is for; all of them where this is left out.
    #[serde(default, rename = "match")]
    pub matching: RawMatch,
    /// The name of the upstream that requests go to.
    #[serde(default)]
    pub upstream: Option<At<String>>,
    /// An answer that sends the client elsewhere.
    #[serde(default)]
    pub redirect: Option<At<RawRedirect>>,
    /// A fixed answer.
    #[serde(default)]
    pub respond: Option<At<RawRespond>>,
    /// Another path for the upstream.
    #[serde(default)]
    pub rewrite: Option<At<RawRewrite>>,
    /// Headers of requests, changed before they go to the upstream.
    #[serde(default)]
    pub request_headers: Option<At<RawHeaderEdits>>,
    /// Headers of responses, changed before they go to the client.
    #[serde(default)]
    pub response_headers: Option<At<RawHeaderEdits>>,
    /// WebSocket sessions: their rules, or `off` for none.
    #[serde(default)]
    pub websocket: Option<At<Toggle<RawWebSocket>>>,
    /// Plain HTTP requests, `on` or `off`.
    #[serde(default)]
    pub http: Option<At<Switch>>,
    /// Deadlines of plain HTTP requests, where they differ from the upstream's.
    #[serde(default)]
    pub timeouts: Option<At<RawTimeouts>>,
    /// The longest body of a plain HTTP request, 0 to 1TiB; 413 beyond it. Bodies are streamed, so it costs no memory.
    /// The default is 64MiB.
    #[serde(default)]
    pub max_request_body: Option<At<Size>>,
}

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
    pub headers: BTreeMap<String, At<RawHeaderTest>>,
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

/// Deadlines of plain HTTP requests, where they differ from the upstream's.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTimeouts {
    /// From the last piece of a request that was sent to the head of its response, 1ms to 24h; 504 beyond it.
    pub response_head: Option<At<Time>>,
    /// Between two pieces of either body, 1ms to 24h; the request is then cut off.
    pub idle_body: Option<At<Time>>,
}

/// A route, checked and complete.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// The name in logs and metrics.
    pub name: Arc<str>,
    /// Which requests it is for.
    pub matching: MatchConfig,
    /// What becomes of them.
    pub action: Action,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It goes to an upstream.
    Proxy(Box<ProxyConfig>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Respond(Respond),
}

/// How requests go to an upstream.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The name of the upstream.
    pub upstream: Arc<str>,
    /// Another path for the upstream.
    pub rewrite: Rewrite,
    /// Headers of requests, changed before they go to the upstream.
    pub request_headers: HeaderEdits,
    /// Headers of responses, changed before they go to the client.
    pub response_headers: HeaderEdits,
    /// WebSocket sessions; `None` where they are refused.
    pub websocket: Option<WebSocketConfig>,
    /// Plain HTTP requests; `None` where they are refused.
    pub http: Option<HttpConfig>,
}

/// How plain HTTP requests go to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// From the last piece of a request that was sent to the head of its response; `None`: the upstream's.
    pub response_head_timeout: Option<Duration>,
    /// Between two pieces of either body; `None`: the upstream's.
    pub idle_body_timeout: Option<Duration>,
    /// The longest body of a request, in bytes.
    pub max_request_body: u64,
}

/// The longest request body where nothing is said.
const DEFAULT_MAX_BODY: Size = Size(64 << 20);

impl RawRoute {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(mut self, problems: &mut Problems) -> Option<RouteConfig> {
        let matching = std::mem::take(&mut self.matching).check(problems);
        let name: Arc<str> = self.name.value.as_str().into();
        let place = self.name.place;
        let given = [
            ("upstream", self.upstream.as_ref().map(|at| at.place)),
            ("redirect", self.redirect.as_ref().map(|at| at.place)),
            ("respond", self.respond.as_ref().map(|at| at.place)),
        ];
        let mut given = given.iter().filter_map(|(key, place)| place.map(|place| (*key, place)));
        let Some(first) = given.next() else {
            problems.error(
                place,
                format!("the route `{name}` leads nowhere"),
                "add `upstream`, `redirect` or `respond`",
            );
            return None;
        };
        for second in given {
            let what = format!("the route `{name}` has `{}` beside `{}`", second.0, first.0);
            problems.error(second.1, what, "keep one of them").also(first.1, "the other one");
        }
        if first.0 != "upstream" {
            self.refuse_proxy_keys(first.0, problems);
        }
        let action = match (self.upstream.take(), self.redirect.take(), self.respond.take()) {
            (Some(upstream), ..) => Action::Proxy(Box::new(self.proxy(&upstream, &matching, problems))),
            (_, Some(redirect), _) => Action::Redirect(redirect.value.check(problems)?),
            (.., Some(respond)) => Action::Respond(respond.value.check(problems)),
            (None, None, None) => return None,
        };
        Some(RouteConfig { name, matching, action })
    }

    /// Keys that mean something only beside `upstream`.
    fn refuse_proxy_keys(&self, action: &str, problems: &mut Problems) {
        fn place<T>(at: &Option<At<T>>) -> Option<Place> {
            at.as_ref().map(|at| at.place)
        }
        for (key, place) in [
            ("rewrite", place(&self.rewrite)),
            ("request_headers", place(&self.request_headers)),
            ("response_headers", place(&self.response_headers)),
            ("websocket", place(&self.websocket)),
            ("http", place(&self.http)),
            ("timeouts", place(&self.timeouts)),
            ("max_request_body", place(&self.max_request_body)),
        ] {
            if let Some(place) = place {
                let what = format!("`{key}` means nothing beside `{action}`");
                problems.error(place, what, "remove it, or send requests to an `upstream`");
            }
        }
    }

    fn proxy(self, upstream: &At<String>, matching: &MatchConfig, problems: &mut Problems) -> ProxyConfig {
        let edits = |edits: Option<At<RawHeaderEdits>>, side, problems: &mut Problems| {
            edits.map(|edits| edits.value.check(side, problems)).unwrap_or_default()
        };
        let websocket = match self.websocket.map(|at| at.value).unwrap_or_default() {
            Toggle::Off => None,
            Toggle::On(raw) => Some(raw.check(problems)),
        };
        let http_off = self.http.as_ref().filter(|http| !http.is_on());
        if let (Some(off), None) = (http_off, &websocket) {
            problems.error(
                off.place,
                "this route takes neither WebSocket sessions nor plain HTTP",
                "leave `http` or `websocket` on, or answer with `respond`",
            );
        }
        if let (Some(off), Some(place)) = (
            http_off,
            self.timeouts.as_ref().map(|t| t.place).or(self.max_request_body.as_ref().map(|b| b.place)),
        ) {
            problems
                .error(place, "this is for plain HTTP, which is off", "remove it, or leave `http` on")
                .also(off.place, "off here");
        }
        let timeouts = self.timeouts.map(|at| at.value).unwrap_or_default();
        let mut span = |name: &str, time: Option<At<Time>>| {
            time.map(|time| problems.in_range(name, &time, Time::millis(1)..=Time::secs(86_400)).0)
        };
        let response_head_timeout = span("response_head", timeouts.response_head);
        let idle_body_timeout = span("idle_body", timeouts.idle_body);
        let max_body = self.max_request_body.unwrap_or(At::nowhere(DEFAULT_MAX_BODY));
        let http = HttpConfig {
            response_head_timeout,
            idle_body_timeout,
            max_request_body: problems.in_range("max_request_body", &max_body, Size(0)..=Size(1 << 40)).0,
        };
        ProxyConfig {
            upstream: upstream.value.as_str().into(),
            rewrite: self.rewrite.map(|at| at.value.check(&matching.paths, problems)).unwrap_or_default(),
            request_headers: edits(self.request_headers, Side::Request, problems),
            response_headers: edits(self.response_headers, Side::Response, problems),
            websocket,
            http: http_off.is_none().then_some(http),
        }
    }
}

impl RawMatch {
    fn check(self, problems: &mut Problems) -> MatchConfig {
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
        let mut headers = BTreeMap::new();
        for (name, test) in self.headers {
            match name.parse::<HeaderName>() {
                Ok(name) => drop(headers.insert(HeaderTextOrder(name), test.value.into())),
                Err(_) => {
                    let what = format!("`{name}` is no name of a header");
                    problems.error(test.place, what, "a name has letters, digits and `-`");
                }
            }
        }
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
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderTest".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a header must be: a text that one of its lines equals, or whether it is there.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "present": { "type": "boolean" } },
                    "required": ["present"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
