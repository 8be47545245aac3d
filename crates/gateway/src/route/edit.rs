//! Headers set and removed on the way.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems, Table};

use super::template::{Scope, Template};

/// Headers set and removed on the way.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHeaderEdits {
    /// Headers by name, in place of those that are there: `x-route: "{route}"`. A value may use
    /// `{client_address}`, `{scheme}`, `{host}`, `{path}`, `{path_and_query}`, `{query}`, `{route}`; `{{` and `}}`
    /// stand for the braces themselves.
    pub set: Table<At<String>>,
    /// The name of a header that is taken away, or a list. This is done first.
    pub remove: OneOrMany<At<String>>,
}

/// Which message the headers belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// Headers set and removed on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Value)>,
}

/// It may hold a credential: kept out of `Debug` and of HTTP/2's compression table.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    Literal(HeaderValue),
    Template(Template),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive")
    }
}

/// Headers that frame the message, belong to one connection, or are made by the gateway itself.
const OWN: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

impl HeaderEdits {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }

    /// Removes and sets. An error means that a part of the request cannot stand in a header; nothing was set then.
    pub fn apply(&self, headers: &mut HeaderMap, scope: &Scope<'_>) -> Result<(), InvalidHeaderValue> {
        let values: Vec<HeaderValue> =
            self.set.iter().map(|(_, value)| value.render(scope)).collect::<Result<_, _>>()?;
        for name in &self.remove {
            headers.remove(name);
        }
        for ((name, _), value) in self.set.iter().zip(values) {
            headers.insert(name.clone(), value);
        }
        Ok(())
    }
}

impl Value {
    fn render(&self, scope: &Scope<'_>) -> Result<HeaderValue, InvalidHeaderValue> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Template(template) => {
                let mut value = HeaderValue::try_from(template.render(scope))?;
                value.set_sensitive(true);
                Ok(value)
            }
        }
    }
}

impl RawHeaderEdits {
    pub(super) fn check(self, side: Side, problems: &mut Problems) -> HeaderEdits {
        let mut edits = HeaderEdits::default();
        for name in self.remove.iter() {
            edits.remove.extend(header_name(name, side, problems));
        }
        for (name, value) in self.set.0 {
            let parsed = header_name(&name, side, problems);
            if parsed.as_ref().is_some_and(|parsed| edits.set.iter().any(|(other, _)| other == parsed)) {
                let what = format!("the header `{}` is set twice", name.value);
                problems.error(name.place, what, "capitals make no difference: keep one of them");
            }
            edits.set.extend(parsed.zip(header_value(&value, problems)));
        }
        edits
    }
}

fn header_name(name: &At<String>, side: Side, problems: &mut Problems) -> Option<HeaderName> {
    let Ok(parsed) = name.parse::<HeaderName>() else {
        problems.error(
            name.place,
            format!("`{}` is no name of a header", name.value),
            "a name has letters, digits and `-`",
        );
        return None;
    };
    let text = parsed.as_str();
    if OWN.contains(&text) || text.starts_with("sec-websocket-") {
        let message = if side == Side::Request { "request" } else { "response" };
        problems.error(
            name.place,
            format!("the header `{text}` of a {message} is the gateway's own"),
            "it frames the message or belongs to one connection; leave it out",
        );
        return None;
    }
    Some(parsed)
}

fn header_value(value: &At<String>, problems: &mut Problems) -> Option<Value> {
    let template = match Template::parse(value) {
        Ok(template) => template,
        Err(error) => {
            problems.error(
                value.place,
                format!("this value is no template: {error}"),
                "quote braces by doubling",
            );
            return None;
        }
    };
    let Some(literal) = template.literal() else { return Some(Value::Template(template)) };
    match HeaderValue::from_str(literal) {
        Ok(mut literal) => {
            literal.set_sensitive(true);
            Some(Value::Literal(literal))
        }
        Err(_) => {
            problems.error(
                value.place,
                "this value cannot stand in a header",
                "it may have printable ASCII characters, spaces and tabs",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn edits(set: &[(&str, &str)], remove: &[&str]) -> (HeaderEdits, Vec<String>) {
        let at = |text: &str| At::nowhere(text.to_owned());
        let raw = RawHeaderEdits {
            set: Table(set.iter().map(|(n, v)| (at(n), at(v))).collect()),
            remove: OneOrMany(remove.iter().map(|name| at(name)).collect()),
        };
        let mut problems = Problems::default();
        let edits = raw.check(Side::Request, &mut problems);
        (edits, problems.iter().map(|p| p.what.clone()).collect())
    }

    #[test]
    fn headers_are_removed_then_set() {
        let (edits, problems) = edits(&[("X-Route", "{route}!"), ("x-b", "2")], &["x-a", "x-b"]);
        assert!(problems.is_empty());
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-b", "1"), ("x-b", "1b"), ("x-c", "1"), ("x-route", "forged")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        let scope =
            Scope { client_address: None, scheme: "http", host: "", path: "/", query: None, route: "chat" };
        edits.apply(&mut headers, &scope).unwrap();
        let mut left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
        left.sort();
        assert_eq!(left, ["x-b=2", "x-c=1", "x-route=chat!"]);
        assert!(format!("{edits:?}").contains("Sensitive"), "a literal may be a credential");
    }

    #[test]
    fn a_part_that_cannot_stand_in_a_header_changes_nothing() {
        let (edits, _) = edits(&[("x-a", "{query}")], &["x-b"]);
        let mut headers = HeaderMap::new();
        headers.insert("x-b", HeaderValue::from_static("1"));
        let scope =
            Scope { client_address: None, scheme: "http", host: "", path: "/", query: Some("\n"), route: "" };
        assert!(edits.apply(&mut headers, &scope).is_err());
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn the_gateways_own_headers_are_left_alone() {
        for name in ["Connection", "host", "Sec-WebSocket-Key", "content-length", "a b", ":path", ""] {
            assert_eq!(edits(&[(name, "x")], &[]).1.len(), 1, "{name}");
            assert_eq!(edits(&[], &[name]).1.len(), 1, "{name}");
        }
        assert_eq!(edits(&[("x-a", "1"), ("X-A", "2")], &[]).1.len(), 1);
        assert_eq!(edits(&[("x-a", "line\nbreak"), ("x-b", "{nope}")], &[]).1.len(), 2);
    }
}
