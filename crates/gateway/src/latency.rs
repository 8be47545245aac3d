//! How long things take, in buckets: noting a time is one addition, and whatever was noted between two looks can be told apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets for each doubling: what is told is at most a quarter too much.
const STEPS: u32 = 4;
/// Doublings of a quarter of a microsecond: to about four minutes.
const DOUBLINGS: u32 = 30;
const BUCKETS: usize = (STEPS * DOUBLINGS) as usize;
/// One message in so many of a session has its judging timed: a clock costs more than most messages.
const EVERY: u32 = 64;

/// How long things took, since the process started: about 1 KiB.
#[derive(Debug)]
pub struct Latency([AtomicU64; BUCKETS]);

/// How often what took how long, by buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts(Box<[u64; BUCKETS]>);

/// What a route's sessions wait for.
#[derive(Debug, Default)]
pub struct Latencies {
    /// From the first byte to an upstream to its good answer to the handshake: connections, TLS and further targets among it.
    pub handshake: Latency,
    /// The judging of a whole message by the route's policy: of one message in 64.
    pub judging: Latency,
}

/// Which messages of a session are timed.
#[derive(Debug, Default)]
pub struct Sampler(u32);

impl Sampler {
    /// Whether the next one is.
    pub const fn is_next(&mut self) -> bool {
        self.0 = self.0.wrapping_add(1);
        self.0 % EVERY == 1
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Latency {
    /// Notes that something took so long.
    pub fn note(&self, time: Duration) {
        if let Some(bucket) = self.0.get(bucket(time)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was noted until now.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (count, bucket) in counts.0.iter_mut().zip(&self.0) {
            *count = bucket.load(Ordering::Relaxed);
        }
        counts
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self(Box::new([0; BUCKETS]))
    }
}

impl Counts {
    /// What came since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (count, earlier) in since.0.iter_mut().zip(&*earlier.0) {
            *count = count.saturating_sub(*earlier);
        }
        since
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.0.iter_mut().zip(&*other.0) {
            *count = count.saturating_add(*other);
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// The time within which so many of a hundred were done; none where there are none.
    pub fn percentile(&self, percent: u32) -> Option<Duration> {
        let total = self.total();
        let rank = total.saturating_mul(u64::from(percent)).div_ceil(100).max(1);
        let mut seen: u64 = 0;
        let found = self.0.iter().position(|count| {
            seen = seen.saturating_add(*count);
            seen >= rank
        });
        found.map(end)
    }
}

/// The bucket of a time: the last one takes whatever is longer.
fn bucket(time: Duration) -> usize {
    // Quarters of a microsecond.
    let units = u64::try_from(time.as_nanos() / 250).unwrap_or(u64::MAX).max(1);
    let doubling = units.ilog2();
    // The two bits behind the first one.
    let step = match doubling {
        0 => 0,
        1 => (units & 1) * 2,
        _ => units >> (doubling - 2) & 3,
    };
    (doubling * STEPS) as usize + step as usize
}

/// Where a bucket ends.
fn end(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let (doubling, step) = (bucket / u64::from(STEPS), bucket % u64::from(STEPS));
    // A quarter of a microsecond, doubled so often, and as many quarters of that.
    Duration::from_nanos((250 << doubling.min(40)) / u64::from(STEPS) * (u64::from(STEPS) + step + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_with_at_most_a_quarter_too_much() {
        for nanos in [1_000, 1_300, 2_500, 7_777, 100_000, 1_234_567, 250_000_000, 99_000_000_000_u64] {
            let latency = Latency::default();
            latency.note(Duration::from_nanos(nanos));
            let told = latency.counts().percentile(50).map(|told| told.as_nanos() as u64);
            assert!(
                told.is_some_and(|told| told >= nanos && told <= nanos + nanos / 4 + 250),
                "{nanos}: {told:?}"
            );
        }
        let latency = Latency::default();
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX] {
            latency.note(time);
        }
        // Longer than any bucket is longer than anybody waits: it is not noted.
        assert_eq!(latency.counts().total(), 3);
    }

    #[test]
    fn percentiles_are_of_what_came_in_between() {
        let latency = Latency::default();
        assert_eq!(latency.counts().percentile(99), None);
        latency.note(Duration::from_secs(9));
        let before = latency.counts();
        (1..=100).for_each(|millis| latency.note(Duration::from_millis(millis)));
        let since = latency.counts().since(&before);
        let millis = |percent| since.percentile(percent).unwrap_or_default().as_millis();
        assert_eq!(since.total(), 100);
        assert!((50..=63).contains(&millis(50)) && (90..=113).contains(&millis(90)) && millis(100) < 126);
        let mut both = before.clone();
        both.add(&since);
        assert_eq!(both, latency.counts());
    }

    #[test]
    fn the_first_of_a_session_is_timed_and_then_few() {
        let mut sampler = Sampler::default();
        let timed: Vec<bool> = (0..129).map(|_| sampler.is_next()).collect();
        assert!(timed[0] && timed[64] && timed[128]);
        assert_eq!(timed.iter().filter(|timed| **timed).count(), 3);
    }
}
