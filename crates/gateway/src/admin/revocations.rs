//! The revocations, for an operator to see and to add to.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;
use wicketgate_admission::revocation::Revocation;
use wicketgate_audit::{Event, Selector, Who};

use super::PATIENCE;
use super::answer::{Answer, json, text};
use crate::gateway::Shared;

/// The longest entry that is read, in bytes.
const MAX_BODY: usize = 16 << 10;

#[derive(Serialize)]
struct List {
    revocations: Vec<Revocation>,
}

/// All of them.
pub(super) fn list(shared: &Shared) -> Answer {
    json(&List { revocations: shared.snapshot().revocations.all() })
}

#[derive(Serialize)]
struct Added {
    revoked: Revocation,
    /// Whether it is in the file, and so outlives the process.
    kept: bool,
}

/// Adds the one in the body, which is a JSON object as in the file.
pub(super) async fn add(shared: &Shared, request: Request<Incoming>) -> Answer {
    let Ok(Ok(body)) = timeout(PATIENCE, Limited::new(request.into_body(), MAX_BODY).collect()).await else {
        return text(StatusCode::BAD_REQUEST, "the body is too long, or did not come in time\n");
    };
    let entry: Revocation = match serde_json::from_slice(&body.to_bytes()) {
        Ok(entry) => entry,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("no revocation: {error}\n")),
    };
    let revocations = shared.snapshot().revocations.clone();
    if let Err(error) = revocations.add(entry.clone()) {
        tracing::error!(error, "a revocation cannot be kept");
        return text(StatusCode::CONFLICT, format!("not revoked: {error}\n"));
    }
    let (kind, value) = match (&entry.token_id, &entry.subject) {
        (Some(id), _) => ("token_id", id.as_str()),
        (None, subject) => ("subject", subject.as_deref().unwrap_or_default()),
    };
    shared.audit.wait(&Event::Revoked { selector: Selector { kind, value } }, &Who::default()).await;
    let kept = revocations.config().file.is_some();
    json(&Added { revoked: entry, kept })
}
