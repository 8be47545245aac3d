//! How many flows of datagrams a session has, and for how long.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Time};

use super::Room;

/// Services of UDP: each client source address and service is a flow, which has a stream of its own in the session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawUdp {
    /// The most flows of a session at once, 1 to 32. Each holds at most `queue` and 384 KiB. At a client the one that was quiet longest makes
    /// room for a new one; an agent refuses those beyond.
    pub max_flows: At<u32>,
    /// Bytes of a flow that wait for the session at most, as while it has no connection: of more, the oldest datagrams are dropped.
    /// 64KiB to 16MiB.
    pub queue: At<Size>,
    /// Datagrams of a flow that wait at most, 1 to 65536.
    pub queue_datagrams: At<u32>,
    /// How long a flow lasts over which nothing comes either way, 1s to 1h.
    pub idle_timeout: At<Time>,
}

/// The most flows of a session: with the most connections, they leave room for streams of which one end alone knows that they have ended.
pub(in crate::endpoint) const MAX_FLOWS: u32 = 32;

impl Default for RawUdp {
    fn default() -> Self {
        Self {
            max_flows: At::nowhere(MAX_FLOWS),
            queue: At::nowhere(Size(256 << 10)),
            queue_datagrams: At::nowhere(256),
            idle_timeout: At::nowhere(Time::secs(60)),
        }
    }
}

/// Bounds of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpConfig {
    /// The most flows of a session.
    pub max_flows: usize,
    /// What waits of each.
    pub queue: Room,
    /// How long a flow lasts over which nothing comes.
    pub idle: Duration,
}

impl RawUdp {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> UdpConfig {
        let idle = problems.in_range("idle_timeout", &self.idle_timeout, Time::secs(1)..=Time::secs(3600));
        let max_flows = problems.in_range("max_flows", &self.max_flows, 1..=MAX_FLOWS);
        let bytes = problems.in_range("queue", &self.queue, Size(64 << 10)..=Size(16 << 20)).0 as usize;
        let datagrams = problems.in_range("queue_datagrams", &self.queue_datagrams, 1..=65_536) as usize;
        UdpConfig { max_flows: max_flows as usize, queue: Room { bytes, datagrams }, idle: idle.0 }
    }
}
