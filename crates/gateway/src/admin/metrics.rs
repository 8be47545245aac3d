//! The metrics, as a scraper asks for them.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::answer::{Answer, text};
use crate::gateway::Shared;
use crate::upstream::Upstream;

pub(super) fn metrics(shared: &Shared) -> Answer {
    for upstream in &shared.snapshot().upstreams {
        observe(shared, upstream);
    }
    for place in shared.audit.places() {
        shared.metrics.audited(&place);
    }
    match shared.metrics.encode(shared.assembly.used() as u64, shared.inflate.used() as u64) {
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
