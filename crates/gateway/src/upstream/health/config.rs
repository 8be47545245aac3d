//! Health checks as configured: active probes and passive ejection.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use http::uri::PathAndQuery;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wicketgate_config::{At, Problems, Time, Toggle};

use crate::upstream::config::SPAN;

/// How it is found out which targets can be used.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHealth {
    /// Probes sent to every target. Default: none are sent.
    pub active: Option<RawActive>,
    /// Targets left alone for a while after real sessions failed. `off` never does that.
    pub passive: Toggle<RawPassive>,
}

/// Probes sent to every target, each over a connection of its own. A target counts as healthy until probes say otherwise.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawActive {
    /// `http`: a GET whose status must be expected. `websocket`: a whole handshake, verified, then closed with 1000.
    pub kind: ProbeKind,
    /// The path that is asked for.
    pub path: At<String>,
    /// The `Host` of the probe. Default: the target's own.
    pub host: Option<At<String>>,
    /// The status of a healthy answer to `http`, one or a range.
    pub expect: Statuses,
    /// Time between two probes of a target, spread by a tenth.
    pub interval: At<Time>,
    /// Time for a whole probe: connecting, TLS, answer.
    pub timeout: At<Time>,
    /// Good probes in a row that make a target healthy again.
    pub healthy_after: At<u32>,
    /// Bad probes in a row that make a target unhealthy.
    pub unhealthy_after: At<u32>,
}

/// Targets are ejected for a while after failures in a row: refused or late connections, broken handshakes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPassive {
    /// Failures in a row that eject a target, 1 to 100000.
    pub failures: At<u32>,
    /// The time in which they must happen.
    pub window: At<Time>,
    /// How long an ejected target gets nothing.
    pub ejection: At<Time>,
    /// The share of targets that may be ejected at once, rounded down: a lone target never is.
    pub max_ejected_percent: At<u32>,
    /// Whether a response of 500 to 599 counts as a failure.
    pub count_5xx: bool,
}

/// What a probe does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A GET request.
    #[default]
    Http,
    /// A WebSocket handshake and a clean close.
    Websocket,
}

/// A range of status codes: `200`, `200-399`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Statuses(pub RangeInclusive<u16>);

/// [`RawHealth`], checked and complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// Probes, if any are sent.
    pub active: Option<ActiveConfig>,
    /// When targets are ejected; `None` for never.
    pub passive: Option<PassiveConfig>,
}

/// [`RawActive`], checked and complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is described where it is configured, in RawActive")]
pub struct ActiveConfig {
    pub kind: ProbeKind,
    pub path: PathAndQuery,
    pub host: Option<http::HeaderValue>,
    pub expect: Statuses,
    pub interval: Duration,
    pub timeout: Duration,
    pub healthy_after: u32,
    pub unhealthy_after: u32,
}

/// [`RawPassive`], checked and complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is described where it is configured, in RawPassive")]
pub struct PassiveConfig {
    pub failures: u32,
    pub window: Duration,
    pub ejection: Duration,
    pub max_ejected_percent: u32,
    pub count_5xx: bool,
}

impl RawHealth {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> HealthConfig {
        let passive = match self.passive {
            Toggle::On(passive) => Some(passive.check(problems)),
            Toggle::Off => None,
        };
        HealthConfig { active: self.active.map(|active| active.check(problems)), passive }
    }
}

impl RawActive {
    fn check(self, problems: &mut Problems) -> ActiveConfig {
        let path = PathAndQuery::from_str(&self.path).ok().filter(|path| path.as_str().starts_with('/'));
        if path.is_none() {
            let what = format!("`{}` is no path", self.path.value);
            problems.error(self.path.place, what, "write a path that begins with a slash, as in /healthz");
        }
        let host = self.host.and_then(|host| {
            let value = http::HeaderValue::from_str(&host).ok();
            if value.is_none() {
                problems.error(host.place, "this is no host name", "write a host, or host and port");
            }
            value
        });
        ActiveConfig {
            kind: self.kind,
            path: path.unwrap_or(PathAndQuery::from_static("/")),
            host,
            expect: self.expect,
            interval: problems.in_range("interval", &self.interval, SPAN).0,
            timeout: problems.in_range("timeout", &self.timeout, SPAN).0,
            healthy_after: problems.in_range("healthy_after", &self.healthy_after, 1..=1000),
            unhealthy_after: problems.in_range("unhealthy_after", &self.unhealthy_after, 1..=1000),
        }
    }
}

impl RawPassive {
    fn check(self, problems: &mut Problems) -> PassiveConfig {
        PassiveConfig {
            failures: problems.in_range("failures", &self.failures, 1..=100_000),
            window: problems.in_range("window", &self.window, SPAN).0,
            ejection: problems.in_range("ejection", &self.ejection, SPAN).0,
            max_ejected_percent: problems.in_range("max_ejected_percent", &self.max_ejected_percent, 0..=100),
            count_5xx: self.count_5xx,
        }
    }
}

impl Default for RawActive {
    fn default() -> Self {
        Self {
            kind: ProbeKind::Http,
            path: At::nowhere("/".into()),
            host: None,
            expect: Statuses(200..=299),
            interval: At::nowhere(Time::secs(10)),
            timeout: At::nowhere(Time::secs(5)),
            healthy_after: At::nowhere(2),
            unhealthy_after: At::nowhere(3),
        }
    }
}

impl Default for RawPassive {
    fn default() -> Self {
        Self {
            failures: At::nowhere(5),
            window: At::nowhere(Time::secs(30)),
            ejection: At::nowhere(Time::secs(30)),
            max_ejected_percent: At::nowhere(50),
            count_5xx: false,
        }
    }
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |text: &str| text.trim().parse().ok().filter(|code| (100..=599).contains(code));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!("`{text}` is no status: write one or a range, as in 200 or 200-399")),
        }
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}-{}", self.0.start(), self.0.end()))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
