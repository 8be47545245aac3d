//! What is asked at the operator's listener, and who may ask it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use wicketgate_admission::Secret;

use super::{Gate, capture, metrics, relay, revocations, sessions};
use crate::gateway::Shared;
use crate::observe::Recent;
use crate::operate::{self, status::Status};

/// How many of the busiest sessions are shown.
const BUSIEST: usize = 50;

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(
    shared: &Arc<Shared>,
    gate: &Gate,
    recent: &Recent,
    request: Request<Incoming>,
) -> Answer {
    let path = request.uri().path().to_owned();
    match (path.as_str(), request.method()) {
        ("/healthz", &Method::GET | &Method::HEAD) => text(StatusCode::OK, "ok\n"),
        ("/readyz", &Method::GET | &Method::HEAD) if shared.is_draining() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
        ("/readyz", &Method::GET | &Method::HEAD) if !shared.audit.is_ready() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the audit store cannot be written\n")
        }
        ("/readyz", &Method::GET | &Method::HEAD) => text(StatusCode::OK, "ready\n"),
        ("/metrics", &Method::GET | &Method::HEAD) => metrics::metrics(shared),
        ("/healthz" | "/readyz" | "/metrics", _) => not_allowed("GET, HEAD"),
        (
            "/status" | "/log" | "/sessions" | "/capture" | "/revocations" | "/relay" | "/relay/endpoints"
            | "/relay/sessions",
            method,
        ) => {
            if let Err(refusal) = gate.check(request.headers()) {
                return *refusal;
            }
            match (path.as_str(), method) {
                ("/status", &Method::GET) => json(&Status::of(shared, BUSIEST)),
                ("/log", &Method::GET) => json(&recent.latest()),
                ("/status" | "/log", _) => not_allowed("GET"),
                ("/sessions", &Method::GET) => sessions::list(shared, request.uri().query()),
                ("/sessions", &Method::DELETE) => sessions::kick(shared, request.uri().query()).await,
                ("/sessions", _) => not_allowed("GET, DELETE"),
                ("/capture", &Method::POST) => capture::start(shared, request.uri().query()).await,
                ("/capture", &Method::GET) => capture::take(shared, request.uri().query()),
                ("/capture", &Method::DELETE) => capture::stop(shared, request.uri().query()),
                ("/capture", _) => not_allowed("GET, POST, DELETE"),
                ("/relay", &Method::DELETE) => relay::kick(shared, request.uri().query()).await,
                ("/relay", _) => not_allowed("DELETE"),
                ("/relay/endpoints", &Method::GET) => json(&operate::relay::endpoints(shared)),
                ("/relay/sessions", &Method::GET) => json(&operate::relay::sessions(shared)),
                ("/relay/endpoints" | "/relay/sessions", _) => not_allowed("GET"),
                (_, &Method::GET) => json(&operate::revocations::list(shared)),
                (_, &Method::POST) => revocations::add(shared, request).await,
                _ => not_allowed("GET, POST"),
            }
        }
        _ => {
            let there = "there are /metrics, /healthz, /readyz, /status, /log, /sessions, /capture, /revocations, /relay, /relay/endpoints and /relay/sessions\n";
            text(StatusCode::NOT_FOUND, there)
        }
    }
}

impl Gate {
    fn check(&self, headers: &HeaderMap) -> Result<(), Box<Answer>> {
        let Some(token) = &self.token else {
            return match self.is_private {
                true => Ok(()),
                false => Err(Box::new(text(
                    StatusCode::FORBIDDEN,
                    "set `admin.token`, or bind the admin listener to a Unix socket\n",
                ))),
            };
        };
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (given, more) = (given.next(), given.next());
        let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if more.is_none() && given.is_some_and(|given| Secret::new(given) == *token) {
            return Ok(());
        }
        let mut refusal = text(StatusCode::UNAUTHORIZED, "a token is asked for here\n");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Err(Box::new(refusal))
    }
}

fn not_allowed(allowed: &'static str) -> Answer {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(super) fn json(body: &impl Serialize) -> Answer {
    let body = match serde_json::to_vec(body) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer to the operator cannot be written");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written\n");
        }
    };
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
