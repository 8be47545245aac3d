//! What goes through the gateway, in figures that grow: whoever wants rates asks twice.

use schemars::JsonSchema;
use serde::Serialize;

use crate::gateway::Shared;
use crate::latency::Counts;
use crate::pump::SideTraffic;

/// The gateway in figures.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Overview {
    /// Sessions that are open now.
    pub sessions: usize,
    /// Whether no connection is accepted any more.
    pub draining: bool,
    /// Whether audit records can be written.
    pub audit_ready: bool,
    /// Memory held by unfinished messages, in bytes.
    pub assembly_bytes: usize,
    /// Memory held by inflation, in bytes.
    pub inflate_bytes: usize,
    /// Findings in messages since they are kept.
    pub findings: u64,
    /// Each route.
    pub routes: Vec<RouteTraffic>,
    /// Requests and connections that were refused, by reason, most of them first.
    pub refusals: Vec<Refusals>,
    /// Where audit records go.
    pub audit: Vec<AuditPlace>,
}

/// What goes through a route.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RouteTraffic {
    /// Its name.
    pub route: String,
    /// Sessions that are open now.
    pub sessions: i64,
    /// What clients have sent.
    pub from_clients: Sent,
    /// What upstreams have sent.
    pub from_upstreams: Sent,
    /// How long the upstream's handshake took.
    pub handshake: Took,
    /// How long the judging of a message took, of one in 64.
    pub judging: Took,
}

/// How long something took since the process started, at most a quarter too much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Took {
    /// How often.
    pub count: u64,
    /// Half of them within so many seconds; none where there were none.
    pub p50: Option<f64>,
    /// Nine of ten.
    pub p90: Option<f64>,
    /// Ninety-nine of a hundred.
    pub p99: Option<f64>,
}

/// What one side has sent since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sent {
    /// Messages that went on.
    pub messages: u64,
    /// Messages that were dropped.
    pub dropped: u64,
    /// Bytes of frames.
    pub bytes: u64,
}

/// Refusals of one kind.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Refusals {
    /// Why, in a stable word.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// A place that gets audit records.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditPlace {
    /// Its name.
    pub name: String,
    /// Records that it has.
    pub written: u64,
    /// Records that were dropped, for want of room.
    pub dropped: u64,
    /// Memory held by records that wait, in bytes.
    pub waiting_bytes: usize,
    /// Whether records cannot be written just now.
    pub failing: bool,
}

impl Took {
    /// As it was counted.
    pub fn of(counts: &Counts) -> Self {
        let within = |percent| counts.percentile(percent).map(|time| time.as_secs_f64());
        Self { count: counts.total(), p50: within(50), p90: within(90), p99: within(99) }
    }
}

impl Sent {
    fn of(side: &SideTraffic) -> Self {
        Self { messages: side.messages.get(), dropped: side.dropped.get(), bytes: side.bytes.get() }
    }
}

impl Overview {
    /// That of this moment.
    pub fn of(shared: &Shared) -> Self {
        let snapshot = shared.snapshot();
        let routes = snapshot.all_routes().iter().map(|route| RouteTraffic {
            route: route.name.to_string(),
            sessions: route.metrics.sessions.get(),
            from_clients: Sent::of(&route.metrics.traffic.client),
            from_upstreams: Sent::of(&route.metrics.traffic.upstream),
            handshake: Took::of(&route.latencies.handshake.counts()),
            judging: Took::of(&route.latencies.judging.counts()),
        });
        let routes = routes.collect();
        let refusals = shared.metrics.refusals().into_iter();
        let mut refusals: Vec<_> = refusals.map(|(reason, count)| Refusals { reason, count }).collect();
        refusals.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(b.reason)));
        let audit = shared.audit.places().into_iter().map(|place| AuditPlace {
            name: place.name,
            written: place.written,
            dropped: place.dropped,
            waiting_bytes: place.waiting,
            failing: place.is_failing,
        });
        Self {
            sessions: shared.sessions.len(),
            draining: shared.is_draining(),
            audit_ready: shared.audit.is_ready(),
            assembly_bytes: shared.assembly.used(),
            inflate_bytes: shared.inflate.used(),
            findings: shared.findings.counts().0,
            routes,
            refusals,
            audit: audit.collect(),
        }
    }
}
