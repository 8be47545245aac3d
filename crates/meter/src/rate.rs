//! Rates by the generic cell rate algorithm: one number a meter, no timer, no bucket to refill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// So many units a second, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    /// Nanoseconds that the burst is worth.
    ahead: u64,
}

impl Rate {
    /// `per_second` units a second, `burst` of them at once; 0 is taken for 1.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        let burst = if burst == 0 { 1 } else { burst };
        Self { per_second, ahead: nanos(burst, per_second) }
    }

    /// The longest time that a meter needs to be as if it had never been used.
    pub const fn refill(self) -> Duration {
        Duration::from_nanos(self.ahead)
    }

    /// When `units` more will have been paid, and how long after `now` they will be within the rate: 0 where they are.
    #[inline]
    const fn charge(self, paid_at: u64, now: u64, units: u64) -> (u64, u64) {
        let from = if paid_at > now { paid_at } else { now };
        let paid_at = from.saturating_add(nanos(units, self.per_second));
        (paid_at, paid_at.saturating_sub(now).saturating_sub(self.ahead))
    }
}

/// What so many units take at a rate.
#[inline]
const fn nanos(units: u64, per_second: u64) -> u64 {
    match units.checked_mul(NANOS_PER_SECOND) {
        Some(nanos) => nanos / per_second,
        None => {
            let nanos = units as u128 * NANOS_PER_SECOND as u128 / per_second as u128;
            if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
        }
    }
}

/// Nanoseconds of a time: 584 years at most.
#[inline]
fn since_start(now: Duration) -> u64 {
    now.as_secs().saturating_mul(NANOS_PER_SECOND).saturating_add(u64::from(now.subsec_nanos()))
}

fn over(nanos: u64) -> Option<Duration> {
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

/// What was used of a rate: the time at which it will have been paid, in nanoseconds since a start that all calls share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    paid_at: u64,
}

impl Meter {
    /// Takes `units` at `now`, whatever was taken before, and tells how long after `now` they will be within the rate;
    /// `None` where they are now.
    #[inline]
    pub fn take(&mut self, rate: Rate, now: Duration, units: u64) -> Option<Duration> {
        let (paid_at, wait) = rate.charge(self.paid_at, since_start(now), units);
        self.paid_at = paid_at;
        over(wait)
    }

    /// Takes `units` at `now` if they are within the rate.
    ///
    /// # Errors
    /// How long after `now` they would be; nothing was taken.
    #[inline]
    pub fn try_take(&mut self, rate: Rate, now: Duration, units: u64) -> Result<(), Duration> {
        let mut next = *self;
        match next.take(rate, now, units) {
            None => *self = next,
            Some(wait) => return Err(wait),
        }
        Ok(())
    }

    /// Whether it is as if it had never been used.
    pub fn is_paid(&self, now: Duration) -> bool {
        self.paid_at <= since_start(now)
    }
}

/// A [`Meter`] that many threads use.
#[derive(Debug, Default)]
pub struct SharedMeter(AtomicU64);

impl SharedMeter {
    /// As [`Meter::take`].
    #[inline]
    pub fn take(&self, rate: Rate, now: Duration, units: u64) -> Option<Duration> {
        let (now, mut wait) = (since_start(now), 0);
        // Nothing else is read or written on the strength of it, so no order with other memory is needed.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_at| {
            let (next, over) = rate.charge(paid_at, now, units);
            wait = over;
            Some(next)
        });
        over(wait)
    }

    /// As [`Meter::try_take`].
    ///
    /// # Errors
    /// How long after `now` the units would be within the rate; nothing was taken.
    #[inline]
    pub fn try_take(&self, rate: Rate, now: Duration, units: u64) -> Result<(), Duration> {
        let (now, mut wait) = (since_start(now), 0);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_at| {
            let (next, over) = rate.charge(paid_at, now, units);
            wait = over;
            (over == 0).then_some(next)
        });
        taken.map(drop).map_err(|_| Duration::from_nanos(wait))
    }

    /// Whether it is as if it had never been used.
    pub fn is_paid(&self, now: Duration) -> bool {
        self.0.load(Ordering::Relaxed) <= since_start(now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate::new(10, 5);

    #[test]
    fn a_burst_passes_and_the_next_waits_its_share() {
        let (mut meter, shared) = (Meter::default(), SharedMeter::default());
        for _ in 0..5 {
            assert_eq!(meter.take(RATE, Duration::ZERO, 1), None);
            assert_eq!(shared.take(RATE, Duration::ZERO, 1), None);
        }
        let share = Duration::from_millis(100);
        assert_eq!(meter.try_take(RATE, Duration::ZERO, 1), Err(share));
        assert_eq!(shared.try_take(RATE, Duration::ZERO, 1), Err(share));
        assert_eq!(meter.try_take(RATE, share, 1), Ok(()));
        assert_eq!(shared.try_take(RATE, share, 1), Ok(()));
        assert!(!meter.is_paid(share) && !shared.is_paid(share));
        let later = share + RATE.refill();
        assert!(meter.is_paid(later) && shared.is_paid(later));
        assert_eq!(meter.take(RATE, Duration::from_secs(60), 6), Some(share));
    }

    #[test]
    fn numbers_of_any_size_are_metered() {
        let mut meter = Meter::default();
        assert!(meter.take(Rate::new(1, 1), Duration::MAX, u64::MAX).is_none());
        let mut meter = Meter::default();
        assert!(meter.take(Rate::new(1, 1), Duration::ZERO, u64::MAX).is_some());
        let fast = Rate::new(u64::MAX, u64::MAX);
        assert_eq!(Meter::default().take(fast, Duration::ZERO, u64::MAX), None);
        assert_eq!(Rate::new(0, 0), Rate::new(1, 1));
    }

    #[test]
    fn threads_together_get_no_more_than_the_rate() {
        let meter = SharedMeter::default();
        let rate = Rate::new(1, 1_000);
        let passed: usize = std::thread::scope(|scope| {
            let take = || (0..1_000).filter(|_| meter.try_take(rate, Duration::ZERO, 1).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1_000);
    }

    proptest! {
        /// In no span of time pass more than the burst and the rate's share of the span; and who was refused passes once
        /// the time that he was told has gone by.
        #[test]
        fn no_span_has_more_than_its_share(
            per_second in 1u64..2_000,
            burst in 1u64..50,
            gaps in prop::collection::vec(0u64..200_000_000, 1..200),
        ) {
            let rate = Rate::new(per_second, burst);
            let (mut meter, shared) = (Meter::default(), SharedMeter::default());
            let (mut now, mut passed) = (Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_nanos(gap);
                let mut later = meter;
                let taken = meter.try_take(rate, now, 1);
                prop_assert_eq!(shared.try_take(rate, now, 1), taken);
                match taken {
                    Ok(()) => passed.push(now),
                    Err(wait) => prop_assert_eq!(later.try_take(rate, now + wait, 1), Ok(())),
                }
            }
            for (first, start) in passed.iter().enumerate() {
                for (last, end) in passed.iter().enumerate().skip(first) {
                    let share = (*end - *start).as_secs_f64() * per_second as f64;
                    prop_assert!((last - first + 1) as f64 <= burst as f64 + share + 1e-3);
                }
            }
        }
    }
}
