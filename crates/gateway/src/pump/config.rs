//! How a route treats its WebSocket sessions: mode, limits, pings, compression.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::problem::Problems;

/// How a route treats its WebSocket sessions: mode, limits, pings, compression.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWebSocket {}

/// The same, checked and complete.
#[derive(Clone, Debug, Default)]
pub struct WebSocketConfig {}

impl RawWebSocket {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, _problems: &mut Problems) -> WebSocketConfig {
        WebSocketConfig {}
    }
}
