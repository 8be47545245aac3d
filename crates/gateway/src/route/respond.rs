//! Answers that need no upstream: redirects and fixed responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems, Table};

use super::edit::{HeaderEdits, RawHeaderEdits, Side};
use super::template::{Scope, Template};

/// An answer that sends the client elsewhere.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRedirect {
    /// A path or a URL; it may use the parts named at `request_headers`: `https://{host}{path_and_query}`.
    pub to: At<String>,
    /// 301, 302, 303, 307 or 308. The default, 308, is lasting and keeps the method.
    #[serde(default = "permanent")]
    pub status: At<u16>,
}

fn permanent() -> At<u16> {
    At::nowhere(308)
}

/// An answer that sends the client elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    to: Template,
}

impl Redirect {
    /// The value of the `Location` header. An error means that a part of the request cannot stand in it.
    pub fn location(&self, scope: &Scope<'_>) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::try_from(self.to.render(scope))
    }
}

/// What stands for the parts of a request when a redirect is tried at load.
const SAMPLE: Scope<'_> = Scope {
    client_address: None,
    scheme: "https",
    host: "sample.example",
    path: "/sample",
    query: None,
    route: "sample",
};

impl RawRedirect {
    pub(super) fn check(self, problems: &mut Problems) -> Option<Redirect> {
        let status = StatusCode::from_u16(self.status.value).unwrap_or_default();
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            problems.error(
                self.status.place,
                format!("{} is no status of a redirect", self.status.value),
                "give 301, 302, 303, 307 or 308",
            );
        }
        match Template::parse(&self.to) {
            Err(error) => {
                problems.error(
                    self.to.place,
                    format!("`to` is no template: {error}"),
                    "quote braces by doubling",
                );
                None
            }
            Ok(to) => {
                let sample = to.render(&SAMPLE);
                let is_place = sample.starts_with('/') && !sample.starts_with("//")
                    || sample.split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "http" | "https"));
                if sample.parse::<Uri>().is_err() || !is_place {
                    problems.error(
                        self.to.place,
                        format!("`{}` leads nowhere", self.to.value),
                        "give a path or a URL, as in `https://{host}{path_and_query}`",
                    );
                }
                Some(Redirect { status, to })
            }
        }
    }
}

/// A fixed answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRespond {
    /// 200 to 599.
    pub status: At<u16>,
    /// The text of the answer, at most 64 KiB.
    #[serde(default)]
    pub body: At<String>,
    /// The media type of the text.
    #[serde(default = "plain_text")]
    pub content_type: At<String>,
    /// More headers of the answer, by name. They may use the parts named at `request_headers`.
    #[serde(default)]
    pub headers: Table<At<String>>,
}

fn plain_text() -> At<String> {
    At::nowhere("text/plain; charset=utf-8".into())
}

/// The longest fixed body, in bytes.
const MAX_BODY: usize = 64 << 10;

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// 200 to 599.
    pub status: StatusCode,
    /// The body; empty for 204 and 304.
    pub body: Bytes,
    content_type: Option<HeaderValue>,
    headers: HeaderEdits,
}

impl Respond {
    /// The headers of the answer, without those that frame it. An error means that a part of the request cannot
    /// stand in a header.
    pub fn headers(&self, scope: &Scope<'_>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.extend(self.content_type.clone().map(|value| (CONTENT_TYPE, value)));
        self.headers.apply(&mut headers, scope)?;
        Ok(headers)
    }
}

impl RawRespond {
    pub(super) fn check(self, problems: &mut Problems) -> Respond {
        let status = StatusCode::from_u16(self.status.value).unwrap_or_default();
        if !(200..600).contains(&self.status.value) {
            let what = format!("{} is no status of an answer", self.status.value);
            problems.error(self.status.place, what, "give 200 to 599");
        }
        if self.body.len() > MAX_BODY {
            problems.error(
                self.body.place,
                format!("the body has {} bytes", self.body.len()),
                "at most 64 KiB: serve larger ones from an upstream",
            );
        }
        if !self.body.is_empty() && matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            problems.error(self.body.place, format!("a {} has no body", status.as_u16()), "leave `body` out");
        }
        let content_type = HeaderValue::from_str(&self.content_type).ok();
        if content_type.is_none() {
            let what = format!("`{}` is no media type", self.content_type.value);
            problems.error(self.content_type.place, what, "give one such as `application/json`");
        }
        let headers = RawHeaderEdits { set: self.headers, remove: OneOrMany::default() }
            .check(Side::Response, problems);
        let content_type = content_type.filter(|_| !self.body.is_empty());
        Respond { status, body: Bytes::from(self.body.value), content_type, headers }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn redirect(to: &str, status: u16) -> Result<Redirect, String> {
        let mut problems = Problems::default();
        let raw = RawRedirect { to: At::nowhere(to.into()), status: At::nowhere(status) };
        let redirect = raw.check(&mut problems);
        match problems.iter().next() {
            Some(problem) => Err(problem.what.clone()),
            None => Ok(redirect.unwrap()),
        }
    }

    #[test]
    fn redirects_lead_somewhere() {
        let https = redirect("https://{host}{path_and_query}", 308).unwrap();
        let scope = Scope { host: "a.example", path: "/x", query: Some("y"), ..SAMPLE };
        assert_eq!(https.location(&scope).unwrap(), "https://a.example/x?y");
        assert!(redirect("/login", 302).is_ok());
        for (to, status) in [
            ("", 308),
            ("login", 308),
            ("//evil.example", 308),
            ("javascript:x", 308),
            ("/a", 200),
            ("{x}", 308),
            ("/a b", 308),
        ] {
            assert!(redirect(to, status).is_err(), "{to} {status}");
        }
    }

    #[test]
    fn fixed_answers() {
        let respond = |status, body: &str, header: &str| {
            let mut problems = Problems::default();
            let raw = RawRespond {
                status: At::nowhere(status),
                body: At::nowhere(body.into()),
                content_type: plain_text(),
                headers: Table(vec![(At::nowhere(header.to_owned()), At::nowhere("{route}".to_owned()))]),
            };
            (raw.check(&mut problems), problems.iter().count())
        };
        let (answer, problems) = respond(404, "no", "x-a");
        assert_eq!(problems, 0);
        let headers = answer.headers(&SAMPLE).unwrap();
        assert_eq!(headers["x-a"], "sample");
        assert_eq!(headers[CONTENT_TYPE], "text/plain; charset=utf-8");
        for (status, body, header) in [
            (100, "", "x-a"),
            (600, "", "x-a"),
            (204, "x", "x-a"),
            (200, &*"x".repeat(MAX_BODY + 1), "x-a"),
            (200, "", "content-length"),
        ] {
            assert_eq!(respond(status, body, header).1, 1, "{status} {header}");
        }
    }
}
