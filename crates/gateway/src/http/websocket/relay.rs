//! A WebSocket of an agent or a client: what it carries is not for us to read.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use wicketgate_admission::SessionRight;
use wicketgate_relay::broker::Broker;
use wicketgate_relay::carrier::Kind;
use wicketgate_relay::carrier::websocket::{Frames, SUBPROTOCOL, WebSocketPipe};
use wicketgate_relay::probe::Arrived;
use wicketgate_wire::Role;

use super::session::upgraded;
use crate::http::body::Answer;
use crate::http::carrier::Held;
use crate::http::front::Routed;
use crate::http::refusal::Refused;
use crate::sessions::Way;

/// Answers an endpoint's handshake, and hands its byte stream to the broker.
pub(in crate::http) fn relay(
    routed: Routed<'_>,
    broker: &Arc<Broker>,
    mut parts: Parts,
) -> Result<Response<Answer>, Refused> {
    if !broker.takes(Kind::WebSocket) {
        return Err(Refused::NoWebSocket);
    }
    let upgrade = routed.admitted.upgrade().ok_or(Refused::NoWebSocket)?;
    let offered = upgrade.subprotocols.iter().find(|offered| offered.as_str() == SUBPROTOCOL);
    let chosen = offered.ok_or(Refused::NoRelay)?;
    let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refused::NoWebSocket)?;
    let response = upgrade.answer(Some(chosen), &[])?.map(|()| Answer::text(""));
    let frames = Arc::<Frames>::default();
    let arrived = Arc::new(Arrived::new(frames.clone(), parts.version, &parts.headers));
    // Some firewalls take the masks off; nobody else may.
    let unmasked = routed.arrival.is_trusted_proxy();
    let SessionRight { standing, slots, .. } = routed.admitted.into_session();
    let way = Way { trace: routed.trace.id(), ..routed.arrival.way() };
    let held = Held {
        registered: routed.shared.sessions.register(&routed.route.name, way, None, standing),
        shared: routed.shared.clone(),
        route: routed.route.clone(),
        broker: broker.clone(),
        slots,
        arrival: routed.arrival.clone(),
    };
    routed.shared.tracker.spawn(async move {
        let Some((stream, early)) = upgraded(on_upgrade).await else { return };
        let carrier =
            WebSocketPipe::new(stream, Role::Server, &early).with_frames(frames).with_unmasked(unmasked);
        held.carry(Box::new(carrier), Kind::WebSocket, Some(arrived)).await;
    });
    Ok(response)
}
