//! How much may connect: upgrades a second and sessions open at once, by address, network, identity, route and in all.
//!
//! [`Counts`] holds what is used, in bounded memory, while the process runs. A route's [`Limits`] judge by it in two steps:
//! what a client's address may do before anything is asked of others for its sake, and what its identity and everybody
//! together may do once nothing else stands against it. What a session holds of both are its [`Slots`].

pub mod config;
mod counts;
mod meters;
mod usage;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{Limit, LimitsConfig};
pub use counts::Counts;
pub use meters::{IdentityRates, SharedRates, SideMeters};
pub use usage::Claim;
use usage::{Exhausted, Slot, Total, Usage};
pub use wicketgate_meter::rate;
use wicketgate_meter::table::Table;

use super::refusal::Refusal;

/// When another try may succeed where sessions have to end first.
const NEXT_TRY: Duration = Duration::from_secs(5);

/// The limits of a route and of the gateway, as they hold for the route's clients.
#[derive(Debug)]
pub struct Limits {
    counts: Arc<Counts>,
    route: Arc<str>,
    /// The route's own, then the gateway's: what the one refuses is not counted by the other.
    scopes: [Scope; 2],
}

#[derive(Debug)]
struct Scope {
    /// The name of the route; none for the gateway.
    route: Option<Arc<str>>,
    config: LimitsConfig,
    total: Arc<Total>,
}

/// What a session holds of limits while it is open; given back when dropped.
#[derive(Debug, Default)]
pub struct Slots(Vec<Slot>);

/// Who a limit counts.
#[derive(Clone, Copy)]
enum Whose {
    Address,
    Prefix,
    Identity,
    Route,
    Gateway,
}

impl Limits {
    /// The limits of the route `name` and of the gateway.
    pub fn new(counts: &Arc<Counts>, gateway: LimitsConfig, name: &Arc<str>, route: LimitsConfig) -> Self {
        let own = Scope { route: Some(name.clone()), config: route, total: counts.route(name) };
        let all = Scope { route: None, config: gateway, total: counts.gateway() };
        Self { counts: counts.clone(), route: name.clone(), scopes: [own, all] }
    }

    /// The time that everything here goes by.
    pub fn now(&self) -> Duration {
        self.counts.now()
    }

    /// Counts a claim by its client's address and network.
    ///
    /// # Errors
    /// One of them is at a limit.
    pub fn address(&self, now: Duration, claim: Claim, address: Option<IpAddr>) -> Result<Slots, Refusal> {
        let mut slots = Slots::default();
        let Some(address) = address.map(|address| address.to_canonical()) else { return Ok(slots) };
        let Counts { addresses, prefixes, .. } = &*self.counts;
        for scope in &self.scopes {
            let LimitsConfig { per_address, per_prefix, .. } = &scope.config;
            self.client(Whose::Address, scope, addresses, &address, per_address, now, claim, &mut slots)?;
            let prefix = counts::prefix(address);
            self.client(Whose::Prefix, scope, prefixes, &prefix, per_prefix, now, claim, &mut slots)?;
        }
        Ok(slots)
    }

    /// Counts a claim that nothing else stands against, by its identity and in all; what it holds goes to `slots`.
    ///
    /// # Errors
    /// The identity, the route or the gateway is at a limit.
    pub fn identity(
        &self,
        now: Duration,
        claim: Claim,
        subject: Option<&str>,
        slots: &mut Slots,
    ) -> Result<(), Refusal> {
        for scope in &self.scopes {
            if let Some(subject) = subject {
                let (table, limit) = (&self.counts.identities, &scope.config.per_identity);
                self.client(Whose::Identity, scope, table, subject, limit, now, claim, slots)?;
            }
        }
        for (scope, whose) in self.scopes.iter().zip([Whose::Route, Whose::Gateway]) {
            let entered = scope.total.enter(&scope.config.all, now, claim);
            slots.0.extend(entered.map_err(|exhausted| refusal(whose, exhausted, false))?);
        }
        // Sessions are many, and each keeps them.
        slots.0.shrink_to_fit();
        Ok(())
    }

    /// The meters that all sessions of `subject` on the route share.
    pub fn rates(&self, now: Duration, subject: &str) -> IdentityRates {
        self.counts.rates(&self.route, subject, now)
    }

    #[expect(clippy::too_many_arguments, reason = "each is another one's for every call")]
    fn client(
        &self,
        whose: Whose,
        scope: &Scope,
        table: &Arc<Table<Usage>>,
        client: &(impl std::hash::Hash + ?Sized),
        limit: &Limit,
        now: Duration,
        claim: Claim,
        slots: &mut Slots,
    ) -> Result<(), Refusal> {
        if limit.is_some() {
            let key = self.counts.key(scope.route.as_deref(), client);
            let entered = usage::enter(table, key, limit, now, claim);
            slots
                .0
                .extend(entered.map_err(|(exhausted, place)| refusal(whose, exhausted, place.is_common()))?);
        }
        Ok(())
    }
}

/// Why a claim is refused; `untracked`: by the limit that newcomers share while a table is full.
fn refusal(whose: Whose, exhausted: Exhausted, untracked: bool) -> Refusal {
    let (upgrades, sessions, table) = match whose {
        Whose::Address => ("address_upgrades", "address_sessions", "addresses_tracked"),
        Whose::Prefix => ("prefix_upgrades", "prefix_sessions", "prefixes_tracked"),
        Whose::Identity => ("identity_upgrades", "identity_sessions", "identities_tracked"),
        Whose::Route => ("route_upgrades", "route_sessions", ""),
        Whose::Gateway => ("gateway_upgrades", "gateway_sessions", ""),
    };
    let (limit, retry_after) = match exhausted {
        Exhausted::Upgrades(wait) => (upgrades, wait),
        Exhausted::Sessions => (sessions, NEXT_TRY),
    };
    let limit = if untracked { table } else { limit };
    Refusal::Limit { limit, retry_after, everybody: matches!(whose, Whose::Route | Whose::Gateway) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
