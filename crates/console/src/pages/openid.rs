//! Signing in at a provider: the way there and back.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{COOKIE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use wicketgate_audit::{Event, Who};

use super::onward::{at, onward};
use super::page::refused;
use super::sign_in::{again, console, let_in, set_cookie};
use crate::access::caller::{Caller, value_of};
use crate::access::openid::{Answer, Failure, OpenId};
use crate::access::sessions::Proof;
use crate::api::error::Problem;
use crate::origin::From;
use crate::state::Shared;

/// The cookie of a sign-in that goes on elsewhere. It has to come along when the provider sends the browser back, which `Strict` forbids.
const COOKIE_NAME: &str = "__Host-wicketgate-openid";

pub(super) async fn begin(
    State(shared): State<Shared>,
    Extension(From(from)): Extension<From>,
    headers: HeaderMap,
) -> Response {
    let Some(openid) = shared.openid.load_full() else { return none() };
    match openid.begin(&at(&shared, &headers, CALLBACK)).await {
        Ok(sent) => {
            let mut response = Redirect::to(&sent.to).into_response();
            let cookie = sent.cookie.reveal();
            set_cookie(
                &mut response,
                &format!("{COOKIE_NAME}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"),
            );
            response
        }
        // Nobody has tried to be somebody yet: it is no event.
        Err(failure) => {
            tracing::debug!(%from, %failure, "nobody was sent to sign in");
            again(&shared, failure.status(), failure.told())
        }
    }
}

/// Where the provider sends browsers back to.
pub(super) const CALLBACK: &str = "/sign-in/openid/callback";

pub(super) async fn back(
    State(shared): State<Shared>,
    Extension(From(from)): Extension<From>,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let (Some(openid), Ok(Query(answer))) = (shared.openid.load_full(), answer) else { return none() };
    let mut response = match finish(&shared, from, &headers, &openid, &answer).await {
        Ok(response) => response,
        Err(failure) => failed(&shared, from, &failure),
    };
    set_cookie(&mut response, &format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"));
    response
}

async fn finish(
    shared: &Shared,
    from: std::net::IpAddr,
    headers: &HeaderMap,
    openid: &OpenId,
    answer: &Answer,
) -> Result<Response, Failure> {
    let config = shared.config.load_full();
    if let Err(wait) = shared.attempts.count_address(config.sign_in, from) {
        let who = Who { method: Some("openid"), ..console(from) };
        shared.gateway.audit.log(&Event::SignInRefused { reason: "rate" }, &who);
        let mut response =
            again(shared, StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Wait a minute, and try again.");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        return Ok(response);
    }
    let cookie = value_of(headers.get_all(COOKIE), COOKIE_NAME);
    let known = openid.finish(answer, cookie, &at(shared, headers, CALLBACK)).await?;
    let last = Caller::by_cookie(shared, headers, from);
    let proof = Proof::OpenId(openid.config.clone());
    let mut response = onward("Signed in", "/");
    let_in(shared, from, last, &known.name, known.role, proof, &mut response).await;
    Ok(response)
}

fn none() -> Response {
    refused(None, &Problem::new(StatusCode::NOT_FOUND, "nobody signs in here by OpenID Connect"))
}

fn failed(shared: &Shared, from: std::net::IpAddr, failure: &Failure) -> Response {
    // Who the provider knows stands in the record; nothing else that came from outside does.
    let subject = match failure {
        Failure::Role(name) => Some(name.as_str()),
        _ => None,
    };
    tracing::info!(%from, %failure, "nobody was signed in at the console");
    let who = Who { subject, method: Some("openid"), ..console(from) };
    shared.gateway.audit.log(&Event::SignInRefused { reason: failure.reason() }, &who);
    again(shared, failure.status(), failure.told())
}
