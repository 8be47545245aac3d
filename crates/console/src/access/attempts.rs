//! How often somebody may try to sign in, in bounded memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use wicketgate_gateway::console::SignInConfig;
use wicketgate_meter::rate::{Meter, Rate};
use wicketgate_meter::table::{Table, Tracked};

/// Addresses, and users, that are told apart at once.
const TRACKED: usize = 8192;
/// An attempt in units of a rate, so that a rate a minute can be said in units a second.
const ATTEMPT: u64 = 60;

/// What was tried.
#[derive(Debug)]
pub(crate) struct Attempts {
    addresses: Table<Used>,
    users: Table<Used>,
    hash: RandomState,
    start: Instant,
}

#[derive(Debug, Default)]
struct Used(Meter);

impl Tracked for Used {
    fn is_idle(&self, now: Duration) -> bool {
        self.0.is_paid(now)
    }
}

impl Attempts {
    pub(crate) fn new() -> Self {
        let table = || Table::new(TRACKED);
        Self { addresses: table(), users: table(), hash: RandomState::new(), start: Instant::now() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// How long it takes until there may be one again.
    pub(crate) fn count(&self, config: SignInConfig, from: IpAddr, user: &str) -> Result<(), Duration> {
        let now = self.start.elapsed();
        self.count_address(config, from)?;
        take(&self.users, self.hash.hash_one(user), config.per_user, now)
    }

    /// Counts an attempt by somebody who is known elsewhere, or not at all.
    ///
    /// # Errors
    /// How long it takes until there may be one again.
    pub(crate) fn count_address(&self, config: SignInConfig, from: IpAddr) -> Result<(), Duration> {
        let now = self.start.elapsed();
        take(&self.addresses, self.hash.hash_one(network(from)), config.per_address, now)
    }
}

fn take(table: &Table<Used>, key: u64, per_minute: u32, now: Duration) -> Result<(), Duration> {
    let rate = Rate::new(per_minute.into(), u64::from(per_minute) * ATTEMPT);
    table.with(key, now, |used, _| used.0.try_take(rate, now, ATTEMPT))
}

/// What one party has for itself: an address of IPv4, a network of 64 bits of IPv6.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_an_address_and_for_a_user_are_bounded() {
        let config = SignInConfig { per_address: 3, per_user: 5, hashing: 1 };
        let attempts = Attempts::new();
        let count =
            |from: &str, user: &str| attempts.count(config, from.parse().unwrap_or([0; 4].into()), user);
        for user in ["a", "b", "c"] {
            assert_eq!(count("192.0.2.1", user), Ok(()));
        }
        assert!(count("192.0.2.1", "d").is_err_and(|wait| wait > Duration::from_secs(1)));
        for from in ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
            assert_eq!(count(from, "a"), Ok(()));
        }
        assert!(count("192.0.2.6", "a").is_err());
        assert_eq!(count("192.0.2.6", "e"), Ok(()));
        // One network of IPv6 is one party.
        for last in 1..=3 {
            assert_eq!(count(&format!("2001:db8::{last}"), "f"), Ok(()));
        }
        assert!(count("2001:db8::ffff", "g").is_err());
    }
}
