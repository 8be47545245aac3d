//! TLS towards clients, as configured on a listener.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::problem::Problems;

/// TLS towards clients, as configured on a listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawServerTls {}

/// The same, checked and complete.
#[derive(Clone, Debug, Default)]
pub struct ServerTlsConfig {}

impl RawServerTls {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, _problems: &mut Problems) -> ServerTlsConfig {
        ServerTlsConfig {}
    }
}
