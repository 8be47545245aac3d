//! Agents, clients and private sessions, for an operator to end.

use http::StatusCode;
use wicketgate_audit::Who;

use super::answer::{Answer, json, text};
use crate::gateway::Shared;
use crate::operate::relay::{self, Meant};

/// Ends the connections that the query means, and their sessions for good.
pub(super) async fn kick(shared: &Shared, query: Option<&str>) -> Answer {
    match Meant::parse(query) {
        Ok(meant) => json(&relay::kick(shared, &meant, &Who::default()).await),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
