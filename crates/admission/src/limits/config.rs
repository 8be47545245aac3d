//! How much may connect, as it is written and as it is checked: for a route, or for the whole gateway.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use wicketgate_meter::rate::Rate;

/// How many WebSockets may be opened, and how many may be open: of the route as a whole, and of each client. The limits of
/// the section `limits` hold beside these. There is no limit where none is given.
///
/// Where a route has these or asks for authentication, its plain HTTP requests count for `upgrades` too.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Upgrades a second, of those that no other check refused; 503 beyond it.
    pub upgrades: Option<RawUpgrades>,
    /// Sessions open at once, 1 to 10000000; 503 beyond it.
    pub sessions: Option<At<u32>>,
    /// Of each client address.
    pub per_address: RawLimit,
    /// Of each network of client addresses: /24 of IPv4, /64 of IPv6.
    pub per_prefix: RawLimit,
    /// Of each identity, by its subject, whatever the number of its addresses.
    pub per_identity: Option<At<RawLimit>>,
}

/// How many WebSockets one client may open, and how many it may have open.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimit {
    /// Upgrades a second; 429 beyond it, with the time to wait.
    pub upgrades: Option<RawUpgrades>,
    /// Sessions open at once, 1 to 10000000; 429 beyond it.
    pub sessions: Option<At<u32>>,
}

/// A rate of upgrades. What is refused by it is not counted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawUpgrades {
    /// So many a second, 1 to 1000000.
    pub per_second: At<u32>,
    /// So many at once, 1 to 10000000. Default: as many as in two seconds.
    pub burst: Option<At<u32>>,
}

/// How many addresses, networks and identities can be told apart at once. Only those that have open sessions or have used
/// some of their rate need a place; when all places are taken, newcomers share one, and with it one limit, until another is
/// free. Memory is reserved when limits or sessions first need it. It changes only at a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTracked {
    /// Client addresses, 64 to 100000000, for the gateway and for each route that limits them. 40 bytes each, so 5 MiB at
    /// the default.
    pub addresses: At<u32>,
    /// Networks of client addresses, 64 to 100000000, likewise. 40 bytes each, so 5 MiB at the default.
    pub prefixes: At<u32>,
    /// Identities, 64 to 100000000, likewise, and for each route that they have sessions on. 136 bytes each, so 17 MiB at
    /// the default.
    pub identities: At<u32>,
}

impl Default for RawTracked {
    fn default() -> Self {
        let places = || At::nowhere(131_072);
        Self { addresses: places(), prefixes: places(), identities: places() }
    }
}

/// How much may connect, to a route or to the whole gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// In all.
    pub all: Limit,
    /// By one client address.
    pub per_address: Limit,
    /// By one network of client addresses.
    pub per_prefix: Limit,
    /// By one identity.
    pub per_identity: Limit,
}

/// How many WebSockets may be opened, and how many may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Upgrades a second.
    pub upgrades: Option<Rate>,
    /// Sessions open at once.
    pub sessions: Option<u32>,
}

impl Limit {
    /// Whether it limits anything.
    pub const fn is_some(&self) -> bool {
        self.upgrades.is_some() || self.sessions.is_some()
    }
}

/// How many clients can be told apart at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedConfig {
    /// Client addresses.
    pub addresses: usize,
    /// Networks of client addresses.
    pub prefixes: usize,
    /// Identities.
    pub identities: usize,
}

impl Default for TrackedConfig {
    fn default() -> Self {
        RawTracked::default().check(&mut Problems::default())
    }
}

impl RawLimits {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> LimitsConfig {
        LimitsConfig {
            all: RawLimit { upgrades: self.upgrades, sessions: self.sessions }.check(problems),
            per_address: self.per_address.check(problems),
            per_prefix: self.per_prefix.check(problems),
            per_identity: self.per_identity.map(|at| at.value.check(problems)).unwrap_or_default(),
        }
    }
}

impl RawLimit {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Limit {
        let sessions = self.sessions.map(|at| problems.in_range("sessions", &at, 1..=10_000_000));
        let upgrades = self.upgrades.map(|upgrades| upgrades.check(problems));
        Limit { upgrades, sessions }
    }
}

impl RawUpgrades {
    fn check(self, problems: &mut Problems) -> Rate {
        let per_second = problems.in_range("per_second", &self.per_second, 1..=1_000_000);
        let burst = match self.burst {
            Some(burst) => problems.in_range("burst", &burst, 1..=10_000_000),
            None => per_second.saturating_mul(2),
        };
        Rate::new(per_second.into(), burst.into())
    }
}

impl RawTracked {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> TrackedConfig {
        let mut places = |name, at: At<u32>| problems.in_range(name, &at, 64..=100_000_000) as usize;
        TrackedConfig {
            addresses: places("addresses", self.addresses),
            prefixes: places("prefixes", self.prefixes),
            identities: places("identities", self.identities),
        }
    }
}
