//! Every request passes here before anything answers it: whose it is, whether that caller may, and whether a change was meant.

use axum::body::{Body, to_bytes};
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::timeout;
use wicketgate_config::Secret;
use wicketgate_gateway::console::Scope;

use super::caller::Caller;
use crate::api::error::Problem;
use crate::origin::From;
use crate::state::Shared;

/// The header that shows the CSRF token where there is no form.
const CSRF: &str = "x-csrf-token";

/// What a method on a path needs. What is not listed is refused.
pub(crate) type Needed = fn(&Method, &str) -> Option<Scope>;

/// The gate of the API: a token, or a session whose changes show its CSRF token.
pub(crate) async fn api(
    State(shared): State<Shared>,
    Extension(From(from)): Extension<From>,
    request: Request,
    next: Next,
) -> Response {
    let (mut request, needed) = match scoped(&shared, request, crate::api::needed).await {
        Ok(scoped) => scoped,
        Err(problem) => return problem.into_response(),
    };
    let Some(caller) = Caller::of(&shared, request.headers(), from) else {
        return Problem::new(
            StatusCode::UNAUTHORIZED,
            "sign in, or show a token: Authorization: Bearer TOKEN",
        )
        .into_response();
    };
    if let (Some(session), false) = (caller.session(), request.method().is_safe()) {
        let shown = request.headers().get(CSRF).and_then(|shown| shown.to_str().ok());
        if !is_own(&shared, request.headers()) || shown.is_none_or(|shown| Secret::new(shown) != session.csrf)
        {
            return Problem::new(
                StatusCode::FORBIDDEN,
                "a change by a session shows its X-CSRF-Token, from this origin",
            )
            .into_response();
        }
    }
    if caller.scope < needed {
        let what = format!(
            "this needs the scope {}, and {} has {}",
            needed.label(),
            caller.name,
            caller.scope.label()
        );
        return Problem::new(StatusCode::FORBIDDEN, what).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The gate of the pages: a session, and with a change its CSRF token.
pub(crate) async fn pages(
    State(shared): State<Shared>,
    Extension(From(from)): Extension<From>,
    request: Request,
    next: Next,
) -> Response {
    let (mut request, needed) = match scoped(&shared, request, crate::pages::needed).await {
        Ok(scoped) => scoped,
        Err(problem) => return crate::pages::refused(None, &problem),
    };
    let Some(caller) = Caller::by_cookie(&shared, request.headers(), from) else {
        return Redirect::to("/sign-in").into_response();
    };
    if let (Some(session), false) = (caller.session(), request.method().is_safe()) {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, shared.limits.body).await.unwrap_or_default();
        let shown = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf");
        let is_meant = shown.is_some_and(|(_, shown)| Secret::new(shown) == session.csrf);
        if !is_own(&shared, &parts.headers) || !is_meant {
            let problem = Problem::new(
                StatusCode::FORBIDDEN,
                "this change was not asked for by a page of the console: go back and try again",
            );
            return crate::pages::refused(Some((&shared, &caller)), &problem);
        }
        request = Request::from_parts(parts, Body::from(bytes));
    }
    if caller.scope < needed {
        let problem =
            Problem::new(StatusCode::FORBIDDEN, format!("this needs somebody who may {}", needed.label()));
        return crate::pages::refused(Some((&shared, &caller)), &problem);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The request with its body read, and what it needs.
async fn scoped(shared: &Shared, request: Request, needed: Needed) -> Result<(Request, Scope), Problem> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(needed) = path.and_then(|path| needed(method, &path)) else {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is not done here"));
    };
    Ok((whole(shared, request).await?, needed))
}

/// The request with its body, which is bounded and comes in time.
pub(crate) async fn whole(shared: &Shared, request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let most = shared.limits.body;
    match timeout(shared.limits.body_timeout, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {most} bytes"))),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// Whether a browser says that one of our own pages asks. The host was looked at before.
pub(crate) fn is_own(shared: &Shared, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if shared.is_secure { "https" } else { "http" };
    let own = text(HOST).map(|host| format!("{scheme}://{host}"));
    let is_site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    is_site && own.is_some() && text(ORIGIN).map(str::to_owned) == own
}
