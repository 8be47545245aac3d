//! Metrics of private sessions.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use wicketgate_relay::broker::Figures;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FromLabel {
    from: &'static str,
}

/// What the broker has and has done.
#[derive(Debug, Default)]
pub(super) struct RelayMetrics {
    endpoints: Family<RoleLabel, Gauge<u64, AtomicU64>>,
    sessions: Gauge<u64, AtomicU64>,
    granted: Counter,
    joined: Counter,
    bytes: Family<FromLabel, Counter>,
}

impl RelayMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("relay_endpoints", "Agents and clients that are connected", self.endpoints.clone());
        registry.register(
            "relay_sessions_open",
            "Private sessions of which an end is here",
            self.sessions.clone(),
        );
        registry.register(
            "relay_sessions_granted",
            "Private sessions that were granted",
            self.granted.clone(),
        );
        registry.register("relay_joins", "Times that both ends of a session met", self.joined.clone());
        registry.register(
            "relay_bytes",
            "Bytes of private sessions, by the end that sent them",
            self.bytes.clone(),
        );
    }

    /// Notes what there is. Only ever asked by one at a time.
    pub(super) fn note(&self, figures: &Figures) {
        for (role, number) in [("agent", figures.agents), ("client", figures.clients)] {
            self.endpoints.get_or_create(&RoleLabel { role }).set(number);
        }
        self.sessions.set(figures.sessions);
        let up_to = |counter: &Counter, total: u64| counter.inc_by(total.saturating_sub(counter.get()));
        up_to(&self.granted, figures.granted);
        up_to(&self.joined, figures.joined);
        for (from, total) in [("agent", figures.agent_bytes), ("client", figures.client_bytes)] {
            up_to(&self.bytes.get_or_create(&FromLabel { from }), total);
        }
    }
}
