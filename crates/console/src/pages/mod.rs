//! The pages: made here whole, so that they work without a script; one small script of ours keeps them fresh.

mod actions;
mod activity;
mod doctor;
mod estate;
mod finding;
mod messages;
mod onward;
mod openid;
mod overview;
mod page;
mod settings;
mod sign_in;

use axum::Router;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use wicketgate_gateway::console::Scope;

use crate::access::caller::Caller;
use crate::api::error::Problem;
use crate::state::Shared;

pub(crate) use page::refused;

/// What a page or a change needs; none where there is no such.
pub(crate) fn needed(method: &Method, path: &str) -> Option<Scope> {
    const PAGES: [&str; 11] = [
        "/",
        "/sessions",
        "/sessions/{session}",
        "/findings",
        "/findings/{finding}",
        "/audit",
        "/routes",
        "/relay",
        "/revocations",
        "/certificates",
        "/configuration",
    ];
    match (method, path) {
        (&Method::GET, "/configuration") => Some(Scope::Admin),
        (&Method::GET | &Method::POST, "/doctor") => Some(Scope::Operate),
        (&Method::GET, "/messages") => Some(Scope::Operate),
        (&Method::GET, path) => PAGES.contains(&path).then_some(Scope::Read),
        (&Method::POST, "/sign-out" | "/audit/verify") => Some(Scope::Read),
        (&Method::POST, "/sessions/kick" | "/relay/kick" | "/revocations") => Some(Scope::Operate),
        (&Method::POST, "/configuration/check" | "/configuration/reload") => Some(Scope::Admin),
        _ => None,
    }
}

/// For whoever is signed in.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::page))
        .route("/sessions", get(activity::sessions))
        .route("/sessions/{session}", get(activity::session))
        .route("/messages", get(messages::page))
        .route("/findings", get(activity::findings))
        .route("/findings/{finding}", get(finding::page))
        .route("/audit", get(activity::audit))
        .route("/routes", get(estate::routes))
        .route("/relay", get(estate::relay))
        .route("/certificates", get(estate::certificates))
        .route("/revocations", get(estate::revocations).post(actions::revoke))
        .route("/doctor", get(doctor::page).post(doctor::examine))
        .route("/configuration", get(settings::page))
        .route("/sign-out", post(sign_in::out))
        .route("/audit/verify", post(actions::verify))
        .route("/sessions/kick", post(actions::kick))
        .route("/relay/kick", post(actions::relay_kick))
        .route("/configuration/check", post(settings::check))
        .route("/configuration/reload", post(actions::reload))
}

/// For whoever is not signed in yet.
pub(crate) fn open() -> Router<Shared> {
    let css = asset("text/css; charset=utf-8", include_str!("../../assets/console.css"));
    let script = asset("text/javascript; charset=utf-8", include_str!("../../assets/console.js"));
    let tail = asset("text/javascript; charset=utf-8", include_str!("../../assets/tail.js"));
    let gate = asset("image/svg+xml", include_str!("../../assets/gate.svg"));
    Router::new()
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/openid", get(openid::begin))
        .route(openid::CALLBACK, get(openid::back))
        .route("/assets/console.css", css)
        .route("/assets/console.js", script)
        .route("/assets/tail.js", tail)
        .route("/assets/gate.svg", gate.clone())
        .route("/favicon.ico", gate)
}

/// A file that is part of the program.
fn asset(kind: &'static str, text: &'static str) -> MethodRouter<Shared> {
    get(move || async move { page::raw(&[(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text) })
}

/// Whether somebody may ask for a change, so that it is offered.
fn may(caller: &Caller, scope: Scope) -> bool {
    caller.scope >= scope
}

/// What a page says in place of an answer.
fn problem(shared: &Shared, caller: &Caller, problem: &Problem) -> Response {
    refused(Some((shared, caller)), problem)
}
