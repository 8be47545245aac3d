//! The live sessions, for an operator to see and to end.

use http::StatusCode;
use wicketgate_audit::Who;

use super::answer::{Answer, json, text};
use crate::gateway::Shared;
use crate::operate::{Selector, kick, sessions};

/// The sessions that the query means.
pub(super) fn list(shared: &Shared, query: Option<&str>) -> Answer {
    match Selector::parse(query) {
        Ok(selector) => json(&sessions::list(shared, &selector, sessions::SHOWN)),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

/// Ends the sessions that the query means; it has to mean some.
pub(super) async fn kick(shared: &Shared, query: Option<&str>) -> Answer {
    match Selector::parse_some(query) {
        Ok(selector) => json(&kick::kick(shared, &selector, &Who::default()).await),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
