//! A WebSocket of an agent or a client: what it carries is not for us to read.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use wicketgate_audit::{Event, Who};
use wicketgate_relay::broker::{Broker, Origin};
use wicketgate_relay::carrier::websocket::{SUBPROTOCOL, WebSocketPipe};
use wicketgate_wire::Role;

use super::session::upgraded;
use crate::http::body::Answer;
use crate::http::front::Routed;
use crate::http::refusal::Refused;

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
    let (shared, route, arrival) = (routed.shared.clone(), routed.route.clone(), routed.arrival.clone());
    let origin = Origin { address: routed.scope.client_address };
    let (broker, slots) = (broker.clone(), routed.admitted.into_session().slots);
    routed.shared.tracker.spawn(async move {
        let Some((stream, early)) = upgraded(on_upgrade).await else { return };
        route.metrics.sessions.inc();
        let carrier = Box::new(WebSocketPipe::new(stream, Role::Server, &early));
        // At a drain both ends dial again, and find another gateway or the successor.
        let served = tokio::select! {
            served = broker.serve(carrier, origin, slots) => served.err(),
            () = shared.ending.cancelled() => None,
        };
        route.metrics.sessions.dec();
        if let Some(error) = served {
            tracing::info!(reason = error.label(), client = ?origin.address, "carrier not served: {error}");
            shared.metrics.refused(error.label());
            let event = Event::Refused { reason: error.label(), status: None };
            let listener = Some(&*arrival.listener.config.name);
            let who = Who { listener, client: origin.address, route: Some(&route.name), ..Who::default() };
            shared.audit.log(&event, &who);
        }
    });
    Ok(response)
}
