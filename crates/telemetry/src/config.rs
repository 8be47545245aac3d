//! What is sent to a collector, as it is configured.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, Place, Problems, Table, Time, Toggle};

use crate::collector::CollectorConfig;
pub use crate::collector::RawCollector;

/// Traces and metrics for an OpenTelemetry collector, by OTLP over HTTP. All of it changes only at a restart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTelemetry {
    /// The collector.
    pub otlp: Option<Item<RawCollector>>,
    /// What is said of this process with all that is sent, as in `deployment.environment.name: production`: at most 64, of 512 characters
    /// each. `service.name` is `wicketgate`, `service.version` its version and `service.instance.id` a random word of each start where they
    /// are not given here.
    pub attributes: Table<At<String>>,
    /// Traces: a span for each request and WebSocket session, and for what happens in them. `off` where it is not given.
    pub traces: Option<At<Toggle<RawTraces>>>,
    /// The metrics that `/metrics` has. `off` where it is not given.
    pub metrics: Option<At<Toggle<RawMetrics>>>,
}

/// What is traced.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTraces {
    /// The part of traces that is sent, 0 to 1, of those that begin here. Where a trusted proxy sends a trace of its own along, that one's
    /// word decides.
    pub sample_ratio: At<f64>,
    /// Spans that wait to be sent, 64 to 1048576; more are dropped and counted. One takes about 1 KiB and at most 8 KiB: the worst case at
    /// the default is 32 MiB.
    pub queue: At<u32>,
    /// Spans in one request to the collector, 1 to 4096.
    pub batch: At<u32>,
    /// How often spans are sent that the collector does not take at first, 1 to 20; then they are dropped and counted. Spans that come
    /// meanwhile wait in the queue.
    pub tries: At<u32>,
    /// The pause after the first time, 100ms to 1m; each one after it is twice as long, and up to a fifth more. Where the collector asks for
    /// more by `Retry-After`, it gets that, up to a minute.
    pub pause: At<Time>,
    /// Whether spans have the client's address, which is personal data, as `client.address`.
    pub client_address: bool,
}

/// Which metrics are sent, and how often.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMetrics {
    /// The time between two times of sending, 1s to 1h.
    pub interval: At<Time>,
}

impl Default for RawTraces {
    fn default() -> Self {
        Self {
            sample_ratio: At::nowhere(1.0),
            queue: At::nowhere(4096),
            batch: At::nowhere(512),
            tries: At::nowhere(5),
            pause: At::nowhere(Time::secs(1)),
            client_address: false,
        }
    }
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self { interval: At::nowhere(Time::secs(60)) }
    }
}

/// What is sent, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryConfig {
    /// The collector.
    pub collector: CollectorConfig,
    /// What is said of this process.
    pub attributes: Vec<(String, String)>,
    /// What is traced, if anything is.
    pub traces: Option<TracesConfig>,
    /// Which metrics are sent, if any are.
    pub metrics: Option<MetricsConfig>,
}

/// What is traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TracesConfig {
    /// The part of traces that begin here that is sent, 0 to 1.
    pub sample_ratio: f64,
    /// Spans that may wait.
    pub queue: usize,
    /// Spans in one request.
    pub batch: usize,
    /// How often they are sent.
    pub tries: u32,
    /// The pause after the first time.
    pub pause: Duration,
    /// Whether spans have the client's address.
    pub client_address: bool,
}

/// Which metrics are sent, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The time between two times of sending.
    pub interval: Duration,
}

/// The most attributes of the process, and the longest of each in characters.
const ATTRIBUTES_MAX: usize = 64;
const ATTRIBUTE_MAX: usize = 512;

impl RawTelemetry {
    /// Checks the values; what is wrong goes to `problems`. `place` is that of the section.
    pub fn check(self, place: Place, problems: &mut Problems) -> Option<TelemetryConfig> {
        let attributes = attributes(self.attributes, place, problems);
        let traces = switched_on(self.traces).map(|traces| traces.check(problems));
        let metrics = switched_on(self.metrics).map(|metrics| metrics.check(problems));
        if traces.is_none() && metrics.is_none() {
            let help = "add `traces: on`, `metrics: on`, or both; or remove the section";
            problems.warning(place, "nothing is sent to the collector", help);
        }
        let Some(otlp) = self.otlp else {
            let what = "traces and metrics have nowhere to go";
            problems.error(place, what, "name the collector: `otlp: {url: https://HOST:4318}`");
            return None;
        };
        if !otlp.whole {
            return None;
        }
        let collector = otlp.value.check(otlp.place, problems)?;
        Some(TelemetryConfig { collector, attributes, traces, metrics })
    }
}

fn switched_on<T>(toggle: Option<At<Toggle<T>>>) -> Option<T> {
    match toggle?.value {
        Toggle::Off => None,
        Toggle::On(value) => Some(value),
    }
}

impl RawTraces {
    fn check(self, problems: &mut Problems) -> TracesConfig {
        TracesConfig {
            sample_ratio: problems.in_range("sample_ratio", &self.sample_ratio, 0.0..=1.0),
            queue: problems.in_range("queue", &self.queue, 64..=1 << 20) as usize,
            batch: problems.in_range("batch", &self.batch, 1..=4096) as usize,
            tries: problems.in_range("tries", &self.tries, 1..=20),
            pause: problems.in_range("pause", &self.pause, Time::millis(100)..=Time::secs(60)).0,
            client_address: self.client_address,
        }
    }
}

impl RawMetrics {
    fn check(self, problems: &mut Problems) -> MetricsConfig {
        let interval = problems.in_range("interval", &self.interval, Time::secs(1)..=Time::secs(3600)).0;
        MetricsConfig { interval }
    }
}

fn attributes(raw: Table<At<String>>, place: Place, problems: &mut Problems) -> Vec<(String, String)> {
    if raw.0.len() > ATTRIBUTES_MAX {
        problems.error(place, format!("more than {ATTRIBUTES_MAX} attributes"), "remove some");
    }
    for (name, value) in &raw.0 {
        let is_long = |text: &str| text.chars().count() > ATTRIBUTE_MAX;
        if name.is_empty() || value.is_empty() || is_long(name) || is_long(value) {
            let what = format!("`{}` and its value are no attribute", name.value);
            problems.error(name.place, what, format!("both have 1 to {ATTRIBUTE_MAX} characters"));
        }
    }
    raw.0.into_iter().map(|(name, value)| (name.value, value.value)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(telemetry: RawTelemetry) -> (Option<TelemetryConfig>, Vec<String>) {
        let mut problems = Problems::default();
        let config = telemetry.check(Place::UNKNOWN, &mut problems);
        (config, problems.iter().map(|problem| problem.what.clone()).collect())
    }

    fn telemetry(url: &str) -> RawTelemetry {
        let collector = RawCollector { url: At::nowhere(url.into()), ..RawCollector::default() };
        RawTelemetry {
            otlp: Some(Item { value: collector, place: Place::UNKNOWN, whole: true }),
            traces: Some(At::nowhere(Toggle::On(RawTraces::default()))),
            ..RawTelemetry::default()
        }
    }

    #[test]
    fn both_signals_have_their_paths_below_the_url() {
        for url in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
            let (config, told) = check(telemetry(url));
            let collector = config.unwrap().collector;
            assert_eq!(told, Vec::<String>::new());
            assert_eq!(collector.traces.to_string(), "http://127.0.0.1:4318/v1/traces");
            assert_eq!(collector.metrics.to_string(), "http://127.0.0.1:4318/v1/metrics");
        }
        let (config, _) = check(telemetry("https://a.example/api/v1/otlp"));
        assert_eq!(config.unwrap().collector.metrics.to_string(), "https://a.example/api/v1/otlp/v1/metrics");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let bad = RawTraces {
            sample_ratio: At::nowhere(f64::NAN),
            queue: At::nowhere(1),
            batch: At::nowhere(0),
            ..RawTraces::default()
        };
        let long = Table(vec![(At::nowhere("a".into()), At::nowhere("x".repeat(513)))]);
        for (telemetry, expected) in [
            (RawTelemetry::default(), "nowhere to go"),
            (telemetry("http://collector.example:4318"), "unprotected"),
            (telemetry("collector.example:4318"), "it has no host"),
            (telemetry("http://127.0.0.1:4318/?a=b"), "query"),
            (RawTelemetry { traces: None, ..telemetry("http://127.0.0.1:1") }, "nothing is sent"),
            (RawTelemetry { attributes: long, ..telemetry("http://127.0.0.1:1") }, "no attribute"),
            (
                RawTelemetry {
                    traces: Some(At::nowhere(Toggle::On(bad))),
                    ..telemetry("http://127.0.0.1:1")
                },
                "`sample_ratio` is NaN",
            ),
        ] {
            let (_, told) = check(telemetry);
            assert!(told.iter().any(|told| told.contains(expected)), "{expected}: {told:?}");
        }
    }
}
