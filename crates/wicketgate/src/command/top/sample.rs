//! The gateway at one moment, as its admin listener tells of it, and what it did between two.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The gateway at one moment.
pub(super) struct Sample {
    /// When it was asked.
    at: Instant,
    /// What it said.
    pub(super) status: Status,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) process: Process,
    pub(super) overview: Overview,
    pub(super) busiest: Vec<Busy>,
}

#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) since: String,
    pub(super) memory: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_limit: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Overview {
    pub(super) sessions: usize,
    pub(super) draining: bool,
    pub(super) findings: u64,
    pub(super) routes: Vec<Route>,
    pub(super) refusals: Vec<Refusals>,
}

#[derive(Deserialize)]
pub(super) struct Route {
    pub(super) route: String,
    pub(super) sessions: i64,
    pub(super) from_clients: Sent,
    pub(super) from_upstreams: Sent,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Sent {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Refusals {
    pub(super) reason: String,
    pub(super) count: u64,
}

#[derive(Deserialize)]
pub(super) struct Busy {
    pub(super) session: u64,
    pub(super) route: String,
    pub(super) client: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) from_client: Moved,
    pub(super) from_upstream: Moved,
}

#[derive(Deserialize)]
pub(super) struct Moved {
    pub(super) bytes: u64,
    pub(super) message_rate: u32,
    pub(super) byte_rate: u32,
}

impl Sample {
    pub(super) fn new(status: Status) -> Self {
        Self { at: Instant::now(), status }
    }
}

/// What was done between two moments, a second.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// Of each route, in both directions.
    pub(super) routes: HashMap<String, [Rate; 2]>,
    /// Refusals of each reason.
    pub(super) refusals: HashMap<String, f64>,
}

/// What one side sends, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) messages: f64,
    pub(super) bytes: f64,
}

impl Pace {
    /// Nothing where another process has taken over: its counters began anew.
    pub(super) fn between(before: &Sample, now: &Sample) -> Self {
        let elapsed = now.at.saturating_duration_since(before.at);
        match before.status.process.pid == now.status.process.pid && !elapsed.is_zero() {
            true => Self::over(&before.status.overview, &now.status.overview, elapsed),
            false => Self::default(),
        }
    }

    fn over(before: &Overview, now: &Overview, elapsed: Duration) -> Self {
        let a_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed.as_secs_f64();
        let rate = |now: Sent, before: Sent| Rate {
            messages: a_second(now.messages, before.messages),
            bytes: a_second(now.bytes, before.bytes),
        };
        let routes = now.routes.iter().map(|route| {
            let before = before.routes.iter().find(|before| before.route == route.route);
            let (up, down) =
                before.map(|before| (before.from_clients, before.from_upstreams)).unwrap_or_default();
            (route.route.clone(), [rate(route.from_clients, up), rate(route.from_upstreams, down)])
        });
        let refusals = now.refusals.iter().map(|refusals| {
            let before = before.refusals.iter().find(|before| before.reason == refusals.reason);
            (refusals.reason.clone(), a_second(refusals.count, before.map_or(0, |before| before.count)))
        });
        Self { routes: routes.collect(), refusals: refusals.collect() }
    }

    /// Both directions of all routes.
    pub(super) fn total(&self) -> Rate {
        let all = self.routes.values().flatten();
        all.fold(Rate::default(), |sum, rate| Rate {
            messages: sum.messages + rate.messages,
            bytes: sum.bytes + rate.bytes,
        })
    }
}

#[cfg(test)]
pub(super) use tests::sample;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn sample(pid: u32, messages: u64, refused: u64) -> Sample {
        let status = serde_json::json!({
            "process": {"version": "1.2.3", "pid": pid, "since": "2026-11-28T12:00:00Z", "memory": 1_048_576,
                "threads": 3, "open_files": 9, "open_files_limit": 1024},
            "overview": {"sessions": 2, "draining": false, "findings": 4,
                "routes": [{"route": "chat", "sessions": 2,
                    "from_clients": {"messages": messages, "dropped": 0, "bytes": 10 * messages},
                    "from_upstreams": {"messages": 0, "dropped": 0, "bytes": 0}}],
                "refusals": [{"reason": "origin", "count": refused}]},
            "busiest": [{"session": 7, "route": "chat", "client": "192.0.2.1", "subject": "a\u{1b}[2Jnn",
                "from_client": {"messages": messages, "bytes": 2048, "message_rate": 5, "byte_rate": 2048},
                "from_upstream": {"messages": 0, "bytes": 0, "message_rate": 0, "byte_rate": 0}}]
        });
        Sample::new(serde_json::from_value(status).unwrap())
    }

    #[test]
    fn a_pace_is_that_of_one_process() {
        let (first, mut second) = (sample(1, 100, 1), sample(1, 160, 7));
        second.at = first.at + Duration::from_secs(2);
        let pace = Pace::between(&first, &second);
        assert_eq!(pace.total(), Rate { messages: 30.0, bytes: 300.0 });
        assert_eq!(pace.refusals["origin"], 3.0);
        let mut other = sample(2, 300, 9);
        other.at = second.at + Duration::from_secs(2);
        assert_eq!(Pace::between(&second, &other), Pace::default());
    }
}
