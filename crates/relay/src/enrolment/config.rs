//! How many may ask a gateway to join.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

/// How many may ask to join, who have proved nothing yet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEnrolment {
    /// The most that ask at a time, 1 to 1000; further ones are refused. Each takes about 40 KiB.
    #[serde(default = "sixteen")]
    pub max_joins: At<u32>,
    /// How often one address may ask within a minute, 1 to 10000; of IPv6, one network of 64 bits.
    #[serde(default = "ten")]
    pub joins_per_minute: At<u32>,
    /// How long all of it may take, the authority's answer included, 1s to 60s.
    #[serde(default = "thirty_seconds")]
    pub timeout: At<Time>,
}

fn sixteen() -> At<u32> {
    At::nowhere(16)
}

fn ten() -> At<u32> {
    At::nowhere(10)
}

fn thirty_seconds() -> At<Time> {
    At::nowhere(Time::secs(30))
}

/// The section, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The most that ask at a time.
    pub max_joins: usize,
    /// How often one address may ask within a minute.
    pub joins_per_minute: u32,
    /// How long it may take.
    pub timeout: Duration,
}

impl RawEnrolment {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Enrolment {
        Enrolment {
            max_joins: problems.in_range("max_joins", &self.max_joins, 1..=1000) as usize,
            joins_per_minute: problems.in_range("joins_per_minute", &self.joins_per_minute, 1..=10_000),
            timeout: problems.in_range("timeout", &self.timeout, Time::secs(1)..=Time::secs(60)).0,
        }
    }
}
