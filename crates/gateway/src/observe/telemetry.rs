//! Metrics of what is sent to a collector.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use wicketgate_telemetry::{Figures, Loss};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignalLabel {
    signal: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabel {
    signal: &'static str,
    reason: &'static str,
}

/// What became of spans and points.
#[derive(Debug, Default)]
pub(super) struct TelemetryMetrics {
    sent: Family<SignalLabel, Counter>,
    lost: Family<LossLabel, Counter>,
    failures: Family<SignalLabel, Counter>,
}

impl TelemetryMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "telemetry_sent",
            "Spans and points of metrics that the collector has taken",
            self.sent.clone(),
        );
        registry.register(
            "telemetry_dropped",
            "Spans and points of metrics that the collector has not got, by reason",
            self.lost.clone(),
        );
        registry.register(
            "telemetry_failures",
            "Requests to the collector that failed",
            self.failures.clone(),
        );
    }

    /// Notes what became of a signal. Only ever asked by one at a time.
    pub(super) fn note(&self, figures: &Figures) {
        let signal = figures.signal.label();
        let up_to = |counter: &Counter, total: u64| counter.inc_by(total.saturating_sub(counter.get()));
        up_to(&self.sent.get_or_create(&SignalLabel { signal }), figures.sent);
        up_to(&self.failures.get_or_create(&SignalLabel { signal }), figures.failures);
        for (why, total) in Loss::ALL.iter().zip(figures.lost) {
            up_to(&self.lost.get_or_create(&LossLabel { signal, reason: why.label() }), total);
        }
    }
}
