//! Signing in and out.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use wicketgate_audit::{Event, Who};
use wicketgate_config::Secret;
use wicketgate_gateway::console::Role;

use super::onward::{at, onward};
use super::page::{html, refused};
use crate::access::caller::{COOKIE_NAME, Caller};
use crate::access::gate::{is_own, whole};
use crate::access::password::{Failure, PASSWORD_MAX};
use crate::access::sessions::Proof;
use crate::api::error::Problem;
use crate::origin::{From, NAME};
use crate::state::Shared;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    error: Option<&'static str>,
    asks_code: bool,
    has_users: bool,
    /// What the provider is called by which others sign in.
    elsewhere: Option<String>,
}

/// What somebody has filled in.
struct Filled {
    name: String,
    password: Secret,
    code: String,
}

pub(super) async fn page(State(shared): State<Shared>) -> Response {
    html(StatusCode::OK, &SignIn::new(&shared, None))
}

impl SignIn {
    fn new(shared: &Shared, error: Option<&'static str>) -> Self {
        let config = shared.config.load();
        Self {
            error,
            // Whose it is, nobody is told.
            asks_code: config.users.iter().any(|user| user.totp.is_some()),
            has_users: !config.users.is_empty(),
            elsewhere: config.openid.as_ref().map(|openid| openid.label.clone()),
        }
    }
}

/// The page, with what went wrong.
pub(super) fn again(shared: &Shared, status: StatusCode, error: &'static str) -> Response {
    html(status, &SignIn::new(shared, Some(error)))
}

pub(super) async fn sign_in(
    State(shared): State<Shared>,
    Extension(From(from)): Extension<From>,
    request: Request,
) -> Response {
    if !is_own(&shared, request.headers()) {
        return refused(None, &Problem::new(StatusCode::FORBIDDEN, "sign in at the console's own page"));
    }
    let last = Caller::by_cookie(&shared, request.headers(), from);
    let filled = match whole(&shared, request).await {
        Ok(request) => Filled::read(&shared, request).await,
        Err(problem) => return refused(None, &problem),
    };
    let config = shared.config.load_full();
    if let Err(wait) = shared.attempts.count(config.sign_in, from, &filled.name) {
        shared.audit_refusal(&filled.name, from, "rate");
        let error = "Too many attempts. Wait a minute, and try again.";
        let mut response = again(&shared, StatusCode::TOO_MANY_REQUESTS, error);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        return response;
    }
    let user = config.users.iter().find(|user| user.name == filled.name);
    let checked = shared.passwords.check(user, filled.password, &filled.code).await;
    let (Ok(()), Some(user)) = (checked, user) else {
        let (status, reason, error) = match checked {
            Err(Failure::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many sign in just now. Try again.")
            }
            _ => (StatusCode::FORBIDDEN, "credential", "Name, password or code is wrong."),
        };
        shared.audit_refusal(&filled.name, from, reason);
        return again(&shared, status, error);
    };
    let mut response = Redirect::to("/").into_response();
    let proof = Proof::Password(Box::new(user.clone()));
    let_in(&shared, from, last, &user.name, user.role, proof, &mut response).await;
    response
}

/// Signs somebody in, in the browser that gets this answer.
pub(super) async fn let_in(
    shared: &Shared,
    from: IpAddr,
    last: Option<Caller>,
    name: &str,
    role: Role,
    proof: Proof,
    response: &mut Response,
) {
    // Whatever id the browser came with, the new one is another.
    if let Some(session) = last.as_ref().and_then(Caller::session) {
        shared.sessions.close(session);
    }
    let method = proof.method();
    let id = shared.sessions.open(name, role, proof, &shared.config.load());
    let who = Who { subject: Some(name), method: Some(method), ..console(from) };
    shared.gateway.audit.wait(&Event::SignedIn, &who).await;
    set_cookie(
        response,
        &format!("{COOKIE_NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict", id.reveal()),
    );
}

pub(super) async fn out(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if let Some(session) = caller.session() {
        shared.sessions.close(session);
    }
    shared.gateway.audit.wait(&Event::SignedOut, &caller.who()).await;
    let openid = shared.openid.load_full().filter(|_| caller.session().is_some_and(|s| s.is_by_openid()));
    let elsewhere = match openid {
        Some(openid) => openid.end_session(&at(&shared, &headers, "/sign-in")).await,
        None => None,
    };
    let mut response = match elsewhere {
        // Not by a redirect: our pages' forms lead nowhere else.
        Some(to) => onward("Signed out here", &to),
        None => Redirect::to("/sign-in").into_response(),
    };
    set_cookie(
        &mut response,
        &format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"),
    );
    response
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

pub(super) fn console(from: IpAddr) -> Who<'static> {
    Who { listener: Some(NAME), client: Some(from), ..Who::default() }
}

impl Shared {
    /// Nobody was signed in. The name stands in the record only where it is a user's: people type passwords there.
    fn audit_refusal(&self, name: &str, from: IpAddr, reason: &str) {
        let config = self.config.load();
        let known = config.users.iter().find(|user| user.name == name);
        let who = Who { subject: known.map(|user| &*user.name), method: Some("password"), ..console(from) };
        self.gateway.audit.log(&Event::SignInRefused { reason }, &who);
    }
}

impl Filled {
    /// Reads a form whose body was read whole.
    async fn read(shared: &Shared, request: Request) -> Self {
        let body = axum::body::to_bytes(request.into_body(), shared.limits.body).await;
        let body = body.unwrap_or_default();
        let field = |wanted: &str, most: usize| {
            let found = url::form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned()).filter(|value| value.len() <= most).unwrap_or_default()
        };
        Self {
            name: field("name", 64),
            password: Secret::new(field("password", PASSWORD_MAX)),
            code: field("code", 16),
        }
    }
}
