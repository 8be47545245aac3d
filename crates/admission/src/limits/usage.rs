//! What is used of limits: by one client, or by everybody; and the slots that open sessions hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::config::Limit;
use wicketgate_meter::rate::{Meter, SharedMeter};
use wicketgate_meter::table::{Place, Table, Tracked};

/// What asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A session, which holds a slot while it is open.
    Session,
    /// A plain request, which counts for rates alone.
    Request,
}

/// What of a limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// The rate: when the next upgrade will be within it.
    Upgrades(Duration),
    /// The sessions.
    Sessions,
}

/// What one client uses.
#[derive(Debug, Default)]
pub(super) struct Usage {
    upgrades: Meter,
    open: u32,
}

impl Tracked for Usage {
    fn is_idle(&self, now: Duration) -> bool {
        self.open == 0 && self.upgrades.is_paid(now)
    }
}

impl Usage {
    /// Counts a claim, and holds a slot where it is one for a session; nothing is counted where it is refused.
    fn enter(&mut self, limit: &Limit, now: Duration, claim: Claim) -> Result<(), Exhausted> {
        let holds = claim == Claim::Session && limit.sessions.is_some();
        if holds && limit.sessions.is_some_and(|most| self.open >= most) {
            return Err(Exhausted::Sessions);
        }
        if let Some(rate) = limit.upgrades {
            self.upgrades.try_take(rate, now, 1).map_err(Exhausted::Upgrades)?;
        }
        self.open = self.open.saturating_add(u32::from(holds));
        Ok(())
    }
}

/// What everybody together uses.
#[derive(Debug, Default)]
pub(super) struct Total {
    upgrades: SharedMeter,
    open: AtomicU32,
}

impl Total {
    /// As [`Usage::enter`]. Sessions are counted also where they are not limited, so that a limit that comes with a reload
    /// counts those that were there.
    pub(super) fn enter(
        self: &Arc<Self>,
        limit: &Limit,
        now: Duration,
        claim: Claim,
    ) -> Result<Option<Slot>, Exhausted> {
        let slot = match claim {
            Claim::Request => None,
            Claim::Session => {
                let most = limit.sessions.unwrap_or(u32::MAX);
                let enter = |open| if open < most { Some(open + 1) } else { None };
                let entered = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
                entered.map_err(|_| Exhausted::Sessions)?;
                Some(Slot::InAll(self.clone()))
            }
        };
        if let Some(rate) = limit.upgrades {
            self.upgrades.try_take(rate, now, 1).map_err(Exhausted::Upgrades)?;
        }
        Ok(slot)
    }
}

/// A session's place within one limit; given back when dropped.
#[derive(Debug)]
pub(super) enum Slot {
    /// Of a client's sessions.
    Client(Arc<Table<Usage>>, Place),
    /// Of all sessions.
    InAll(Arc<Total>),
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self {
            Self::Client(table, place) => {
                table.at(*place, |usage| usage.open = usage.open.saturating_sub(1));
            }
            Self::InAll(total) => drop(total.open.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

/// Counts a claim of the client `key`; also tells where it is refused whether it shares its place.
pub(super) fn enter(
    table: &Arc<Table<Usage>>,
    key: u64,
    limit: &Limit,
    now: Duration,
    claim: Claim,
) -> Result<Option<Slot>, (Exhausted, Place)> {
    let place = table.with(key, now, |usage, place| match usage.enter(limit, now, claim) {
        Ok(()) => Ok(place),
        Err(exhausted) => Err((exhausted, place)),
    })?;
    let holds = claim == Claim::Session && limit.sessions.is_some();
    Ok(holds.then(|| Slot::Client(table.clone(), place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_costs_is_what_the_reference_says() {
        assert_eq!(Table::<Usage>::BYTES, 40);
    }

    #[test]
    fn a_reload_that_brings_a_limit_counts_who_is_there() {
        let total = Arc::<Total>::default();
        let none = Limit::default();
        let held = total.enter(&none, Duration::ZERO, Claim::Session);
        let one = Limit { sessions: Some(1), ..none };
        let full = total.enter(&one, Duration::ZERO, Claim::Session);
        assert!(matches!(full, Err(Exhausted::Sessions)));
        drop(held);
        assert!(total.enter(&one, Duration::ZERO, Claim::Session).is_ok());
    }
}
