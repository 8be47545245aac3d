//! Captures, for an operator to start, to take from and to end. What leaves here has its secrets covered.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use wicketgate_audit::{Event, Selector, Who};
use wicketgate_policy::fields::Path;

use super::answer::{Answer, json, text};
use crate::capture::{Bounds, Wanted};
use crate::gateway::Shared;
use crate::operate::messages::{self, Unseen};

/// Paths of secret fields that one capture may name.
const MAX_SECRETS: usize = 100;

#[derive(Serialize)]
struct Started {
    capture: u64,
}

#[derive(Serialize)]
struct Taken {
    /// Messages as lines of a capture.
    lines: Vec<String>,
    /// Messages that were dropped, so that none waits.
    dropped: u64,
    /// Messages that could not be read, and so may hold secrets.
    left_out: u64,
}

/// What the query says.
#[derive(Default)]
struct Query {
    route: Option<String>,
    every: Option<u64>,
    id: Option<u64>,
    secrets: Vec<Path>,
}

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, String> {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let number = || value.parse().map_err(|_| format!("`{value}` is no number"));
            match &*name {
                "route" => read.route = Some(value.into_owned()),
                "every" => read.every = Some(number()?),
                "id" => read.id = Some(number()?),
                "secret" => read.secrets.push(value.parse().map_err(|error| format!("{error}"))?),
                _ => return Err(format!("there is no `{name}`: give route, every, secret, or id")),
            }
        }
        if read.secrets.len() > MAX_SECRETS {
            return Err(format!("at most {MAX_SECRETS} paths of secret fields"));
        }
        Ok(read)
    }
}

/// Starts a capture of a route.
pub(super) async fn start(shared: &Arc<Shared>, query: Option<&str>) -> Answer {
    let query = match Query::parse(query) {
        Ok(query) => query,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    let Some(name) = query.route else {
        return text(StatusCode::BAD_REQUEST, "say which route\n");
    };
    let name: Arc<str> = name.into();
    let cover = match messages::cover(shared, &name, query.secrets) {
        Ok(cover) => cover,
        Err(unseen @ Unseen::Apart) => return text(StatusCode::CONFLICT, format!("{unseen}\n")),
        Err(unseen) => return text(StatusCode::NOT_FOUND, format!("{unseen}\n")),
    };
    let every = query.every.unwrap_or(1).max(1);
    let wanted = Wanted { every, ..Wanted::all_of(name.clone()) };
    let Some(id) = shared.captures.start(wanted, Bounds::default(), cover) else {
        return text(StatusCode::CONFLICT, "another capture runs\n");
    };
    let selector = Selector { kind: "route", value: &name };
    shared.audit.wait(&Event::Captured { selector }, &Who::default()).await;
    json(&Started { capture: id })
}

/// What was captured since the last time.
pub(super) fn take(shared: &Shared, query: Option<&str>) -> Answer {
    let Some(id) = Query::parse(query).ok().and_then(|query| query.id) else {
        return text(StatusCode::BAD_REQUEST, "give the `id` of the capture\n");
    };
    let Some(batch) = shared.captures.take(id) else {
        return text(StatusCode::NOT_FOUND, "this capture does not run any more\n");
    };
    let lines = batch.copies.iter().map(|copy| copy.line.write()).collect();
    json(&Taken { lines, dropped: batch.dropped, left_out: batch.left_out })
}

/// Ends it.
pub(super) fn stop(shared: &Shared, query: Option<&str>) -> Answer {
    let Some(id) = Query::parse(query).ok().and_then(|query| query.id) else {
        return text(StatusCode::BAD_REQUEST, "give the `id` of the capture\n");
    };
    shared.captures.stop(id);
    json(&Started { capture: id })
}
