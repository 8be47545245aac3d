//! Which targets can be used: what probes found, and what real sessions met.

pub(super) mod active;
pub mod config;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use config::PassiveConfig;

/// The health of one target. Reading it takes two loads, and a clock only while the target is ejected.
#[derive(Debug)]
pub(super) struct Health {
    probed_up: AtomicBool,
    born: Instant,
    /// Milliseconds since `born`; 0 for a target that is not ejected.
    ejected_until: AtomicU64,
    failures: AtomicU32,
    first_failure: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            probed_up: AtomicBool::new(true),
            born: Instant::now(),
            ejected_until: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            first_failure: AtomicU64::new(0),
        }
    }
}

impl Health {
    pub(super) fn is_usable(&self) -> bool {
        self.probed_up.load(Relaxed) && !self.is_ejected()
    }

    pub(super) fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Relaxed);
        until != 0 && self.now() < until
    }

    /// What probes found; whether that is a change.
    pub(super) fn set_probed(&self, up: bool) -> bool {
        self.probed_up.swap(up, Relaxed) != up
    }

    /// A session or request that the target answered; whether that ends an ejection.
    pub(super) fn succeeded(&self) -> bool {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.ejected_until.load(Relaxed) != 0
            && !self.is_ejected()
            && self.ejected_until.swap(0, Relaxed) != 0
    }

    /// A session or request that failed through the target's fault; whether the target is to be ejected.
    ///
    /// Two threads may count at once: the streak then is off by one, which no decision here hangs on.
    pub(super) fn failed(&self, config: &PassiveConfig) -> bool {
        let now = self.now();
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        let window = millis(config.window);
        if failures == 1 || now.saturating_sub(self.first_failure.load(Relaxed)) > window {
            self.first_failure.store(now, Relaxed);
            self.failures.store(1, Relaxed);
            return config.failures == 1;
        }
        failures >= config.failures
    }

    /// Ejects the target; false if another thread was first.
    pub(super) fn eject(&self, time: Duration) -> bool {
        let until = self.now().saturating_add(millis(time)).max(1);
        let before = self.ejected_until.load(Relaxed);
        self.failures.store(0, Relaxed);
        !self.is_ejected() && self.ejected_until.compare_exchange(before, until, Relaxed, Relaxed).is_ok()
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> PassiveConfig {
        PassiveConfig {
            failures: 3,
            window: Duration::from_secs(10),
            ejection: Duration::from_secs(30),
            max_ejected_percent: 50,
            count_5xx: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_within_the_window_eject() {
        let health = Health::default();
        assert!(!health.failed(&config()) && !health.failed(&config()));
        health.succeeded();
        assert!(!health.failed(&config()) && !health.failed(&config()));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(!health.failed(&config()) && !health.failed(&config()));
        assert!(health.failed(&config()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ejection_ends_by_itself_and_is_announced_once() {
        let health = Health::default();
        assert!(health.eject(Duration::from_secs(30)));
        assert!(!health.eject(Duration::from_secs(30)), "ejected twice");
        assert!(!health.is_usable() && !health.succeeded());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(health.is_usable());
        assert!(health.succeeded() && !health.succeeded());
    }

    #[tokio::test(start_paused = true)]
    async fn one_failure_is_enough_where_configured() {
        assert!(Health::default().failed(&PassiveConfig { failures: 1, ..config() }));
    }

    #[test]
    fn probes_say_up_or_down() {
        let health = Health::default();
        assert!(health.set_probed(false) && !health.is_usable() && !health.set_probed(false));
        assert!(health.set_probed(true) && health.is_usable());
    }
}
