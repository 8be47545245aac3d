//! Metrics in the Prometheus text format. Handles are resolved when a route is built, never per message.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::registry::Registry;
use wicketgate_admission::Fill;
use wicketgate_audit::Place;
use wicketgate_policy::{Direction, Finding};
use wicketgate_relay::broker::Figures;
use wicketgate_telemetry::TraceId;

use super::findings::IN_REQUESTS;
use super::relay::RelayMetrics;
use super::telemetry::TelemetryMetrics;
use crate::pump::{End, Side, SideTraffic, Summary, Traffic};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabel {
    listener: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabel {
    route: String,
    from: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    route: String,
    end: &'static str,
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabel {
    route: String,
    direction: &'static str,
    step: String,
    class: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabel {
    upstream: String,
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
    method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PlaceLabel {
    place: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    listener: String,
    file: String,
}

/// The label of an exemplar: by this name, those who show exemplars find its trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TraceLabel {
    trace_id: String,
}

type Histogram = HistogramWithExemplars<TraceLabel>;
type Durations = Family<RouteLabel, Histogram, fn() -> Histogram>;

/// Counts a time, with the trace that it was seen in as an example.
fn observe(histogram: &Histogram, time: Duration, trace: Option<TraceId>) {
    let label = trace.map(|trace| TraceLabel { trace_id: trace.to_string() });
    let now = label.is_some().then(SystemTime::now);
    histogram.observe(time.as_secs_f64(), label, now);
}

/// A route's handles.
#[derive(Debug)]
pub struct RouteMetrics {
    route: String,
    all: Arc<Families>,
    /// WebSocket sessions open now.
    pub sessions: Gauge,
    /// What they have sent.
    pub traffic: Arc<Traffic>,
    duration: Histogram,
    request_duration: Histogram,
}

impl RouteMetrics {
    /// Counts a finished session, with its trace where that is kept.
    pub fn session_ended(&self, summary: &Summary, trace: Option<TraceId>) {
        let end = summary.end;
        let by = end.by().map_or("gateway", Side::label);
        observe(&self.duration, summary.duration, trace);
        let label = EndLabel { route: self.route.clone(), end: End::label(end), by };
        self.all.ended.get_or_create(&label).inc();
    }

    /// Counts what was found in a message. That is rare, and dearer by itself than to find the counter.
    pub fn found(&self, direction: Direction, finding: &Finding) {
        let label = FindingLabel {
            route: self.route.clone(),
            direction: direction.label(),
            step: (*finding.step).to_owned(),
            class: finding.class,
            action: finding.action.label(),
        };
        self.all.findings.get_or_create(&label).inc();
    }

    /// Counts what rules found in a request.
    pub fn found_in_request(&self, class: &'static str, action: &'static str) {
        let label = FindingLabel {
            route: self.route.clone(),
            direction: Direction::ToUpstream.label(),
            step: IN_REQUESTS.to_owned(),
            class,
            action,
        };
        self.all.findings.get_or_create(&label).inc();
    }

    /// Counts an answered request, with its trace where that is kept.
    pub fn answered(&self, status: http::StatusCode, took: Duration, trace: Option<TraceId>) {
        observe(&self.request_duration, took, trace);
        let label = StatusLabel { route: self.route.clone(), status: status.as_u16() };
        self.all.requests.get_or_create(&label).inc();
    }
}

#[derive(Debug, Default)]
struct Families {
    connections: Family<ListenerLabel, Gauge>,
    refused: Family<RefusalLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    requests: Family<StatusLabel, Counter>,
    sessions: Family<RouteLabel, Gauge>,
    ended: Family<EndLabel, Counter>,
    messages: Family<SideLabel, Counter>,
    dropped: Family<SideLabel, Counter>,
    bytes: Family<SideLabel, Counter>,
    findings: Family<FindingLabel, Counter>,
    target_healthy: Family<TargetLabel, Gauge>,
    target_open: Family<TargetLabel, Gauge<u64, AtomicU64>>,
    target_failures: Family<TargetLabel, Gauge<u64, AtomicU64>>,
    table_entries: Family<TableLabel, Gauge<u64, AtomicU64>>,
    table_capacity: Family<TableLabel, Gauge<u64, AtomicU64>>,
    table_evicted: Family<TableLabel, Gauge<u64, AtomicU64>>,
    table_overflowed: Family<TableLabel, Gauge<u64, AtomicU64>>,
    audit_written: Family<PlaceLabel, Counter>,
    audit_dropped: Family<PlaceLabel, Counter>,
    audit_waiting: Family<PlaceLabel, Gauge<u64, AtomicU64>>,
    audit_failing: Family<PlaceLabel, Gauge>,
    certificates: Family<CertificateLabel, Gauge<f64, AtomicU64>>,
}

/// All metrics of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    all: Arc<Families>,
    durations: Durations,
    request_durations: Durations,
    relay: RelayMetrics,
    telemetry: TelemetryMetrics,
    gathering: Mutex<()>,
    /// The counters of refusals by reason, for whoever asks in between scrapes: a family does not tell what it holds.
    refusals: RwLock<Vec<(&'static str, Counter)>>,
    assembly: Gauge<u64, AtomicU64>,
    inflate: Gauge<u64, AtomicU64>,
    pictures: Gauge<u64, AtomicU64>,
}

fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.1, 4.0, 10))
}

fn request_durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 4.0, 9))
}

impl Default for Metrics {
    fn default() -> Self {
        let all = Arc::new(Families::default());
        let durations: Durations = Family::new_with_constructor(durations);
        let request_durations: Durations = Family::new_with_constructor(request_durations);
        let (assembly, inflate, pictures) = (Gauge::default(), Gauge::default(), Gauge::default());
        let mut registry = Registry::with_prefix("wicketgate");
        registry.register("connections_open", "Client connections open now", all.connections.clone());
        registry.register(
            "refusals",
            "Requests and connections that were refused, by reason",
            all.refused.clone(),
        );
        registry.register("reloads", "Configuration reloads, by outcome", all.reloads.clone());
        registry.register("requests", "HTTP requests answered, upgrades among them", all.requests.clone());
        registry.register(
            "request_duration_seconds",
            "From the end of a request's head to the head of its answer",
            request_durations.clone(),
        );
        registry.register("sessions_open", "WebSocket sessions open now", all.sessions.clone());
        registry.register(
            "sessions_ended",
            "WebSocket sessions that ended, by reason and side",
            all.ended.clone(),
        );
        registry.register(
            "session_duration_seconds",
            "How long WebSocket sessions lasted",
            durations.clone(),
        );
        registry.register(
            "messages",
            "WebSocket messages that went on, by the side that sent them",
            all.messages.clone(),
        );
        registry.register("messages_dropped", "WebSocket messages that were dropped", all.dropped.clone());
        registry.register(
            "bytes",
            "Bytes of WebSocket frames read, by the side that sent them",
            all.bytes.clone(),
        );
        registry.register(
            "findings",
            "What policies found in messages and rules in requests, by step, class and what became of it",
            all.findings.clone(),
        );
        registry.register("target_healthy", "Whether a target can be used", all.target_healthy.clone());
        registry.register("target_open", "Sessions and requests open at a target", all.target_open.clone());
        registry.register(
            "target_failures",
            "Failures of a target since it was configured",
            all.target_failures.clone(),
        );
        registry.register("table_entries", "Entries of a bounded table", all.table_entries.clone());
        registry.register(
            "table_capacity",
            "Entries that a bounded table can have",
            all.table_capacity.clone(),
        );
        registry.register(
            "table_evicted",
            "Entries that were forgotten to make room, since the table was made",
            all.table_evicted.clone(),
        );
        registry.register(
            "table_overflowed",
            "Newcomers that found no room, since the table was made",
            all.table_overflowed.clone(),
        );
        register_audit(&mut registry, &all);
        let relay = RelayMetrics::default();
        relay.register(&mut registry);
        let telemetry = TelemetryMetrics::default();
        telemetry.register(&mut registry);
        registry.register(
            "certificate_expiry_seconds",
            "Time until a certificate that a listener shows expires; negative where it has",
            all.certificates.clone(),
        );
        registry.register("assembly_bytes", "Memory held by unfinished messages", assembly.clone());
        registry.register("inflate_bytes", "Memory held by inflation", inflate.clone());
        registry.register("picture_bytes", "Memory held by pictures that are to be marked", pictures.clone());
        Self {
            registry,
            all,
            durations,
            request_durations,
            relay,
            telemetry,
            gathering: Mutex::default(),
            refusals: RwLock::default(),
            assembly,
            inflate,
            pictures,
        }
    }
}

fn register_audit(registry: &mut Registry, all: &Families) {
    registry.register(
        "audit_written",
        "Audit records that the store or a sink has",
        all.audit_written.clone(),
    );
    registry.register(
        "audit_dropped",
        "Audit records that were dropped, for want of room",
        all.audit_dropped.clone(),
    );
    registry.register(
        "audit_waiting_bytes",
        "Memory held by audit records that wait",
        all.audit_waiting.clone(),
    );
    registry.register(
        "audit_failing",
        "Whether audit records cannot be written just now",
        all.audit_failing.clone(),
    );
}

impl Metrics {
    /// The gauge of a listener's open connections.
    pub fn connections(&self, listener: &str) -> Gauge {
        self.all.connections.get_or_create_owned(&ListenerLabel { listener: listener.to_owned() })
    }

    /// The handles of a route.
    pub fn route(&self, name: &str) -> RouteMetrics {
        let route = name.to_owned();
        let side = |from| SideLabel { route: route.clone(), from };
        let traffic = |from: &'static str| SideTraffic {
            messages: self.all.messages.get_or_create_owned(&side(from)),
            dropped: self.all.dropped.get_or_create_owned(&side(from)),
            bytes: self.all.bytes.get_or_create_owned(&side(from)),
        };
        let label = RouteLabel { route: route.clone() };
        RouteMetrics {
            all: self.all.clone(),
            sessions: self.all.sessions.get_or_create_owned(&label),
            traffic: Arc::new(Traffic {
                client: traffic(Side::Client.label()),
                upstream: traffic(Side::Upstream.label()),
            }),
            duration: self.durations.get_or_create_owned(&label),
            request_duration: self.request_durations.get_or_create_owned(&label),
            route,
        }
    }

    /// Counts an answered request that no route took.
    pub fn unrouted(&self, status: http::StatusCode) {
        let label = StatusLabel { route: String::new(), status: status.as_u16() };
        self.all.requests.get_or_create(&label).inc();
    }

    /// Counts a refusal; `reason` is one of [`super::reasons`].
    pub fn refused(&self, reason: &'static str) {
        debug_assert!(super::reasons::is_known(reason), "`{reason}` is not in the table of reasons");
        {
            let known = self.refusals.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, counter)) = known.iter().find(|(known, _)| *known == reason) {
                counter.inc();
                return;
            }
        }
        let counter = self.all.refused.get_or_create_owned(&RefusalLabel { reason });
        counter.inc();
        let mut known = self.refusals.write().unwrap_or_else(PoisonError::into_inner);
        if known.iter().all(|(known, _)| *known != reason) {
            known.push((reason, counter));
        }
    }

    /// How many refusals there were, by reason.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        let known = self.refusals.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(reason, counter)| (*reason, counter.get())).collect()
    }

    /// Counts a reload.
    pub fn reloaded(&self, outcome: &'static str) {
        self.all.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Notes how a target is.
    pub fn target(&self, upstream: &str, target: &str, healthy: bool, open: u64, failures: u64) {
        let label = TargetLabel { upstream: upstream.to_owned(), target: target.to_owned() };
        self.all.target_healthy.get_or_create(&label).set(i64::from(healthy));
        self.all.target_open.get_or_create(&label).set(open);
        self.all.target_failures.get_or_create(&label).set(failures);
    }

    /// Notes how full a bounded table is; `method`: that of authentication which keeps it, or empty.
    pub fn table(&self, table: &'static str, method: &str, fill: Fill) {
        let label = TableLabel { table, method: method.to_owned() };
        self.all.table_entries.get_or_create(&label).set(fill.entries);
        self.all.table_capacity.get_or_create(&label).set(fill.capacity);
        self.all.table_evicted.get_or_create(&label).set(fill.evicted);
        self.all.table_overflowed.get_or_create(&label).set(fill.overflowed);
    }

    /// Notes what became of audit records. Only ever asked by one at a time.
    pub fn audited(&self, place: &Place) {
        let label = PlaceLabel { place: place.name.clone() };
        for (family, total) in
            [(&self.all.audit_written, place.written), (&self.all.audit_dropped, place.dropped)]
        {
            let counter = family.get_or_create(&label);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.all.audit_waiting.get_or_create(&label).set(place.waiting as u64);
        self.all.audit_failing.get_or_create(&label).set(i64::from(place.is_failing));
    }

    /// Notes what private sessions there are and were. Only ever asked by one at a time.
    pub fn relayed(&self, figures: &Figures) {
        self.relay.note(figures);
    }

    /// Notes what became of what is sent to a collector. Only ever asked by one at a time.
    pub fn exported(&self, figures: &wicketgate_telemetry::Figures) {
        self.telemetry.note(figures);
    }

    /// Notes for how many seconds a certificate is still valid.
    pub fn certificate(&self, listener: &str, file: &str, left: f64) {
        let label = CertificateLabel { listener: listener.to_owned(), file: file.to_owned() };
        self.all.certificates.get_or_create(&label).set(left);
    }

    /// Forgets the certificates that there were: what is not shown any more is no metric either.
    pub fn forget_certificates(&self) {
        self.all.certificates.clear();
    }

    /// The right to bring all metrics up to date, which one has at a time.
    pub fn gathering(&self) -> MutexGuard<'_, ()> {
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything, as text.
    ///
    /// # Errors
    /// A metric that cannot be written.
    pub fn encode(&self, assembly: u64, inflate: u64, pictures: u64) -> Result<String, std::fmt::Error> {
        self.assembly.set(assembly);
        self.inflate.set(inflate);
        self.pictures.set(pictures);
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
