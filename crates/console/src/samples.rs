//! The figures of the last minutes, and rates out of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wicketgate_gateway::gateway::Shared as Gateway;
use wicketgate_gateway::operate::traffic::Overview;

use crate::waits::{Waits, p99};

/// How often the figures are looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// How many are kept: five minutes.
pub(crate) const KEPT: usize = 150;

/// The figures of the last minutes.
#[derive(Debug)]
pub(crate) struct Samples {
    kept: Mutex<VecDeque<Arc<Sample>>>,
    pub(crate) waits: Waits,
    news: watch::Sender<Arc<Sample>>,
}

/// The gateway at one moment, beside the one before.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sample {
    pub(crate) sessions: usize,
    pub(crate) messages: f64,
    pub(crate) bytes: f64,
    pub(crate) refusals: f64,
    pub(crate) findings: f64,
    /// Within how many milliseconds ninety-nine of a hundred upstreams have answered a handshake.
    pub(crate) handshake: f64,
    /// Within how many milliseconds ninety-nine of a hundred messages were judged.
    pub(crate) judging: f64,
    pub(crate) routes: Vec<RouteSample>,
}

/// A route, a second.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RouteSample {
    pub(crate) route: String,
    pub(crate) sessions: i64,
    pub(crate) messages: f64,
    pub(crate) bytes: f64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { kept: Mutex::default(), waits: Waits::default(), news: watch::Sender::new(Arc::default()) }
    }
}

impl Samples {
    /// Those that are kept, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Sample>> {
        self.lock().iter().cloned().collect()
    }

    /// Tells of each new one. Who is slow misses some.
    pub(crate) fn news(&self) -> watch::Receiver<Arc<Sample>> {
        self.news.subscribe()
    }

    fn add(&self, sample: Sample) {
        let sample = Arc::new(sample);
        let mut kept = self.lock();
        while kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(sample.clone());
        self.news.send_replace(sample);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Sample>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the figures from time to time, for ever.
pub(crate) async fn keep(samples: &Samples, gateway: &Gateway) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut at) = (Overview::of(gateway), Instant::now());
    samples.waits.look(gateway);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (next, now) = (Overview::of(gateway), Instant::now());
        let waited = samples.waits.look(gateway);
        let sample = Sample::between(&last, &next, now - at);
        samples.add(Sample { handshake: p99(&waited.handshake), judging: p99(&waited.judging), ..sample });
        (last, at) = (next, now);
    }
}

impl Sample {
    fn between(last: &Overview, next: &Overview, time: Duration) -> Self {
        let rate = |last: u64, next: u64| next.saturating_sub(last) as f64 / time.as_secs_f64().max(0.001);
        let refusals = |all: &Overview| all.refusals.iter().map(|refusals| refusals.count).sum::<u64>();
        let routes = next.routes.iter().map(|route| {
            let last = last.routes.iter().find(|last| last.route == route.route).cloned().unwrap_or_default();
            let sum = |of: fn(&wicketgate_gateway::operate::traffic::Sent) -> u64| {
                rate(of(&last.from_clients), of(&route.from_clients))
                    + rate(of(&last.from_upstreams), of(&route.from_upstreams))
            };
            RouteSample {
                route: route.route.clone(),
                sessions: route.sessions,
                messages: sum(|sent| sent.messages),
                bytes: sum(|sent| sent.bytes),
            }
        });
        let routes: Vec<_> = routes.collect();
        Self {
            sessions: next.sessions,
            messages: routes.iter().map(|route| route.messages).sum(),
            bytes: routes.iter().map(|route| route.bytes).sum(),
            refusals: rate(refusals(last), refusals(next)),
            findings: rate(last.findings, next.findings),
            routes,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use wicketgate_gateway::operate::traffic::{Refusals, RouteTraffic, Sent};

    use super::*;

    fn overview(messages: u64, refusals: u64) -> Overview {
        let from_clients = Sent { messages, dropped: 0, bytes: messages * 10 };
        let from_upstreams = from_clients;
        let route = RouteTraffic {
            route: "chat".into(),
            sessions: 1,
            from_clients,
            from_upstreams,
            ..RouteTraffic::default()
        };
        let refusals = vec![Refusals { reason: "origin", count: refusals }];
        Overview { sessions: 1, routes: vec![route], refusals, ..Overview::default() }
    }

    #[test]
    fn rates_are_a_second_and_never_negative() {
        let sample = Sample::between(&overview(10, 0), &overview(20, 4), Duration::from_secs(2));
        assert_eq!((sample.messages, sample.bytes, sample.refusals), (10.0, 100.0, 2.0));
        assert_eq!(sample.routes.first().map(|route| route.messages), Some(10.0));
        let restarted = Sample::between(&overview(20, 4), &overview(0, 0), Duration::ZERO);
        assert_eq!((restarted.messages, restarted.refusals), (0.0, 0.0));
    }

    #[test]
    fn the_oldest_go() {
        let samples = Samples::default();
        let mut news = samples.news();
        for sessions in 0..=KEPT {
            samples.add(Sample { sessions, ..Sample::default() });
        }
        let kept = samples.all();
        assert_eq!((kept.len(), kept[0].sessions), (KEPT, 1));
        assert_eq!(news.borrow_and_update().sessions, KEPT);
    }
}
