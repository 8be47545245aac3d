//! The API under `/api/v1/`. One table says of each operation what it needs, takes and answers: requests are judged by it, and
//! `/openapi.json` is made of it.

pub(crate) mod error;
mod live;
mod messages;
mod openapi;
mod operation;
pub(crate) mod operations;

use axum::Router;
use axum::routing::{get, post};
use http::Method;
use wicketgate_gateway::console::Scope;

use crate::state::Shared;

/// What an operation needs; none where there is no such.
pub(crate) fn needed(method: &Method, path: &str) -> Option<Scope> {
    operation::find(method, path).map(|operation| operation.scope)
}

/// What is asked by whoever may.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/me", get(operations::me))
        .route("/api/v1/overview", get(operations::overview))
        .route("/api/v1/live", get(live::live))
        .route("/api/v1/messages", get(messages::messages))
        .route("/api/v1/sessions", get(operations::sessions).delete(operations::kick))
        .route("/api/v1/sessions/{session}", get(operations::session))
        .route("/api/v1/doctor", post(operations::doctor))
        .route("/api/v1/routes", get(operations::routes))
        .route("/api/v1/upstreams", get(operations::upstreams))
        .route("/api/v1/findings", get(operations::findings))
        .route("/api/v1/findings/{finding}", get(operations::finding))
        .route("/api/v1/relay", axum::routing::delete(operations::relay_kick))
        .route("/api/v1/relay/endpoints", get(operations::relay_endpoints))
        .route("/api/v1/relay/sessions", get(operations::relay_sessions))
        .route("/api/v1/revocations", get(operations::revocations).post(operations::revoke))
        .route("/api/v1/certificates", get(operations::certificates))
        .route("/api/v1/audit", get(operations::audit))
        .route("/api/v1/audit/verify", post(operations::verify))
        .route("/api/v1/configuration", get(operations::configuration))
        .route("/api/v1/configuration/changes", get(operations::configuration_changes))
        .route("/api/v1/configuration/check", post(operations::check))
        .route("/api/v1/configuration/reload", post(operations::reload))
}

/// What anybody may ask.
pub(crate) fn open() -> Router<Shared> {
    Router::new().route("/openapi.json", get(openapi::document))
}
