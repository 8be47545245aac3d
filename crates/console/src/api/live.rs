//! Figures as they come, for pages that show them: server-sent events.

use std::convert::Infallible;

use axum::extract::{Extension, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::StatusCode;

use super::error::Problem;
use crate::access::caller::Caller;
use crate::state::Shared;

/// Tells of each new sample, as long as the caller may know.
pub(super) async fn live(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let Ok(place) = shared.streams.clone().try_acquire_owned() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "enough pages are told already")
            .into_response();
    };
    let mut news = shared.samples.news();
    news.mark_changed();
    let stream = unfold((shared, caller, news, place), async |(shared, caller, mut news, place)| {
        news.changed().await.ok()?;
        if !is_good(&shared, &caller) {
            return None;
        }
        let sample = news.borrow_and_update().clone();
        let event = Event::default().event("sample").data(serde_json::to_string(&*sample).ok()?);
        Some((Ok::<_, Infallible>(event), (shared, caller, news, place)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// Whether the caller still may what was allowed.
pub(super) fn is_good(shared: &Shared, caller: &Caller) -> bool {
    let config = shared.config.load();
    match caller.session() {
        Some(session) => shared.sessions.is_open(session, &config),
        None => config.tokens.iter().any(|token| token.name == caller.name && token.scope == caller.scope),
    }
}
