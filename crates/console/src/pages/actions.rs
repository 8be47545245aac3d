//! Changes that pages ask for. Each leaves an audit event, and a line for the next page to say.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Redirect, Response};
use wicketgate_admission::revocation::Revocation;
use wicketgate_gateway::operate::relay::{self, Meant};
use wicketgate_gateway::operate::{Selector, kick as end, revocations};

use super::problem;
use crate::access::caller::Caller;
use crate::api::error::Problem;
use crate::api::operations::reloaded;
use crate::records;
use crate::state::Shared;

/// What a form says, as a query, without the token that the gate has looked at.
fn query(body: &Bytes) -> String {
    let fields =
        url::form_urlencoded::parse(body).filter(|(name, value)| name != "csrf" && !value.trim().is_empty());
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Goes on to a page, which first says how it went.
fn done(caller: &Caller, notice: String, page: &'static str) -> Response {
    if let Some(session) = caller.session() {
        session.note(notice);
    }
    Redirect::to(page).into_response()
}

pub(super) async fn kick(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    match Selector::parse_some(Some(&query(&body))) {
        Ok(selector) => {
            let ended = end::kick(&shared.gateway, &selector, &caller.who()).await.ended;
            done(&caller, format!("{ended} sessions were told to end."), "/sessions")
        }
        Err(error) => problem(&shared, &caller, &Problem::asked(error)),
    }
}

pub(super) async fn relay_kick(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    match Meant::parse(Some(&query(&body))) {
        Ok(meant) => {
            let ended = relay::kick(&shared.gateway, &meant, &caller.who()).await.ended;
            done(&caller, format!("{ended} connections were ended."), "/relay")
        }
        Err(error) => problem(&shared, &caller, &Problem::asked(error)),
    }
}

pub(super) async fn revoke(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let field = |wanted: &str| {
        let found = url::form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let entry =
        Revocation { token_id: field("token_id"), subject: field("subject"), before: None, until: None };
    match revocations::add(&shared.gateway, entry, &caller.who()).await {
        Ok(added) if added.kept => done(&caller, "It is revoked.".into(), "/revocations"),
        Ok(_) => done(&caller, "It is revoked until this process ends.".into(), "/revocations"),
        Err(error) => problem(&shared, &caller, &Problem::asked(format!("It is not revoked: {error}."))),
    }
}

pub(super) async fn verify(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    match records::verify(&shared).await {
        Ok(records::Verified { holds: true, rows, anchor, .. }) => {
            let anchor = anchor.unwrap_or_default();
            done(&caller, format!("The chain holds: {rows} rows. Last one: {anchor}"), "/audit")
        }
        Ok(verified) => {
            let broken = verified.broken.unwrap_or_default();
            done(&caller, format!("THE CHAIN IS BROKEN at {broken}"), "/audit")
        }
        Err(unread) => problem(&shared, &caller, &unread.into()),
    }
}

pub(super) async fn reload(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    match reloaded(&shared, &caller).await {
        Ok(reloaded) if reloaded.followed => {
            done(&caller, "The files are followed now.".into(), "/configuration")
        }
        Ok(_) => {
            let notice =
                "The files cannot be used: what was followed before still is. Check them to see why.";
            done(&caller, notice.into(), "/configuration")
        }
        Err(found) => problem(&shared, &caller, &found),
    }
}
