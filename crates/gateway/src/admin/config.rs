//! The operator's own listener, as it is configured.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::{RawSecret, Secret};
use wicketgate_config::{At, Problems};

use crate::listener::BindAddress;
use crate::listener::config::FileMode;

/// The operator's own listener: `/metrics`, `/healthz`, `/readyz`, and status, log, live sessions, captures and revocations for whoever may.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAdmin {
    /// Where it listens: `127.0.0.1:9090`, or a Unix socket, `unix:/run/wicketgate/admin.sock`. An address must be a loopback
    /// address, because metrics and health ask for no credentials.
    pub bind: At<String>,
    /// Who may connect to a Unix socket, as file permissions. Default: 0600.
    pub mode: FileMode,
    /// The token that everything but metrics and health asks for, at least 32 characters, as `Authorization: Bearer TOKEN`. Without it
    /// they are there on a Unix socket alone, for whoever may connect to it.
    pub token: Option<At<RawSecret>>,
    /// Allows an address that others can reach: they then read metrics, and with them the names of routes and
    /// upstreams; and whoever listens on the way reads the token.
    pub dangerous_allow_remote: bool,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self {
            bind: At::nowhere("127.0.0.1:9090".into()),
            mode: FileMode(0o600),
            token: None,
            dangerous_allow_remote: false,
        }
    }
}

/// The operator's own listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it listens.
    pub bind: BindAddress,
    /// Who may connect to a Unix socket.
    pub mode: u32,
    /// What everything but metrics and health asks for.
    pub token: Option<Secret>,
}

/// The shortest token, in characters: 32 of base64 are 192 bits.
const MIN_TOKEN: usize = 32;

impl RawAdmin {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<AdminConfig> {
        let token =
            self.token.and_then(|token| RawSecret::check(token, "the admin token", MIN_TOKEN, problems));
        let bind = match self.bind.parse::<BindAddress>() {
            Ok(bind) => bind,
            Err(_) => {
                let what = format!("`{}` is no address with a port", self.bind.value);
                problems.error(
                    self.bind.place,
                    what,
                    "write it as in `127.0.0.1:9090`, `[::1]:9090` or `unix:/PATH`",
                );
                return None;
            }
        };
        let local = match &bind {
            BindAddress::Tcp(address) => address.ip().is_loopback(),
            BindAddress::Unix(_) => true,
        };
        match (local, self.dangerous_allow_remote) {
            (true, _) => {}
            (false, true) => problems.warning(
                self.bind.place,
                format!("the admin listener can be reached from elsewhere at {bind}"),
                "keep it behind a firewall: it asks for no credentials",
            ),
            (false, false) => problems.error(
                self.bind.place,
                format!("the admin listener would be reachable from elsewhere at {bind}"),
                "bind it to 127.0.0.1 or [::1], or say `dangerous_allow_remote: true`",
            ),
        }
        Some(AdminConfig { bind, mode: self.mode.0, token })
    }
}
