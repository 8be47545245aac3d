//! An agent's configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Place, Problems, Table, Time};

use super::services::Services;
use crate::access::{Access, RawAccess};
use crate::carrier::Dialer;
use crate::endpoint::bounds::{RawSession, SessionConfig};
use crate::endpoint::config::{RawGateway, identity};
use crate::endpoint::datagrams::config::{RawUdp, UdpConfig};
use crate::identity::Identity;
use crate::name::Role;

/// An agent: the gateway that it dials, and the services that it offers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Wicketgate agent")]
pub struct RawAgent {
    /// The gateway that it dials.
    pub gateway: RawGateway,
    /// The folder with `authority.pem`, `certificate.pem` and `key.pem`, as `wicketgate ca issue agent NAME` fills it.
    pub identity: At<PathBuf>,
    /// What clients can reach, by name: an address `HOST:PORT` of TCP each, or `udp://HOST:PORT` of datagrams. At most 1000. A name with `*` is for all that match: what
    /// `*` stands for is put in the place of `*` in the host, as in `"db-*": "*.db.internal:5432"`. A name of its own counts before such,
    /// and of several that match the one with the most letters. The host has to say where it leads whatever a client asks for: `*`
    /// stands before a domain (`*.db.internal`), in a name without one (`pc-*`), or as the last number of an IPv4 address (`10.0.7.*`).
    pub services: Table<At<String>>,
    /// Which clients reach which services, in the agent's own word: it is asked last. Without it, every client that the gateway lets
    /// in.
    #[serde(default)]
    pub access: Option<Vec<Item<RawClients>>>,
    /// How long the connection to a service may take, 100ms to 5m.
    #[serde(default = "ten_seconds")]
    pub connect_timeout: At<Time>,
    /// Bounds of each session.
    #[serde(default)]
    pub session: RawSession,
    /// Bounds for services of datagrams.
    #[serde(default)]
    pub udp: RawUdp,
    /// The most sessions at once, 1 to 10000. Each holds at most twice `session.buffer`, and `session.unread`.
    #[serde(default = "hundred")]
    pub max_sessions: At<u32>,
}

/// A rule: these clients reach these services, at these times.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClients {
    /// Names of clients; `*` stands for any characters.
    pub clients: OneOrMany<At<String>>,
    /// Names of services; `*` stands for any characters.
    pub services: OneOrMany<At<String>>,
    /// When the rule applies, as in `mon-fri 08:00-18:00`, `sat,sun` or `22:00-06:00`: days of the week, and a time, which ends before
    /// its last moment and is of the day on which it begins; seconds may be written too. Default: always. At most 100.
    #[serde(default)]
    pub times: Option<OneOrMany<At<String>>>,
    /// By whose clock: an IANA time zone, as in `Europe/Berlin`, or `UTC`. To be given with `times`.
    #[serde(default)]
    pub timezone: Option<At<String>>,
}

fn ten_seconds() -> At<Time> {
    At::nowhere(Time::secs(10))
}

fn hundred() -> At<u32> {
    At::nowhere(100)
}

/// An agent's configuration, checked.
#[derive(Debug)]
pub struct AgentConfig {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The way to its gateway.
    pub dialer: Dialer,
    /// Where the services are.
    pub services: Services,
    /// Which clients reach which.
    pub access: Access,
    /// How long the connection to a service may take.
    pub connect_timeout: Duration,
    /// Bounds of each session.
    pub session: SessionConfig,
    /// Bounds for services of datagrams.
    pub udp: UdpConfig,
    /// The most sessions at once.
    pub max_sessions: usize,
}

impl RawAgent {
    /// Checks the values and reads the identity; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<AgentConfig> {
        let identity = identity(&self.identity, Role::Agent, problems);
        let dialer = self.gateway.check(identity.as_deref(), problems);
        let services = Services::check(self.services, problems);
        let any = || OneOrMany(vec![At::nowhere("*".to_owned())]);
        let rules = match self.access {
            None => {
                let all =
                    RawAccess { clients: any(), agents: any(), services: any(), times: None, timezone: None };
                vec![Item { value: all, place: Place::UNKNOWN, whole: true }]
            }
            Some(rules) => rules
                .into_iter()
                .map(|Item { value: RawClients { clients, services, times, timezone }, place, whole }| Item {
                    value: RawAccess { clients, agents: any(), services, times, timezone },
                    place,
                    whole,
                })
                .collect(),
        };
        let access = Access::check(rules, problems);
        let max_sessions = problems.in_range("max_sessions", &self.max_sessions, 1..=10_000) as usize;
        let connect_timeout = problems
            .in_range("connect_timeout", &self.connect_timeout, Time::millis(100)..=Time::secs(300))
            .0;
        let session = self.session.check(problems);
        let udp = self.udp.check(problems);
        let (identity, dialer) = (identity?, dialer?);
        Some(AgentConfig { identity, dialer, services, access, connect_timeout, session, udp, max_sessions })
    }
}

/// The JSON Schema of an agent's configuration file, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RawAgent).to_value()
}
