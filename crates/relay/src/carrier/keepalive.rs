//! How an endpoint asks its carriers for signs of life, and how far it goes below what the way allows.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

/// Signs of life on the way to the gateway. Where connections end of silence, or at an age, the endpoint learns both, and stays below:
/// it asks more often, and changes to another connection before the one that it has is cut.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawKeepalive {
    /// How often each end asks the other for one, a fifth more or less, 1s to 1m.
    pub interval: At<Time>,
    /// How long the answer may take, 1s to 1m.
    pub timeout: At<Time>,
    /// Answers in a row that are missed until a connection is taken for dead, 1 to 10.
    pub misses: At<u8>,
    /// How often it asks at most, however short a silence connections end of, 1s to 1m.
    pub shortest_interval: At<Time>,
    /// The lowest age that connections are taken to end at, 1s to 1d: three in a row that ended at one age, within a twentieth.
    pub shortest_age: At<Time>,
}

impl Default for RawKeepalive {
    fn default() -> Self {
        let time = |seconds| At::nowhere(Time::secs(seconds));
        Self {
            interval: time(20),
            timeout: time(10),
            misses: At::nowhere(2),
            shortest_interval: time(5),
            shortest_age: time(30),
        }
    }
}

/// Signs of life, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How often each end asks.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
    /// Answers in a row that are missed until a carrier is dead.
    pub misses: u8,
    /// How often it asks at most.
    pub shortest_interval: Duration,
    /// The lowest age that carriers are taken to end at.
    pub shortest_age: Duration,
}

impl RawKeepalive {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Keepalive {
        let (second, minute) = (Time::secs(1), Time::secs(60));
        let interval = problems.in_range("interval", &self.interval, second..=minute).0;
        let shortest = problems.in_range("shortest_interval", &self.shortest_interval, second..=minute).0;
        Keepalive {
            interval,
            timeout: problems.in_range("timeout", &self.timeout, second..=minute).0,
            misses: problems.in_range("misses", &self.misses, 1..=10),
            shortest_interval: shortest.min(interval),
            shortest_age: problems
                .in_range("shortest_age", &self.shortest_age, second..=Time::secs(86_400))
                .0,
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        RawKeepalive::default().check(&mut Problems::default())
    }
}

impl Keepalive {
    /// From the last byte before a carrier has gone silent, how long until it is taken for dead, at most.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout * u32::from(self.misses)
    }
}
