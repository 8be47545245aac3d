//! Identity by somebody else's word: a service of the operator's is asked about every request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use wicketgate_config::{At, Problems, Table, Time};
use wicketgate_wire::handshake::headers::is_ambiguous;

use super::{Claims, Denied, Identity};
use crate::credential::Place;
use crate::fetch::{Endpoint, FetchConfig, Fetcher, RawFetch};

/// A service of yours that is asked about every request, in the manner of forward authentication: it gets the request's
/// method, host, path and client address as `X-Forwarded-Method`, `-Host`, `-Uri`, `-For` and `-Proto`, and the headers that are
/// listed; no query and no body. A status of 200 to 299 is a yes, 401 or 403 a no (401 for the client). Anything else, or
/// no answer in time, is answered 503.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExternal {
    /// The URL that is asked.
    pub url: At<String>,
    /// The method of the question: `GET` (default) or `POST`.
    #[serde(default)]
    pub method: Question,
    /// The request's headers that the service gets, by name. `Authorization`, where it is among them, then goes no further.
    #[serde(default)]
    pub headers: Vec<At<String>>,
    /// The header of a yes that names the subject; one without it counts as no. The default is `X-Auth-Subject`.
    #[serde(default)]
    pub subject: Option<At<String>>,
    /// Claims, each with the header of a yes that has its value: `{email: X-Auth-Email}`. `identity_headers` of a route may
    /// tell them to its upstream.
    #[serde(default)]
    pub claims: Table<At<String>>,
    /// How long a session may live by one yes, 1s to 30d. Default: no bound.
    #[serde(default)]
    pub lifetime: Option<At<Time>>,
    /// How many questions may be under way, 1 to 10000; 503 beyond it. The default is 256. Each takes some 50KiB.
    #[serde(default)]
    pub max_questions: Option<At<usize>>,
    /// How the service is reached.
    #[serde(default)]
    pub fetch: RawFetch,
}

/// The method of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Question {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
}

/// A service that is asked, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalConfig {
    endpoint: Endpoint,
    method: Question,
    headers: Vec<HeaderName>,
    places: Vec<Place>,
    subject: HeaderName,
    claims: Vec<(String, HeaderName)>,
    lifetime: Option<Duration>,
    max_questions: usize,
    fetch: FetchConfig,
}

/// Only the head of an answer counts: a longer body is a mistake.
const MAX_ANSWER: usize = 16 * 1024;
const DEFAULT_QUESTIONS: usize = 256;
/// The longest subject, in bytes.
const MAX_SUBJECT: usize = 256;

impl ExternalConfig {
    /// How long a session may live by one yes; `None` for no bound.
    pub const fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }
}

impl RawExternal {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<ExternalConfig> {
        let fetch = self.fetch.check(self.url.place, problems)?;
        let endpoint = fetch.endpoint(&self.url, problems);
        let headers: Vec<HeaderName> =
            self.headers.iter().filter_map(|name| header(name, problems)).collect();
        let subject = self.subject.unwrap_or(At::nowhere("X-Auth-Subject".into()));
        let subject = header(&subject, problems);
        let mut claims = Vec::new();
        for (claim, name) in self.claims.0 {
            claims.extend(header(&name, problems).map(|name| (claim.value, name)));
        }
        let days = Time::secs(30 * 86_400);
        let lifetime = self.lifetime.map(|at| problems.in_range("lifetime", &at, Time::secs(1)..=days).0);
        let max = self.max_questions.unwrap_or(At::nowhere(DEFAULT_QUESTIONS));
        let places = headers.iter().filter(|name| **name == AUTHORIZATION).map(|_| Place::Bearer).collect();
        Some(ExternalConfig {
            endpoint: endpoint?,
            method: self.method,
            headers,
            places,
            subject: subject?,
            claims,
            lifetime,
            max_questions: problems.in_range("max_questions", &max, 1..=10_000),
            fetch,
        })
    }
}

impl ExternalConfig {
    /// Whether browsers bring what it goes by on their own: cookies, or a password that they remember.
    pub fn is_ambient(&self) -> bool {
        self.headers.iter().any(|name| *name == COOKIE || *name == AUTHORIZATION)
    }
}

fn header(name: &At<String>, problems: &mut Problems) -> Option<HeaderName> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
    if parsed.is_none() {
        let what = format!("`{}` is no header name", name.value);
        problems.error(name.place, what, "give one, as in Authorization");
    }
    parsed
}

/// What the service is told of a request beside its headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) address: Option<IpAddr>,
    pub(super) secure: bool,
}

/// A service that is asked.
#[derive(Debug)]
pub struct External {
    method: Arc<str>,
    config: ExternalConfig,
    fetcher: Fetcher,
    room: Semaphore,
}

impl External {
    /// Nothing is asked yet.
    pub fn start(method: Arc<str>, config: ExternalConfig) -> Self {
        let fetcher = Fetcher::new(&config.fetch, MAX_ANSWER);
        let room = Semaphore::new(config.max_questions);
        Self { method, config, fetcher, room }
    }

    /// Where in a request credentials stand that only the service shall see.
    pub fn places(&self) -> &[Place] {
        &self.config.places
    }

    /// Asks who sends a request.
    ///
    /// # Errors
    /// The service says no, or nothing that can be understood. [`Denied::Missing`] where it says no to a request that brings
    /// none of the headers it goes by.
    pub(super) async fn identify(&self, headers: &HeaderMap, about: About<'_>) -> Result<Identity, Denied> {
        let brought = self.config.headers.iter().any(|name| headers.contains_key(name));
        let question = self.question(headers, about)?;
        let _room = self.room.try_acquire().map_err(|_| Denied::Unavailable("too many questions".into()))?;
        let answer = self.fetcher.send(question).await;
        let answer = answer.map_err(|error| Denied::Unavailable(error.to_string()))?;
        match answer.status().as_u16() {
            200..=299 => self.yes(answer.headers()),
            401 | 403 if brought => Err(Denied::Inactive),
            401 | 403 => Err(Denied::Missing),
            status => Err(Denied::Unavailable(format!("the service answered with status {status}"))),
        }
    }

    fn question(&self, headers: &HeaderMap, about: About<'_>) -> Result<Request<Bytes>, Denied> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.config.endpoint.uri().clone();
        *request.method_mut() = match self.config.method {
            Question::Get => Method::GET,
            Question::Post => Method::POST,
        };
        let told = request.headers_mut();
        for name in &self.config.headers {
            // One that a service might take for it, by folding names as CGI does, is a lie to one of the two.
            if headers.keys().any(|other| is_ambiguous(other, [name])) {
                return Err(Denied::Malformed("a header that could be taken for another"));
            }
            for value in headers.get_all(name) {
                told.append(name, value.clone());
            }
        }
        let scheme = if about.secure { "https" } else { "http" };
        let address = about.address.map(|address| address.to_string()).unwrap_or_default();
        for (name, text) in [
            ("x-forwarded-method", about.method),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-host", about.host),
            ("x-forwarded-uri", about.path),
            ("x-forwarded-for", &address),
        ] {
            let value = HeaderValue::from_str(text).map_err(|_| Denied::Malformed("no text"))?;
            told.insert(name, value);
        }
        Ok(request)
    }

    fn yes(&self, headers: &HeaderMap) -> Result<Identity, Denied> {
        let text = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().filter(|_| values.next().is_none())?;
            std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(|text| !text.is_empty())
        };
        let is_subject = |text: &&str| text.len() <= MAX_SUBJECT && !text.chars().any(char::is_control);
        let subject = text(&self.config.subject).filter(is_subject);
        let claims = self.config.claims.iter();
        let claims: Claims =
            claims.filter_map(|(claim, name)| Some((claim.clone(), Value::from(text(name)?)))).collect();
        let now = SystemTime::now();
        Ok(Identity {
            method: self.method.clone(),
            subject: subject.ok_or_else(|| Denied::Claim("subject".into()))?.into(),
            token_id: None,
            issued: Some(now),
            expires: self.config.lifetime.and_then(|lifetime| now.checked_add(lifetime)),
            claims: Arc::new(claims),
        })
    }
}
