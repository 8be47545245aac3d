//! What the messages of an identity use of its rates, over all its sessions on a route.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wicketgate_meter::rate::SharedMeter;
use wicketgate_meter::table::Tracked;

/// What an identity's sessions on a route have used together.
#[derive(Debug, Default)]
pub struct Meters {
    /// What the clients sent.
    pub client: SideMeters,
    /// What the upstream sent.
    pub upstream: SideMeters,
}

/// What one side of an identity's sessions has used.
#[derive(Debug, Default)]
pub struct SideMeters {
    /// Messages.
    pub messages: SharedMeter,
    /// Bytes, frame headers included.
    pub bytes: SharedMeter,
}

/// An identity's meters in the table of all.
#[derive(Debug, Default)]
pub(super) struct Held(pub(super) Arc<Meters>);

impl Tracked for Held {
    fn is_idle(&self, now: Duration) -> bool {
        let Self(meters) = self;
        let paid = |side: &SideMeters| side.messages.is_paid(now) && side.bytes.is_paid(now);
        Arc::strong_count(meters) == 1 && paid(&meters.client) && paid(&meters.upstream)
    }
}

/// An identity's meters, kept for it from its admission on.
#[derive(Debug)]
pub struct IdentityRates {
    meters: Arc<Meters>,
    /// The start of the clock that all meters share.
    clock: Instant,
}

impl IdentityRates {
    pub(super) const fn new(meters: Arc<Meters>, clock: Instant) -> Self {
        Self { meters, clock }
    }

    /// The meters for a session that begins now.
    pub fn begin(self) -> SharedRates {
        SharedRates { meters: self.meters, began: self.clock.elapsed() }
    }
}

/// An identity's meters as one session uses them.
#[derive(Clone, Debug)]
pub struct SharedRates {
    meters: Arc<Meters>,
    /// When the session began, by the clock that all meters share.
    began: Duration,
}

impl SharedRates {
    /// What clients have used.
    pub fn client(&self) -> &SideMeters {
        &self.meters.client
    }

    /// What the upstream has used.
    pub fn upstream(&self) -> &SideMeters {
        &self.meters.upstream
    }

    /// The time of the meters, `since` the session's begin.
    #[inline]
    pub fn at(&self, since: Duration) -> Duration {
        self.began + since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wicketgate_meter::rate::Rate;
    use wicketgate_meter::table::Table;

    #[test]
    fn what_an_identity_costs_is_what_the_reference_says() {
        // An allocator gives 64 bytes to the two counts and four meters.
        assert!(size_of::<Meters>() + 2 * size_of::<usize>() <= 64);
        assert_eq!(Table::<Held>::BYTES + 64 + 40, 136);
    }

    #[test]
    fn meters_are_kept_while_they_are_used_or_not_paid() {
        let meters = Held::default();
        assert!(meters.is_idle(Duration::ZERO));
        let rates = SharedRates { meters: meters.0.clone(), began: Duration::from_secs(5) };
        assert!(!meters.is_idle(Duration::ZERO));
        let rate = Rate::new(1, 10);
        assert_eq!(rates.upstream().bytes.take(rate, rates.at(Duration::ZERO), 10), None);
        drop(rates);
        assert!(!meters.is_idle(Duration::from_secs(14)));
        assert!(meters.is_idle(Duration::from_secs(15)));
    }
}
