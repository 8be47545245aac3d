//! The metrics, as a scraper asks for them.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::answer::{Answer, text};
use crate::gateway::Shared;
use crate::upstream::Upstream;

pub(super) fn metrics(shared: &Shared) -> Answer {
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
    let [assembly, inflate, pictures] =
        [shared.assembly.used(), shared.inflate.used(), shared.pictures.used()].map(|used| used as u64);
    match shared.metrics.encode(assembly, inflate, pictures) {
        Ok(body) => {
            let mut response = text(StatusCode::OK, body);
            let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(open_metrics));
            response
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written\n")
        }
    }
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
