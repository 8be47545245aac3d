//! The revocations, for an operator to add to.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;
use wicketgate_admission::revocation::Revocation;
use wicketgate_audit::Who;

use super::PATIENCE;
use super::answer::{Answer, json, text};
use crate::gateway::Shared;
use crate::operate::revocations;

/// The longest entry that is read, in bytes.
const MAX_BODY: usize = 16 << 10;

/// Adds the one in the body, which is a JSON object as in the file.
pub(super) async fn add(shared: &Shared, request: Request<Incoming>) -> Answer {
    let Ok(Ok(body)) = timeout(PATIENCE, Limited::new(request.into_body(), MAX_BODY).collect()).await else {
        return text(StatusCode::BAD_REQUEST, "the body is too long, or did not come in time\n");
    };
    let entry: Revocation = match serde_json::from_slice(&body.to_bytes()) {
        Ok(entry) => entry,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("no revocation: {error}\n")),
    };
    match revocations::add(shared, entry, &Who::default()).await {
        Ok(added) => json(&added),
        Err(error) => text(StatusCode::CONFLICT, format!("not revoked: {error}\n")),
    }
}
