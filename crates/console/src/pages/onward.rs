//! Pages that lead on by themselves, and where they lead back to.

use askama::Template;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderMap, StatusCode};

use super::page::html;
use crate::state::Shared;

/// A page that leads on by itself: a browser takes our cookie along only where our own page sends it.
#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    title: &'a str,
    to: &'a str,
}

/// Sends the browser on, from a page of ours.
pub(super) fn onward(title: &str, to: &str) -> Response {
    html(StatusCode::OK, &Onward { title, to })
}

/// Where the provider sends a browser back to.
pub(super) fn at(shared: &Shared, headers: &HeaderMap, path: &str) -> String {
    let scheme = if shared.is_secure { "https" } else { "http" };
    // The host was compared with those that are configured.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{scheme}://{host}{path}")
}
