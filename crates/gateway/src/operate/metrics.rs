//! All metrics of this moment, as text: what a scraper gets, and a collector.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::gateway::Shared;
use crate::upstream::Upstream;

/// All metrics, in the OpenMetrics text format.
///
/// # Errors
/// A metric that cannot be written.
pub fn text(shared: &Shared) -> Result<String, fmt::Error> {
    // Counters are brought up to what others have counted: two at once would count it twice.
    let _only = shared.metrics.gathering();
    let snapshot = shared.snapshot();
    for upstream in &snapshot.upstreams {
        observe(shared, upstream);
    }
    for (table, fill) in shared.counts.fills() {
        shared.metrics.table(table, "", fill);
    }
    shared.metrics.table("revocations", "", snapshot.revocations.fill());
    for method in &snapshot.methods {
        if let Some((table, fill)) = method.fill() {
            shared.metrics.table(table, &method.config().name, fill);
        }
    }
    for place in shared.audit.places() {
        shared.metrics.audited(&place);
    }
    shared.metrics.relayed(&snapshot.relay().map(|relay| relay.figures()).unwrap_or_default());
    shared.telemetry.figures().iter().for_each(|figures| shared.metrics.exported(figures));
    observe_certificates(shared);
    let [assembly, inflate, pictures] =
        [shared.assembly.used(), shared.inflate.used(), shared.pictures.used()].map(|used| used as u64);
    shared.metrics.encode(assembly, inflate, pictures)
}

fn observe(shared: &Shared, upstream: &Upstream) {
    use std::sync::atomic::Ordering::Relaxed;
    for target in upstream.targets() {
        let counters = target.counters();
        shared.metrics.target(
            upstream.name(),
            target.address().as_str(),
            target.is_healthy(),
            counters.open.load(Relaxed) as u64,
            counters.failures.load(Relaxed),
        );
    }
}

fn observe_certificates(shared: &Shared) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let snapshot = shared.snapshot();
    let shown = snapshot.certificates().iter().flat_map(|(listener, resolver)| {
        let valid = resolver.shown().into_iter().filter_map(|shown| Some((shown.file, shown.validity?.1)));
        valid.map(move |(file, until)| (listener, file, until))
    });
    shared.metrics.forget_certificates();
    for (listener, file, until) in shown {
        let left = until.as_secs_f64() - now.as_secs_f64();
        shared.metrics.certificate(listener, &file.display().to_string(), left);
    }
}
