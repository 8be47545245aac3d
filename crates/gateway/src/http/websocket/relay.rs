//! A WebSocket of an agent or a client: what it carries is not for us to read.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use wicketgate_admission::SessionRight;
use wicketgate_audit::Event;
use wicketgate_relay::broker::{Broker, Origin, ServeError};
use wicketgate_relay::carrier::websocket::{Frames, SUBPROTOCOL, WebSocketPipe};
use wicketgate_relay::probe::Arrived;
use wicketgate_wire::{CloseCode, Role};

use super::session::upgraded;
use crate::gateway::{Route, Shared};
use crate::http::body::Answer;
use crate::http::front::Routed;
use crate::http::refusal::Refused;
use crate::pump::{End, Order};
use crate::sessions::{Registered, Way};

/// Answers an endpoint's handshake, and hands its byte stream to the broker.
pub(in crate::http) fn relay(
    routed: Routed<'_>,
    broker: &Arc<Broker>,
    mut parts: Parts,
) -> Result<Response<Answer>, Refused> {
    let upgrade = routed.admitted.upgrade().ok_or(Refused::NoWebSocket)?;
    let offered = upgrade.subprotocols.iter().find(|offered| offered.as_str() == SUBPROTOCOL);
    let chosen = offered.ok_or(Refused::NoRelay)?;
    let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refused::NoWebSocket)?;
    let response = upgrade.answer(Some(chosen), &[])?.map(|()| Answer::text(""));
    let way =
        Way { listener: routed.arrival.listener.config.name.clone(), chain: routed.arrival.chain.clone() };
    let frames = Arc::<Frames>::default();
    let arrived = Arrived::new(frames.clone(), parts.version, &parts.headers);
    let origin = Origin { address: routed.scope.client_address, websocket: Some(Arc::new(arrived)) };
    // Some firewalls take the masks off; nobody else may.
    let unmasked = routed.arrival.is_trusted_proxy();
    let (shared, route, broker) = (routed.shared.clone(), routed.route.clone(), broker.clone());
    let SessionRight { standing, slots, .. } = routed.admitted.into_session();
    let registered = shared.sessions.register(&route.name, way, standing);
    routed.shared.tracker.spawn(async move {
        let Some((stream, early)) = upgraded(on_upgrade).await else { return };
        let start = Instant::now();
        route.metrics.sessions.inc();
        registered.control.give(Order::Until(route.until(&registered.standing)));
        shared.catch_up(&registered);
        let carrier =
            WebSocketPipe::new(stream, Role::Server, &early).with_frames(frames).with_unmasked(unmasked);
        // Where it ends here, at a drain too, the endpoint dials again, and finds another gateway or the successor.
        let outcome = tokio::select! {
            served = broker.serve(Box::new(carrier), origin, slots) => Outcome::Served(served),
            end = registered.control.ended() => Outcome::Ended(end),
            () = shared.ending.cancelled() => Outcome::Ended(End::Drained),
        };
        route.metrics.sessions.dec();
        outcome.record(&shared, &route, &registered, start).await;
    });
    Ok(response)
}

/// How a carrier ended.
enum Outcome {
    Served(Result<(), ServeError>),
    Ended(End),
}

impl Outcome {
    async fn record(self, shared: &Shared, route: &Route, registered: &Registered, start: Instant) {
        let identity = registered.standing.identity();
        let who = registered.who(identity.as_deref());
        let (reason, code, by) = match &self {
            Self::Served(Ok(())) => ("closed", CloseCode::NORMAL, "client"),
            Self::Served(Err(error)) => {
                tracing::info!(route = &*route.name, client = ?who.client, "carrier not served: {error}");
                shared.metrics.refused(error.label());
                shared.audit.log(&Event::Refused { reason: error.label(), status: None }, &who);
                (error.label(), CloseCode::ABNORMAL, "gateway")
            }
            Self::Ended(end) => (end.label(), CloseCode::ABNORMAL, "gateway"),
        };
        let event = Event::Closed { reason, code: code.0, by, duration: start.elapsed() };
        shared.audit.wait(&event, &who).await;
    }
}
