//! A listener: where it listens, what it speaks, how many it takes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::problem::Problems;

/// A listener: where it listens, what it speaks, how many it takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawListener {}

/// The same, checked and complete.
#[derive(Clone, Debug, Default)]
pub struct ListenerConfig {}

impl RawListener {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, _problems: &mut Problems) -> ListenerConfig {
        ListenerConfig {}
    }
}
