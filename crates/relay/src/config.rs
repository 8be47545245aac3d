//! The section `relay` of a gateway's configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Problems, RawSecret, Secret, Time};

use crate::access::{Access, RawAccess};
use crate::carrier::{Kind, Kinds};
use crate::control::version::{OLDEST, Version};
use crate::enrolment::config::{Enrolment, RawEnrolment};
use crate::identity::{Identity, IdentityFiles};
use crate::name::Role;
use crate::revocation::{RawRevocations, Revocations};
use crate::ticket::Seal;

/// Private sessions between clients and agents, which both dial out to this gateway: to a route with `relay: on`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRelay {
    /// The site's authority, as `wicketgate ca init` has made it (PEM).
    pub authority: At<PathBuf>,
    /// This gateway's certificate by that authority, as `wicketgate ca issue gateway NAME` makes it (PEM).
    pub certificate: At<PathBuf>,
    /// Its private key (PEM), which nobody else of this machine may read.
    pub key: At<PathBuf>,
    /// What tickets for sessions are sealed with, at least 32 characters; the same at all gateways of a site. Without it sessions
    /// do not outlive a restart of this gateway.
    #[serde(default)]
    pub ticket_secret: Option<At<RawSecret>>,
    /// Which clients reach which services of which agents. What no rule allows is refused.
    #[serde(default)]
    pub access: Vec<Item<RawAccess>>,
    /// The kinds of carriers that are taken: `websocket` on routes with `relay: on`, and `tls` on every listener with TLS, for endpoints
    /// between whom and this gateway nothing ends TLS; they belong to the first route with `relay: on`. Default: both.
    #[serde(default)]
    pub carriers: Option<OneOrMany<At<Kind>>>,
    /// Lets agents and clients join that have a one-time token of the site's authority, as `wicketgate ca token` makes it, while
    /// `wicketgate ca serve` is connected to this gateway. Without this section, nobody joins.
    #[serde(default)]
    pub enrolment: Option<RawEnrolment>,
    /// Agents and clients that are not let in any more.
    #[serde(default)]
    pub revocations: RawRevocations,
    /// The most sessions of one client at a time, 1 to 10000.
    #[serde(default = "hundred")]
    pub max_sessions_per_client: At<u32>,
    /// The most sessions of one agent at a time, 1 to 10000.
    #[serde(default = "thousand")]
    pub max_sessions_per_agent: At<u32>,
    /// The oldest version of agents and clients that is let in.
    #[serde(default)]
    pub minimum_version: Option<At<String>>,
    /// How long a ticket serves to open carriers with, 1m to 1d. Endpoints renew theirs in time.
    #[serde(default = "ten_minutes")]
    pub ticket_lifetime: At<Time>,
    /// How long one end of a session is held while the other is away, 1s to 10m.
    #[serde(default = "thirty_seconds")]
    pub join_timeout: At<Time>,
    /// How long a new connection may take to prove who it is, 1s to 60s.
    #[serde(default = "ten_seconds")]
    pub handshake_timeout: At<Time>,
    /// The most agents, 1 to 100000. Each takes about 40 KiB.
    #[serde(default = "many")]
    pub max_agents: At<u32>,
    /// The most ends of sessions, 2 to 1000000. Each takes about 10 KiB while it is idle.
    #[serde(default = "more")]
    pub max_carriers: At<u32>,
    /// The most endpoints that look at the way with `wicketgate doctor` at once, 0 to 1000: 0 answers none. Each has up to ten connections of
    /// 1 MiB, on which it may send 16 MiB.
    #[serde(default = "sixteen")]
    pub max_probes: At<u32>,
}

fn ten_minutes() -> At<Time> {
    At::nowhere(Time::secs(600))
}

fn thirty_seconds() -> At<Time> {
    At::nowhere(Time::secs(30))
}

fn ten_seconds() -> At<Time> {
    At::nowhere(Time::secs(10))
}

fn sixteen() -> At<u32> {
    At::nowhere(16)
}

fn hundred() -> At<u32> {
    At::nowhere(100)
}

fn thousand() -> At<u32> {
    At::nowhere(1000)
}

fn many() -> At<u32> {
    At::nowhere(10_000)
}

fn more() -> At<u32> {
    At::nowhere(20_000)
}

/// The section, checked.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// This gateway.
    pub identity: Arc<Identity>,
    /// What tickets are sealed with at all gateways of the site, if they share one.
    pub ticket_secret: Option<Secret>,
    /// The seal by that secret, or one of this process alone.
    pub seal: Arc<Seal>,
    /// Which clients reach what.
    pub access: Access,
    /// The kinds of carriers that are taken.
    pub carriers: Kinds,
    /// How many may ask to join; none: nobody.
    pub enrolment: Option<Enrolment>,
    /// Who is not let in any more.
    pub revocations: Revocations,
    /// The most sessions of one client.
    pub max_sessions_per_client: usize,
    /// The most sessions of one agent.
    pub max_sessions_per_agent: usize,
    /// The oldest version of endpoints.
    pub minimum_version: Version,
    /// How long a ticket serves.
    pub ticket_lifetime: Duration,
    /// How long one end waits for the other.
    pub join_timeout: Duration,
    /// How long a new connection may take to prove who it is.
    pub handshake_timeout: Duration,
    /// The most agents.
    pub max_agents: usize,
    /// The most ends of sessions.
    pub max_carriers: usize,
    /// The most endpoints that look at the way.
    pub max_probes: usize,
}

/// The shortest secret that tickets are sealed with.
const MIN_SECRET: usize = 32;

impl RawRelay {
    /// Checks the values and reads the files; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<RelayConfig> {
        let files = IdentityFiles {
            authority: self.authority.value,
            certificate: self.certificate.value,
            key: self.key.value,
        };
        let places = [self.authority.place, self.certificate.place, self.key.place];
        let identity = files.load().map_err(|fault| {
            let paths = [&files.authority, &files.certificate, &files.key];
            let of = paths.iter().position(|path| path.display().to_string() == fault.path);
            problems.error(places[of.unwrap_or_default()], fault.to_string(), fault.help);
        });
        if let Ok(identity) = &identity
            && identity.name.role != Role::Gateway
        {
            let what = format!("`{}` is the name of no gateway", identity.name);
            problems.error(places[1], what, "make one: wicketgate ca issue gateway NAME");
        }
        let secret = self.ticket_secret;
        let ticket_secret =
            secret.and_then(|raw| RawSecret::check(raw, "the secret of tickets", MIN_SECRET, problems));
        let minimum_version = match self.minimum_version {
            None => OLDEST,
            Some(text) => text.parse().unwrap_or_else(|error: crate::control::version::NoVersion| {
                problems.error(text.place, format!("`{}` is no version", text.value), error.to_string());
                OLDEST
            }),
        };
        let time = |name: &str, value: &At<Time>, least: u64, most: u64, problems: &mut Problems| {
            problems.in_range(name, value, Time::secs(least)..=Time::secs(most)).0
        };
        let seal = Seal::new(ticket_secret.as_ref());
        if seal.is_none() {
            problems.error(places[0], "the system gives no randomness", "see that /dev/urandom can be read");
        }
        let identity = identity.ok()?;
        let most = |name: &str, value: &At<u32>, problems: &mut Problems| {
            problems.in_range(name, value, 1..=10_000) as usize
        };
        let config = RelayConfig {
            revocations: self.revocations.check(&identity.authorities, &identity.name.site, problems),
            max_sessions_per_client: most("max_sessions_per_client", &self.max_sessions_per_client, problems),
            max_sessions_per_agent: most("max_sessions_per_agent", &self.max_sessions_per_agent, problems),
            access: Access::check(self.access, problems),
            enrolment: self.enrolment.map(|raw| raw.check(problems)),
            carriers: Kinds::check(self.carriers, places[0], problems),
            ticket_lifetime: time("ticket_lifetime", &self.ticket_lifetime, 60, 86_400, problems),
            join_timeout: time("join_timeout", &self.join_timeout, 1, 600, problems),
            handshake_timeout: time("handshake_timeout", &self.handshake_timeout, 1, 60, problems),
            max_agents: problems.in_range("max_agents", &self.max_agents, 1..=100_000) as usize,
            max_carriers: problems.in_range("max_carriers", &self.max_carriers, 2..=1_000_000) as usize,
            max_probes: problems.in_range("max_probes", &self.max_probes, 0..=1000) as usize,
            identity: Arc::new(identity),
            seal: Arc::new(seal?),
            ticket_secret,
            minimum_version,
        };
        Some(config)
    }
}
