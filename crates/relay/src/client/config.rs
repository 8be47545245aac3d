//! A client's configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use crate::carrier::Dialer;
use crate::endpoint::bounds::{RawSession, SessionConfig};
use crate::endpoint::config::{RawGateway, identity};
use crate::endpoint::datagrams::config::{RawUdp, UdpConfig};
use crate::identity::Identity;
use crate::name::Role;

/// A client: the gateway that it dials, and who it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Wicketgate client")]
pub struct RawClient {
    /// The gateway that it dials.
    pub gateway: RawGateway,
    /// The folder with `authority.pem`, `certificate.pem` and `key.pem`, as `wicketgate ca issue client NAME` fills it.
    pub identity: At<PathBuf>,
    /// Bounds of each session.
    #[serde(default)]
    pub session: RawSession,
    /// Bounds for services of datagrams.
    #[serde(default)]
    pub udp: RawUdp,
}

/// A client's configuration, checked.
#[derive(Debug)]
pub struct ClientConfig {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The way to its gateway.
    pub dialer: Dialer,
    /// Bounds of each session.
    pub session: SessionConfig,
    /// Bounds for services of datagrams.
    pub udp: UdpConfig,
}

impl RawClient {
    /// Checks the values and reads the identity; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<ClientConfig> {
        let identity = identity(&self.identity, Role::Client, problems);
        let dialer = self.gateway.check(identity.as_deref(), problems);
        let session = self.session.check(problems);
        let udp = self.udp.check(problems);
        Some(ClientConfig { identity: identity?, dialer: dialer?, session, udp })
    }
}

/// The JSON Schema of a client's configuration file, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RawClient).to_value()
}
