//! What is used of all limits: kept while the process runs, whatever the configuration.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::config::TrackedConfig;
use super::meters::{IdentityRates, Meters};
use super::usage::{Total, Usage};
use crate::fill::Fill;
use wicketgate_meter::table::Table;

/// What is used of all limits. A reload changes limits and not what is counted here.
#[derive(Debug)]
pub struct Counts {
    started: Instant,
    /// Keys are hashes by a key of this process, so that nobody can make two of them meet.
    hasher: RandomState,
    pub(super) addresses: Arc<Table<Usage>>,
    pub(super) prefixes: Arc<Table<Usage>>,
    pub(super) identities: Arc<Table<Usage>>,
    meters: Table<Arc<Meters>>,
    gateway: Arc<Total>,
    /// What routes use, by their names; given up by the last guard or session.
    routes: Mutex<HashMap<Arc<str>, Weak<Total>>>,
}

impl Counts {
    /// Nothing is used yet.
    pub fn new(tracked: &TrackedConfig) -> Self {
        Self {
            started: Instant::now(),
            hasher: RandomState::new(),
            addresses: Arc::new(Table::new(tracked.addresses)),
            prefixes: Arc::new(Table::new(tracked.prefixes)),
            identities: Arc::new(Table::new(tracked.identities)),
            meters: Table::new(tracked.identities),
            gateway: Arc::default(),
            routes: Mutex::default(),
        }
    }

    /// How full each of its tables is, by name.
    pub fn fills(&self) -> [(&'static str, Fill); 4] {
        [
            ("addresses", self.addresses.fill()),
            ("prefixes", self.prefixes.fill()),
            ("identities", self.identities.fill()),
            ("identity_rates", self.meters.fill()),
        ]
    }

    /// The time that meters go by.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The key of a client within a route, or within the gateway.
    pub(super) fn key(&self, route: Option<&str>, client: impl Hash) -> u64 {
        self.hasher.hash_one((route, client))
    }

    /// What all routes use together.
    pub(super) fn gateway(&self) -> Arc<Total> {
        self.gateway.clone()
    }

    /// What the route `name` uses, also since before a reload.
    pub(super) fn route(&self, name: &Arc<str>) -> Arc<Total> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = routes.get(name).and_then(Weak::upgrade) {
            return total;
        }
        routes.retain(|_, total| total.strong_count() > 0);
        let total = Arc::default();
        routes.insert(name.clone(), Arc::downgrade(&total));
        total
    }

    /// The meters that all sessions of `subject` on `route` share.
    pub(super) fn rates(&self, route: &str, subject: &str, now: Duration) -> IdentityRates {
        let meters = self.meters.with(self.key(Some(route), subject), now, |meters, _| meters.clone());
        IdentityRates::new(meters, self.started)
    }
}

/// The network that an address is counted in: /24 of IPv4, /64 of IPv6.
pub(super) fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (!0 << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::meters::SharedRates;
    use super::*;

    #[test]
    fn addresses_are_counted_in_their_network() {
        for (address, network) in [
            ("192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
            ("255.255.255.255", "255.255.255.0"),
        ] {
            assert_eq!(prefix(address.parse().unwrap()), network.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn what_a_route_uses_is_found_again_and_forgotten_with_it() {
        let counts = Counts::new(&TrackedConfig::default());
        let (first, second): (Arc<str>, Arc<str>) = ("first".into(), "second".into());
        let total = counts.route(&first);
        assert!(Arc::ptr_eq(&total, &counts.route(&first)));
        assert!(!Arc::ptr_eq(&total, &counts.route(&second)));
        drop(total);
        let _second = counts.route(&second);
        assert_eq!(counts.routes.lock().unwrap().len(), 1);
    }

    #[test]
    fn an_identity_has_its_meters_as_long_as_it_uses_them() {
        let counts = Counts::new(&TrackedConfig::default());
        let rates = |route, subject| counts.rates(route, subject, Duration::ZERO).begin();
        let (one, again, other) = (rates("r", "alice"), rates("r", "alice"), rates("r", "bob"));
        let same = |a: &SharedRates, b: &SharedRates| std::ptr::eq(a.client(), b.client());
        assert!(same(&one, &again) && !same(&one, &other) && !same(&one, &rates("q", "alice")));
    }
}
