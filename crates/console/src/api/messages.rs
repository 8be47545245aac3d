//! Messages as they come, for whoever may look on: server-sent events.

use std::convert::Infallible;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::StatusCode;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::error::Problem;
use super::live::is_good;
use crate::access::caller::Caller;
use crate::state::Shared;
use crate::watching::{EVERY, Onlooker, Refused, Wanted};

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        use wicketgate_gateway::operate::messages::Unseen;
        let status = match &refused {
            Refused::Asked(_) | Refused::Unseen(Unseen::Nobody) => StatusCode::BAD_REQUEST,
            Refused::Unseen(Unseen::NoRoute(_) | Unseen::NoSession(_)) => StatusCode::NOT_FOUND,
            Refused::Unseen(Unseen::Apart) => StatusCode::CONFLICT,
            Refused::Never => StatusCode::FORBIDDEN,
            Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.to_string())
    }
}

/// What goes on while somebody looks on.
struct Tail {
    shared: Shared,
    caller: Caller,
    onlooker: Option<Onlooker>,
    ticks: Interval,
    until: Instant,
}

/// Shows messages as they come, as long as the caller may see them.
pub(super) async fn messages(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(error) => return Problem::asked(error.body_text()).into_response(),
    };
    let Ok(place) = shared.streams.clone().try_acquire_owned() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "enough pages are told already")
            .into_response();
    };
    let onlooker = match Onlooker::begin(&shared, &wanted, &caller).await {
        Ok(onlooker) => Some(onlooker),
        Err(refused) => return Problem::from(refused).into_response(),
    };
    let until = Instant::now() + shared.config.load().messages.longest;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let tail = Tail { shared, caller, onlooker, ticks, until };
    let stream = unfold((tail, place), async |(mut tail, place)| {
        let event = tail.next().await?;
        Some((Ok::<_, Infallible>(event), (tail, place)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

impl Tail {
    /// The next event; the last one says why there is none behind it.
    async fn next(&mut self) -> Option<Event> {
        let onlooker = self.onlooker.as_mut()?;
        let why = loop {
            self.ticks.tick().await;
            if !is_good(&self.shared, &self.caller) {
                break "you are signed out";
            }
            if Instant::now() >= self.until {
                break "the time for looking on is over";
            }
            match onlooker.look() {
                None => break "the route is not there any more, or its messages are not put together",
                Some(seen) if seen.is_empty() => {}
                Some(seen) => {
                    let data = serde_json::to_string(&seen).ok()?;
                    return Some(Event::default().event("messages").data(data));
                }
            }
        };
        self.onlooker = None;
        Some(Event::default().event("end").data(why))
    }
}
