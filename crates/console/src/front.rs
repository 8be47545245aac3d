//! All paths, and what holds for every answer.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::timeout;

use crate::access::gate;
use crate::api::{self, error::Problem};
use crate::pages;
use crate::state::Shared;

/// What browsers may do with an answer: use what comes from here, and nothing else.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .merge(api::router().route_layer(from_fn_with_state(shared.clone(), gate::api)))
        .merge(pages::router().route_layer(from_fn_with_state(shared.clone(), gate::pages)))
        .merge(pages::open())
        .merge(api::open())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is not done here")
        })
        .layer(DefaultBodyLimit::max(shared.limits.body))
        .layer(from_fn_with_state(shared.clone(), all))
        .with_state(shared)
}

/// Before and behind every answer.
async fn all(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
    let is_ours = host.is_some_and(|host| shared.config.load().serves(host, shared.own));
    let mut response = match is_ours {
        true => timeout(shared.limits.answer_timeout, next.run(request)).await.unwrap_or_else(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this took too long").into_response()
        }),
        false => {
            let what = "the console is not reached by this name: list it under `console.hosts`";
            Problem::new(StatusCode::MISDIRECTED_REQUEST, what).into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, CSP),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, browsers tell forms' origin as `null`.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if shared.is_secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
