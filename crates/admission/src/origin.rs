//! Which pages may ask: the `Origin` that browsers send with a handshake, and that no page can forge.
//!
//! Browsers let a page of any origin open a WebSocket with the cookies of the server, and let it read what comes. The server
//! alone can refuse (RFC 6455 section 10.2).

use std::borrow::Cow;
use std::fmt;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use wicketgate_config::{At, Problems};

use super::refusal::Refusal;

/// Which pages may use the route, by the `Origin` that browsers send: `same`, the default; `any`; or a list.
#[derive(Clone, Debug)]
pub enum RawOrigin {
    /// Pages of the very scheme, host and port that are asked.
    Same,
    /// Any page.
    Any,
    /// Those that are listed.
    Rules(RawOriginRules),
}

/// Which pages may use the route, written out.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOriginRules {
    /// The origins that pass, exactly as browsers send them: `https://a.example`, `https://b.example:8443`, or
    /// `https://*.c.example` for every name below it; `same` for the route's own. Default: `[same]`.
    pub allow: Option<At<Vec<At<String>>>>,
    /// `Origin: null`, which sandboxed frames, local files and some redirects send, whosever they are: `allow` or
    /// `refuse`. Default: `refuse`.
    pub null_origin: Option<Permission>,
    /// A request without an `Origin`, which no browser makes for a WebSocket: `allow` or `refuse`. Default: `allow`.
    pub absent: Option<Permission>,
}

/// `allow` or `refuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It passes.
    Allow,
    /// It is answered 403.
    Refuse,
}

/// Which pages may use a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginConfig {
    /// The origins that pass; `None` for any.
    pub allow: Option<Vec<Pattern>>,
    /// Whether `Origin: null` passes.
    pub null: bool,
    /// Whether a request without an `Origin` passes.
    pub absent: bool,
    /// Whether plain HTTP requests are asked too, and not handshakes alone.
    pub plain_http: bool,
}

impl Default for OriginConfig {
    fn default() -> Self {
        Self { allow: Some(vec![Pattern::Same]), null: false, absent: true, plain_http: false }
    }
}

/// An origin that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The scheme, host and port that are asked.
    Same,
    /// This one.
    Exact(Origin<'static>),
    /// Every name below this one's host, with its scheme and port.
    Below(Origin<'static>),
}

/// Scheme, host and port (RFC 6454). Letters in lower case; names are compared as they are written, in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    scheme: Cow<'a, str>,
    host: Cow<'a, str>,
    /// Always there where the scheme has a default.
    port: Option<u16>,
}

impl RawOrigin {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> OriginConfig {
        let written = OriginConfig { plain_http: true, ..OriginConfig::default() };
        match self {
            Self::Same => written,
            Self::Any => OriginConfig { allow: None, null: true, ..written },
            Self::Rules(RawOriginRules { allow, null_origin, absent }) => OriginConfig {
                allow: allow.map_or(written.allow, |allow| Some(check_list(allow, problems))),
                null: null_origin == Some(Permission::Allow),
                absent: absent != Some(Permission::Refuse),
                plain_http: true,
            },
        }
    }
}

fn check_list(list: At<Vec<At<String>>>, problems: &mut Problems) -> Vec<Pattern> {
    if list.is_empty() {
        let what = "no origin is allowed, so no page may use the route";
        problems.error(list.place, what, "list origins, or remove `allow`");
    }
    let patterns = list.value.iter().filter_map(|text| match Pattern::parse(text) {
        Ok(pattern) => {
            if matches!(&pattern, Pattern::Below(origin) if !origin.host.contains('.')) {
                let what = format!("`{}` is every name of a whole top-level domain", text.value);
                problems.warning(text.place, what, "name the domain that is yours");
            }
            Some(pattern)
        }
        Err(help) => {
            problems.error(text.place, format!("`{}` is no origin", text.value), help);
            None
        }
    });
    patterns.collect()
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const HELP: &str = "write scheme, host and a port that is not the scheme's own, as in https://a.example or http://a.example:8080";
        match text {
            "same" => return Ok(Self::Same),
            "null" => return Err("write `null_origin: allow` beside the list"),
            "any" | "*" => return Err("write `origin: any` in place of the list"),
            _ => {}
        }
        let (below, text) = match text.split_once("://*.") {
            Some((scheme, host)) => (true, Cow::Owned(format!("{scheme}://{host}"))),
            None => (false, Cow::Borrowed(text)),
        };
        let Origin { scheme, host, port } = Origin::parse(&text).ok_or(HELP)?;
        let is_ip = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        if below && is_ip {
            return Err("an address has no names below it: write it without `*.`");
        }
        let origin = Origin {
            scheme: scheme.to_ascii_lowercase().into(),
            host: host.to_ascii_lowercase().into(),
            port,
        };
        Ok(if below { Self::Below(origin) } else { Self::Exact(origin) })
    }

    fn admits(&self, origin: &Origin<'_>, own: Option<&Origin<'_>>) -> bool {
        match self {
            Self::Same => own.is_some_and(|own| own.is(origin)),
            Self::Exact(allowed) => allowed.is(origin),
            Self::Below(allowed) => {
                let start = origin.host.len().checked_sub(allowed.host.len() + 1);
                let (Some(start), true) = (start, allowed.is_beside(origin)) else { return false };
                let tail = origin.host.get(start..).and_then(|tail| tail.strip_prefix('.'));
                start > 0 && tail.is_some_and(|tail| tail.eq_ignore_ascii_case(&allowed.host))
            }
        }
    }
}

impl<'a> Origin<'a> {
    /// Reads an origin as RFC 6454 section 6.2 writes it; `None` for anything more or less.
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let good = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(good) {
            return None;
        }
        Self::new(scheme, authority)
    }

    fn new(scheme: &'a str, authority: &'a str) -> Option<Self> {
        let (host, port) = match authority.rfind(']') {
            Some(end) => (authority.get(..=end)?, authority.get(end + 1..)?),
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let is_host = match host.strip_prefix('[') {
            Some(address) => address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if !port.is_empty() => return None,
            None if scheme.eq_ignore_ascii_case("https") => Some(443),
            None if scheme.eq_ignore_ascii_case("http") => Some(80),
            None => None,
        };
        is_host.then_some(Self { scheme: scheme.into(), host: host.into(), port })
    }

    fn is(&self, other: &Origin<'_>) -> bool {
        self.is_beside(other) && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// Whether scheme and port are the same.
    fn is_beside(&self, other: &Origin<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(&other.scheme) && self.port == other.port
    }
}

impl OriginConfig {
    /// Whether a request may come from where it says it does; `secure` is whether the client's side is TLS.
    ///
    /// # Errors
    /// It may not, or says more than one thing.
    pub fn check(&self, parts: &Parts, secure: bool, is_upgrade: bool) -> Result<(), Refusal> {
        if !is_upgrade && !self.plain_http {
            return Ok(());
        }
        let mut lines = parts.headers.get_all(ORIGIN).iter();
        let Some(line) = lines.next() else {
            return if self.absent { Ok(()) } else { Err(Refusal::NoOrigin) };
        };
        if lines.next().is_some() {
            return Err(Refusal::Origin);
        }
        let Some(allow) = &self.allow else { return Ok(()) };
        if line == "null" {
            return if self.null { Ok(()) } else { Err(Refusal::Origin) };
        }
        let origin = line.to_str().ok().and_then(Origin::parse).ok_or(Refusal::Origin)?;
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(|authority| authority.as_str()).or(host);
        let scheme = if secure { "https" } else { "http" };
        let own = authority.and_then(|authority| Origin::new(scheme, authority));
        match allow.iter().any(|pattern| pattern.admits(&origin, own.as_ref())) {
            true => Ok(()),
            false => Err(Refusal::Origin),
        }
    }
}

impl<'de> Deserialize<'de> for RawOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RawOrigin;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`same`, `any`, or `{allow: [https://a.example]}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "same" => Ok(RawOrigin::Same),
                    "any" => Ok(RawOrigin::Any),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                RawOriginRules::deserialize(MapAccessDeserializer::new(map)).map(RawOrigin::Rules)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for RawOrigin {
    fn schema_name() -> Cow<'static, str> {
        "Origin".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rules = generator.subschema_for::<RawOriginRules>();
        json_schema!({
            "anyOf": [{ "enum": ["same", "any"] }, rules],
            "description": "`same`: pages of the very scheme, host and port that are asked. `any`: any page. Or a list, as \
                            in `{allow: [https://a.example]}`.",
        })
    }
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
