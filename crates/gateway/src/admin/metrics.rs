//! The metrics, as a scraper asks for them.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::answer::{Answer, text};
use crate::gateway::Shared;
use crate::operate::metrics;

pub(super) fn metrics(shared: &Shared) -> Answer {
    match metrics::text(shared) {
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
