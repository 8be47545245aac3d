//! An upstream: its targets, balance, health checks and timeouts.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::problem::Problems;

/// An upstream: its targets, balance, health checks and timeouts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawUpstream {}

/// The same, checked and complete.
#[derive(Clone, Debug, Default)]
pub struct UpstreamConfig {}

impl RawUpstream {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, _problems: &mut Problems) -> UpstreamConfig {
        UpstreamConfig {}
    }
}
