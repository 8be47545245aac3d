//! The live sessions, for an operator to see and to end.

use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use wicketgate_audit::{self as audit, Event, Who};

use super::answer::{Answer, json, seconds, text};
use super::selector::Selector;
use crate::gateway::Shared;
use crate::pump::{End, Order};
use crate::sessions::Live;

/// How many sessions one answer shows: about 400 bytes each.
const SHOWN: usize = 10_000;

#[derive(Serialize)]
struct List {
    /// How many there are.
    total: usize,
    /// At most [`SHOWN`] of them, the oldest first.
    sessions: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    session: u64,
    route: String,
    client: Option<String>,
    subject: Option<String>,
    method: Option<String>,
    token_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
}

impl Shown {
    fn of(live: &Live) -> Self {
        let identity = live.standing.identity();
        Self {
            session: live.id,
            route: live.route.to_string(),
            client: live.standing.client().address.map(|address| address.to_string()),
            subject: identity.as_ref().map(|identity| identity.subject.to_string()),
            method: identity.as_ref().map(|identity| identity.method.to_string()),
            token_id: identity.as_ref().and_then(|identity| identity.token_id.as_deref().map(str::to_owned)),
            since: seconds(live.since),
            expires: live.standing.expires().map(seconds),
        }
    }
}

/// The sessions that the query means.
pub(super) fn list(shared: &Shared, query: Option<&str>) -> Answer {
    let selector = match Selector::parse(query) {
        Ok(selector) => selector,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    let mut meant: Vec<_> = shared.sessions.all().into_iter().filter(|live| selector.takes(live)).collect();
    meant.sort_by_key(|live| live.id);
    let sessions = meant.iter().take(SHOWN).map(|live| Shown::of(live)).collect();
    json(&List { total: meant.len(), sessions })
}

#[derive(Serialize)]
struct Kicked {
    ended: usize,
}

/// Ends the sessions that the query means; it has to mean some.
pub(super) async fn kick(shared: &Shared, query: Option<&str>) -> Answer {
    let selector = match Selector::parse(query) {
        Ok(selector) if selector.is_empty() => {
            let error = "say which sessions: give subject, address, token_id, session or route\n";
            return text(StatusCode::BAD_REQUEST, error);
        }
        Ok(selector) => selector,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    let snapshot = shared.snapshot();
    let mut ended = 0;
    for live in shared.sessions.all().into_iter().filter(|live| selector.takes(live)) {
        let codes = snapshot.route(&live.route).map(|route| route.guard.close_codes()).unwrap_or_default();
        live.control.give(Order::End(End::Kicked(codes.kicked)));
        ended += 1;
    }
    for (kind, value) in selector.given() {
        let selector = audit::Selector { kind, value: &value };
        shared.audit.wait(&Event::Kicked { selector, sessions: ended }, &Who::default()).await;
    }
    json(&Kicked { ended })
}
