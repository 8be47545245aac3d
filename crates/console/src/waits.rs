//! How long things took in the last minutes, of each route and of all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wicketgate_gateway::gateway::Shared as Gateway;
use wicketgate_gateway::latency::{Counts, Latencies};

/// Looks between two that are compared with later ones: a minute.
const ROUND: usize = 30;

/// How long things took in the last one or two minutes.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    looks: usize,
    routes: HashMap<String, Route>,
}

/// A route's counts at the last looks.
#[derive(Clone, Debug, Default)]
struct Route {
    /// A minute or two ago.
    older: Both,
    /// Less than a minute ago.
    newer: Both,
    /// At the last look.
    last: Both,
}

/// What is waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Both {
    pub(crate) handshake: Counts,
    pub(crate) judging: Counts,
}

impl Both {
    fn of(latencies: &Latencies) -> Self {
        Self { handshake: latencies.handshake.counts(), judging: latencies.judging.counts() }
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            handshake: self.handshake.since(&earlier.handshake),
            judging: self.judging.since(&earlier.judging),
        }
    }
}

impl Waits {
    /// Looks at all routes; what came since the last look, of all together.
    pub(crate) fn look(&self, gateway: &Gateway) -> Both {
        let snapshot = gateway.snapshot();
        let now =
            snapshot.all_routes().iter().map(|route| (route.name.to_string(), Both::of(&route.latencies)));
        self.take(now.collect())
    }

    fn take(&self, now: Vec<(String, Both)>) -> Both {
        let mut kept = self.lock();
        kept.looks += 1;
        let turns = kept.looks.is_multiple_of(ROUND);
        let mut all = Both::default();
        let mut routes = HashMap::with_capacity(now.len());
        for (name, now) in now {
            // What a route had before anybody looked is not of the last minutes.
            let mut route = kept.routes.remove(&name).unwrap_or_else(|| Route {
                older: now.clone(),
                newer: now.clone(),
                last: now.clone(),
            });
            let since = now.since(&route.last);
            all.handshake.add(&since.handshake);
            all.judging.add(&since.judging);
            if turns {
                route.older = std::mem::replace(&mut route.newer, now.clone());
            }
            route.last = now;
            routes.insert(name, route);
        }
        kept.routes = routes;
        all
    }

    /// What came in the last one or two minutes, of a route.
    pub(crate) fn of(&self, route: &str) -> Both {
        self.lock().routes.get(route).map(|route| route.last.since(&route.older)).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ninety-nine of a hundred took no longer, in milliseconds; 0 where there were none.
pub(crate) fn p99(counts: &Counts) -> f64 {
    counts.percentile(99).unwrap_or(Duration::ZERO).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_go_by() {
        let (waits, latencies) = (Waits::default(), Latencies::default());
        let look = || waits.take(vec![("chat".into(), Both::of(&latencies))]);
        latencies.handshake.note(Duration::from_secs(1));
        assert_eq!(look().handshake.total(), 0, "that was before");
        latencies.handshake.note(Duration::from_millis(8));
        let all = look();
        assert_eq!(all.handshake.total(), 1);
        assert!((8.0..=10.0).contains(&p99(&all.handshake)), "{}", p99(&all.handshake));
        assert_eq!((waits.of("chat").handshake.total(), waits.of("other").handshake.total()), (1, 0));
        for _ in 0..2 * ROUND {
            assert_eq!(look().handshake.total(), 0);
        }
        assert_eq!(waits.of("chat").handshake.total(), 0, "that was minutes ago");
    }
}
