//! Rates by the generic cell rate algorithm: one number a meter, no timer, no bucket to refill.

use std::time::Duration;

/// So many units a second, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units a second, at least 1.
    pub per_second: u64,
    /// Units that may come at once, at least 1.
    pub burst: u64,
}

/// What a session has used of its rate: the time at which it will have paid for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// Nanoseconds since the session began.
    paid_at: u64,
}

impl Meter {
    /// Takes `units` at `now` (since the session began), and tells how long after `now` they will have been
    /// within the rate; `None` where they are now.
    #[inline]
    pub fn take(&mut self, rate: Rate, now: Duration, units: u64) -> Option<Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let cost = |units: u64| {
            let nanos = u128::from(units) * 1_000_000_000 / u128::from(rate.per_second.max(1));
            u64::try_from(nanos).unwrap_or(u64::MAX)
        };
        self.paid_at = self.paid_at.max(now).saturating_add(cost(units));
        let over = self.paid_at.saturating_sub(now).saturating_sub(cost(rate.burst));
        (over > 0).then(|| Duration::from_nanos(over))
    }

    /// Gives `units` back that were taken and then refused.
    pub fn give_back(&mut self, rate: Rate, units: u64) {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(rate.per_second.max(1));
        self.paid_at = self.paid_at.saturating_sub(u64::try_from(nanos).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_passes_and_the_next_waits_its_share() {
        let mut meter = Meter::default();
        for _ in 0..5 {
            assert_eq!(meter.take(RATE, Duration::ZERO, 1), None);
        }
        assert_eq!(meter.take(RATE, Duration::ZERO, 1), Some(Duration::from_millis(100)));
        meter.give_back(RATE, 1);
        assert_eq!(meter.take(RATE, Duration::from_millis(100), 1), None);
        assert_eq!(meter.take(RATE, Duration::from_secs(60), 5), None);
    }

    #[test]
    fn the_long_run_keeps_the_rate() {
        let (mut meter, mut passed) = (Meter::default(), 0);
        for ms in 0..10_000 {
            match meter.take(RATE, Duration::from_millis(ms), 1) {
                None => passed += 1,
                Some(_) => meter.give_back(RATE, 1),
            }
        }
        assert!((100..=106).contains(&passed), "{passed}");
    }
}
