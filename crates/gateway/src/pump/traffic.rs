//! Counters that many sessions share: brought up to date about once a second, not per message.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

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

/// What one session has moved, for whoever looks on: brought up to date as its route's counters are.
#[derive(Debug, Default)]
pub struct Moved {
    client: SideMoved,
    upstream: SideMoved,
    /// When it was brought up to date last, in seconds of Unix' time.
    at: AtomicU64,
}

#[derive(Debug, Default)]
struct SideMoved {
    messages: AtomicU64,
    bytes: AtomicU64,
    /// A second, of late.
    message_rate: AtomicU32,
    byte_rate: AtomicU32,
}

/// What one side of a session has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentBySide {
    /// Messages that went on.
    pub messages: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Messages a second, of late.
    pub message_rate: u32,
    /// Bytes a second, of late.
    pub byte_rate: u32,
}

/// How long a rate holds of a session that has moved nothing since: it is brought up to date when something moves.
const FRESH: u64 = 3;

impl Moved {
    /// Notes what both sides have sent, and had so long ago.
    pub(super) fn note(
        &self,
        now: (Counters, Counters),
        before: (Counters, Counters),
        elapsed: Duration,
        at: SystemTime,
    ) {
        self.client.note(now.0, before.0, elapsed);
        self.upstream.note(now.1, before.1, elapsed);
        self.at.store(seconds(at), Relaxed);
    }

    /// What the client and the upstream have sent, as it is now.
    pub fn sent(&self, now: SystemTime) -> (SentBySide, SentBySide) {
        let is_fresh = seconds(now).saturating_sub(self.at.load(Relaxed)) <= FRESH;
        (self.client.sent(is_fresh), self.upstream.sent(is_fresh))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl SideMoved {
    fn note(&self, now: Counters, before: Counters, elapsed: Duration) {
        let rate = |count: u64| {
            let a_second = u128::from(count) * 1000 / elapsed.as_millis().max(1);
            u32::try_from(a_second).unwrap_or(u32::MAX)
        };
        self.messages.store(now.messages, Relaxed);
        self.bytes.store(now.bytes, Relaxed);
        self.message_rate.store(rate(now.messages.saturating_sub(before.messages)), Relaxed);
        self.byte_rate.store(rate(now.bytes.saturating_sub(before.bytes)), Relaxed);
    }

    fn sent(&self, is_fresh: bool) -> SentBySide {
        let rate = |rate: &AtomicU32| if is_fresh { rate.load(Relaxed) } else { 0 };
        SentBySide {
            messages: self.messages.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            message_rate: rate(&self.message_rate),
            byte_rate: rate(&self.byte_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_late() {
        let sent = |messages, bytes| Counters { messages, bytes, ..Counters::default() };
        let (none, moved) = (Counters::default(), Moved::default());
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(moved.sent(at(9)), Default::default());
        moved.note((sent(30, 900), none), (sent(10, 100), none), Duration::from_secs(2), at(9));
        let (client, upstream) = moved.sent(at(10));
        assert_eq!(client, SentBySide { messages: 30, bytes: 900, message_rate: 10, byte_rate: 400 });
        assert_eq!(upstream, SentBySide::default());
        let (client, _) = moved.sent(at(20));
        assert_eq!((client.messages, client.message_rate, client.byte_rate), (30, 0, 0));
    }
}
