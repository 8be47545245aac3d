//! A collector: how it is reached, and what it says to what it gets.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::fetch::{Endpoint, FetchConfig, Fetcher, RawFetch, add_headers, check_header};
use wicketgate_config::{At, Place, Problems, RawSecret, Secret, Table, Time};

/// An OpenTelemetry collector, by OTLP 1.x over HTTP with Protocol Buffers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCollector {
    /// Where it is, as in `https://collector.example:4318`; traces go to `/v1/traces` below it, and metrics to `/v1/metrics`. `http://` leads
    /// to loopback addresses alone.
    pub url: At<String>,
    /// Headers of each request, such as `authorization`, each out of a `file` or as a `value`. At most 16.
    pub headers: Table<At<RawSecret>>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca: Option<At<PathBuf>>,
    /// How long one request may take, 100ms to 60s.
    pub timeout: At<Time>,
    /// Lets `http://` lead to other machines: whoever sits on the way reads all that is sent, the headers too.
    pub dangerous_allow_http: bool,
}

impl Default for RawCollector {
    fn default() -> Self {
        Self {
            url: At::default(),
            headers: Table::default(),
            ca: None,
            timeout: At::nowhere(Time::secs(10)),
            dangerous_allow_http: false,
        }
    }
}

/// A collector.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorConfig {
    /// Where it takes traces.
    pub traces: Endpoint,
    /// Where it takes metrics.
    pub metrics: Endpoint,
    /// Headers of each request.
    pub headers: Vec<(HeaderName, Secret)>,
    /// How it is asked.
    pub fetch: FetchConfig,
}

/// The most headers.
const HEADERS_MAX: usize = 16;

impl RawCollector {
    pub(crate) fn check(self, place: Place, problems: &mut Problems) -> Option<CollectorConfig> {
        let headers = headers(self.headers, place, problems);
        let fetch =
            RawFetch { timeout: Some(self.timeout), ca: self.ca, dangerous_allow_http: At::default() };
        let fetch = fetch.check(place, problems);
        let at = if self.url.place.is_known() { self.url.place } else { place };
        let endpoints = endpoint(&self.url, "/v1/traces", self.dangerous_allow_http)
            .and_then(|traces| Ok((traces, endpoint(&self.url, "/v1/metrics", self.dangerous_allow_http)?)));
        let (traces, metrics) = endpoints
            .map_err(|why| {
                let help = "write `https://HOST:4318`; `http://` only to a loopback address";
                problems.error(at, format!("nothing can be sent to this URL: {why}"), help);
            })
            .ok()?;
        if self.dangerous_allow_http && !traces.is_https() {
            let help = "give an `https://` URL, and `ca` where the certificate is of your own authority";
            problems.warning(at, "traces, metrics and headers may go unprotected", help);
        }
        Some(CollectorConfig { traces, metrics, headers, fetch: fetch? })
    }
}

fn endpoint(url: &str, path: &str, allow_http: bool) -> Result<Endpoint, &'static str> {
    if url.contains(['?', '#']) {
        return Err("it has a query");
    }
    Endpoint::parse(&format!("{}{path}", url.trim_end_matches('/')), allow_http)
}

fn headers(raw: Table<At<RawSecret>>, place: Place, problems: &mut Problems) -> Vec<(HeaderName, Secret)> {
    if raw.0.len() > HEADERS_MAX {
        problems.error(place, format!("more than {HEADERS_MAX} headers"), "remove some");
    }
    let mut headers = Vec::new();
    for (name, value) in raw.0 {
        let what = format!("the value of the header `{}`", name.value);
        let Some(value) = RawSecret::check(value, &what, 1, problems) else { continue };
        headers.extend(check_header(&name, &value, problems).map(|name| (name, value)));
    }
    headers
}

/// A collector that things are sent to.
pub(crate) struct Collector {
    pub(crate) config: CollectorConfig,
    fetcher: Fetcher,
}

/// Why a collector has not taken what it got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It may take it later: why it did not, and how long it wants to be left alone, if it says so.
    Passing(String, Option<Duration>),
    /// It will never take it.
    Refused(StatusCode),
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// The longest that a collector may ask to be left alone.
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Collector {
    pub(crate) fn new(config: CollectorConfig) -> Self {
        let fetcher = Fetcher::new(&config.fetch, MAX_ANSWER);
        Self { config, fetcher }
    }

    /// Sends one message; what it answers.
    pub(crate) async fn post(&self, to: &Endpoint, message: Bytes) -> Result<Bytes, Failed> {
        let mut request = Request::new(message);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to.uri().clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("wicketgate/", env!("CARGO_PKG_VERSION"))));
        add_headers(headers, &self.config.headers);
        match self.fetcher.send(request).await {
            Err(error) => Err(Failed::Passing(error.to_string(), None)),
            Ok(answer) if answer.status().is_success() => Ok(answer.into_body()),
            Ok(answer) if may_pass(answer.status()) => {
                Err(Failed::Passing(answer.status().to_string(), retry_after(answer.headers())))
            }
            Ok(answer) => Err(Failed::Refused(answer.status())),
        }
    }
}

/// The seconds of `Retry-After` (RFC 9110 section 10.2.3), up to [`RETRY_MAX`]. A date is not heeded: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_MAX))
}

/// Those after which the specification of OTLP has a request sent again.
pub const fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_left_alone_for_a_minute_at_most() {
        let asked = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]))
        };
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("18446744073709551615"), Some(RETRY_MAX));
        for unread in ["-1", "soon", "", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(asked(unread), None, "{unread}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
