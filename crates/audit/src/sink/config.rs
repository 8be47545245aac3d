//! Whoever gets records beside the store, as it is configured.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use rustls::ClientConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::Secret;
use wicketgate_admission::fetch::{Endpoint, FetchConfig, RawFetch, check_header};
use wicketgate_config::{At, Item, Place, Problems, Size, Table, Time};

/// Whoever gets audit records beside the store. One of `lines`, `syslog` and `otlp`. Records wait for it in a queue of its
/// own, and are dropped and counted when that is full; nobody else waits for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSink {
    /// What logs and metrics call it: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: At<String>,
    /// Lines of JSON: `stdout`, `stderr`, or the path of a file, which SIGHUP opens anew.
    pub lines: Option<At<String>>,
    /// A receiver of syslog.
    pub syslog: Option<Item<RawSyslog>>,
    /// An OpenTelemetry collector.
    pub otlp: Option<Item<RawOtlp>>,
    /// What may wait for it, 64KiB to 1GiB. This is its worst case in memory; a record takes about 1 KiB.
    pub queue: At<Size>,
}

/// A receiver of syslog, RFC 5424. Each message is a record as JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSyslog {
    /// Where it is: `tls://HOST:PORT` (RFC 5425, port 6514), `tcp://HOST:PORT` or `udp://HOST:PORT` (port 514). Without TLS it
    /// must be a loopback address.
    pub to: At<String>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca: Option<At<PathBuf>>,
    /// How long connecting, and each write, may take, 100ms to 60s.
    pub timeout: At<Time>,
    /// The facility, 0 to 23; 13 is that of audits.
    pub facility: At<u8>,
    /// The name of the program in messages: 1 to 48 printable characters.
    pub app_name: At<String>,
    /// Lets records go to other machines unprotected: whoever sits on the way reads and changes them.
    pub dangerous_allow_plain: bool,
}

/// An OpenTelemetry collector, by OTLP over HTTP with JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawOtlp {
    /// Where it takes logs, as in `https://collector.example:4318/v1/logs`. `http://` leads to loopback addresses alone.
    pub url: At<String>,
    /// Headers of each request, such as `authorization`. Secrets should come from the environment: `${NAME}`.
    pub headers: Table<Secret>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca: Option<At<PathBuf>>,
    /// How long one request may take, 100ms to 60s.
    pub timeout: At<Time>,
    /// Lets `http://` lead to other machines: whoever sits on the way reads and changes records, and reads the headers.
    pub dangerous_allow_http: bool,
}

impl Default for RawSink {
    fn default() -> Self {
        Self { name: At::default(), lines: None, syslog: None, otlp: None, queue: At::nowhere(Size(8 << 20)) }
    }
}

impl Default for RawSyslog {
    fn default() -> Self {
        Self {
            to: At::default(),
            ca: None,
            timeout: At::nowhere(Time::secs(10)),
            facility: At::nowhere(13),
            app_name: At::nowhere("wicketgate".into()),
            dangerous_allow_plain: false,
        }
    }
}

impl Default for RawOtlp {
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

/// Whoever gets records beside the store.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    /// What logs and metrics call it.
    pub name: String,
    /// What may wait for it, in bytes.
    pub queue: usize,
    /// Who it is.
    pub kind: SinkKind,
}

/// The kinds of sinks.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// Lines.
    Lines(LinesConfig),
    /// A receiver of syslog.
    Syslog(Box<SyslogConfig>),
    /// An OpenTelemetry collector.
    Otlp(Box<OtlpConfig>),
}

/// Lines, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesConfig {
    /// Where they go.
    pub to: LinesTo,
    /// How they are written.
    pub form: Form,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinesTo {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// A receiver of syslog.
#[derive(Clone, Debug)]
pub struct SyslogConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    pub transport: Transport,
    /// The facility of messages.
    pub facility: u8,
    /// The name of the program in messages.
    pub app_name: String,
    /// How long connecting, and each write, may take.
    pub timeout: Duration,
    trust: FetchConfig,
}

/// How a receiver of syslog is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// By TLS.
    Tls(Arc<ClientConfig>),
    /// By TCP alone.
    Tcp,
    /// By datagrams.
    Udp,
}

impl PartialEq for SyslogConfig {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |one: &Transport, other: &Transport| std::mem::discriminant(one) == std::mem::discriminant(other);
        (&self.host, self.port, self.facility, &self.app_name, &self.trust)
            == (&other.host, other.port, other.facility, &other.app_name, &other.trust)
            && same(&self.transport, &other.transport)
    }
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpConfig {
    /// Where it takes logs.
    pub url: Endpoint,
    /// Headers of each request.
    pub headers: Vec<(HeaderName, Secret)>,
    /// How it is asked.
    pub fetch: FetchConfig,
}

impl RawSink {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, place: Place, problems: &mut Problems) -> Option<SinkConfig> {
        let name = self.name.value.clone();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_name) {
            let at = if self.name.place.is_known() { self.name.place } else { place };
            let what = format!("`{name}` is no name for a sink of audit records");
            problems.error(at, what, "a name has 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        let queue = problems.in_range("queue", &self.queue, Size(64 << 10)..=Size(1 << 30));
        let kind = match (self.lines, self.syslog, self.otlp) {
            (Some(lines), None, None) => Some(SinkKind::Lines(check_lines(lines, problems))),
            (None, Some(syslog), None) if !syslog.whole => None,
            (None, Some(syslog), None) => syslog.value.check(syslog.place, problems),
            (None, None, Some(otlp)) if !otlp.whole => None,
            (None, None, Some(otlp)) => otlp.value.check(otlp.place, problems),
            _ => {
                let what = "a sink of audit records has one of `lines`, `syslog` and `otlp`";
                problems.error(place, what, "give one of them, and another sink for each other one");
                None
            }
        }?;
        Some(SinkConfig { name, queue: usize::try_from(queue.0).unwrap_or(usize::MAX), kind })
    }
}

fn check_lines(lines: At<String>, problems: &mut Problems) -> LinesConfig {
    let to = match lines.as_str() {
        "stdout" => LinesTo::Stdout,
        "stderr" => LinesTo::Stderr,
        path => {
            if !path.contains('/') {
                let what = format!("`{path}` is no place for audit records");
                problems.error(lines.place, what, "give `stdout`, `stderr`, or a path with a `/`");
            }
            LinesTo::File(path.into())
        }
    };
    LinesConfig { to, form: Form::Json }
}

impl RawSyslog {
    fn check(self, place: Place, problems: &mut Problems) -> Option<SinkKind> {
        let facility = problems.in_range("facility", &self.facility, 0..=23);
        let name = &self.app_name;
        if name.is_empty() || name.len() > 48 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = format!("`{}` is no name of a program in syslog", name.value);
            problems.error(name.place, what, "it has 1 to 48 printable characters of ASCII, and no spaces");
        }
        let fetch =
            RawFetch { timeout: Some(self.timeout), ca: self.ca, dangerous_allow_http: At::default() };
        let trust = fetch.check(place, problems)?;
        let at = if self.to.place.is_known() { self.to.place } else { place };
        let Some((scheme, host, port)) = parse(&self.to) else {
            let what = format!("`{}` is no receiver of syslog", self.to.value);
            problems.error(at, what, "write it as in `tls://siem.example:6514`");
            return None;
        };
        let transport = match scheme {
            "tls" => Transport::Tls(Arc::new(trust.tls())),
            "tcp" => Transport::Tcp,
            _ => Transport::Udp,
        };
        let is_plain = !matches!(transport, Transport::Tls(_));
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match (is_plain && !is_local, self.dangerous_allow_plain) {
            (false, _) => {}
            (true, true) => {
                let what = format!("audit records go to {host} unprotected");
                problems.warning(
                    at,
                    what,
                    "give `tls://`, with `ca` where the certificate is of your own authority",
                );
            }
            (true, false) => {
                let what = format!("audit records would go to {host} unprotected");
                problems.error(at, what, "give `tls://`, or say `dangerous_allow_plain: true`");
            }
        }
        Some(SinkKind::Syslog(Box::new(SyslogConfig {
            host: host.to_owned(),
            port,
            transport,
            facility,
            app_name: self.app_name.value,
            timeout: trust.timeout,
            trust,
        })))
    }
}

/// `tls`, `tcp` or `udp`, the host without brackets, and the port.
fn parse(to: &str) -> Option<(&str, &str, u16)> {
    let (scheme, address) = to.split_once("://")?;
    let usual = match scheme {
        "tls" => 6514,
        "tcp" | "udp" => 514,
        _ => return None,
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some(""))?)
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return None;
    }
    Some((scheme, host, if port.is_empty() { usual } else { port.parse().ok()? }))
}

impl RawOtlp {
    fn check(self, place: Place, problems: &mut Problems) -> Option<SinkKind> {
        let fetch =
            RawFetch { timeout: Some(self.timeout), ca: self.ca, dangerous_allow_http: At::default() };
        let fetch = fetch.check(place, problems)?;
        let at = if self.url.place.is_known() { self.url.place } else { place };
        let mut headers = Vec::new();
        for (name, value) in self.headers.0 {
            headers.extend(check_header(&name, &value, problems).map(|name| (name, value)));
        }
        let url = match Endpoint::parse(&self.url, self.dangerous_allow_http) {
            Ok(url) => url,
            Err(why) => {
                let help = "write `https://HOST:4318/v1/logs`; `http://` only to a loopback address";
                problems.error(at, format!("records cannot be sent to this URL: {why}"), help);
                return None;
            }
        };
        if self.dangerous_allow_http && !url.is_https() {
            let help = "give an `https://` URL, and `ca` where the certificate is of your own authority";
            problems.warning(at, "audit records and their headers may go unprotected", help);
        }
        Some(SinkKind::Otlp(Box::new(OtlpConfig { url, headers, fetch })))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn receivers_are_read() {
        for (text, expected) in [
            ("tls://siem.example", Some(("tls", "siem.example", 6514))),
            ("tcp://127.0.0.1:1514", Some(("tcp", "127.0.0.1", 1514))),
            ("udp://[::1]", Some(("udp", "::1", 514))),
            ("udp://[::1]:9", Some(("udp", "::1", 9))),
            ("http://a", None),
            ("tls://", None),
            ("tls://a:b", None),
            ("tls://a:70000", None),
            ("tls://[::1]x", None),
            ("tls://a/b", None),
            ("siem.example:6514", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
