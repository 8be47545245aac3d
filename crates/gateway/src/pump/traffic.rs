//! Counters that many sessions share: brought up to date about once a second, not per message.

use prometheus_client::metrics::counter::Counter;

use super::flow::Counters;

/// What one side of a route's sessions has sent.
#[derive(Clone, Debug, Default)]
pub struct SideTraffic {
    /// Messages that went on.
    pub messages: Counter,
    /// Messages that were dropped.
    pub dropped: Counter,
    /// Bytes read.
    pub bytes: Counter,
}

impl SideTraffic {
    /// Adds what has come since `before`.
    pub(super) fn add(&self, now: Counters, before: Counters) {
        self.messages.inc_by(now.messages - before.messages);
        self.dropped.inc_by(now.dropped - before.dropped);
        self.bytes.inc_by(now.bytes - before.bytes);
    }
}

/// What a route's sessions have sent.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Clients.
    pub client: SideTraffic,
    /// Upstreams.
    pub upstream: SideTraffic,
}
