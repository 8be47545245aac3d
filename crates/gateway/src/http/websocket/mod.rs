//! A WebSocket handshake passed on, and the session that follows it.

mod first_message;
mod relay;
mod renewal;
mod report;
mod session;
mod terms;

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use wicketgate_telemetry::Kind;
use wicketgate_wire::handshake::Token;

pub(super) use self::first_message::{Opening, open as open_unproven};
pub(super) use self::relay::relay;
use self::session::Session;
use self::terms::{Extensions, Terms, negotiate};
use super::body::Answer;
use super::forward;
use super::front::{Routed, edit_response, finish, prepare};
use super::refusal::Refused;
use crate::gateway::Proxy;
use crate::observe::spans;
use crate::pump::config::WebSocketConfig;
use crate::upstream::{Body, Offer, Opened, WebSocket};

/// A WebSocket that is open upstream.
struct Dialled {
    socket: WebSocket,
    extensions: Extensions,
    config: Arc<WebSocketConfig>,
}

/// Opens a WebSocket upstream, and only then answers the client.
pub(super) async fn open(
    routed: Routed<'_>,
    proxy: &Proxy,
    mut parts: Parts,
    body: Incoming,
) -> Result<Response<Answer>, Refused> {
    drop(body);
    let config = proxy.websocket.clone().ok_or(Refused::NoWebSocket)?;
    let upgrade = routed.admitted.upgrade().ok_or(Refused::NoWebSocket)?;
    let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refused::NoWebSocket)?;
    let (terms, subprotocols) = (negotiate(upgrade, &config), upgrade.subprotocols.clone());
    let mut dialled = match dial(&routed, proxy, config, parts, terms, subprotocols).await? {
        Ok(dialled) => dialled,
        Err(response) => return finish(&routed, proxy, response),
    };
    let chosen = dialled.socket.subprotocol.as_ref();
    let mut response = upgrade.answer(chosen, &dialled.extensions.answer)?.map(|()| Answer::text(""));
    let mut headers = std::mem::take(&mut dialled.socket.response.headers);
    forward::to_client(&mut headers)?;
    edit_response(&routed, proxy, &mut headers)?;
    headers.remove(http::header::CONTENT_LENGTH);
    response.headers_mut().extend(headers);
    let tracker = routed.shared.tracker.clone();
    tracker.spawn(Box::new(Session::new(routed, proxy, dialled)).run(on_upgrade));
    Ok(response)
}

/// Opens a WebSocket upstream on these terms; the upstream's response where it refuses.
async fn dial(
    routed: &Routed<'_>,
    proxy: &Proxy,
    config: Arc<WebSocketConfig>,
    mut parts: Parts,
    terms: Terms,
    subprotocols: Vec<Token>,
) -> Result<Result<Dialled, Response<Body>>, Refused> {
    let affinity = proxy.upstream.affinity(routed.scope.client_address, &parts);
    let mut span = routed.trace.child("upstream", Kind::Client);
    prepare(routed, proxy, &mut parts, &mut span)?;
    let offer = Offer { subprotocols, extensions: terms.offer() };
    let began = Instant::now();
    let opened = proxy.upstream.open(&routed.admitted, parts, &offer, affinity).await;
    let (target, status) = match &opened {
        Ok(Opened::WebSocket(socket)) => (Some(socket.target.address()), Some(socket.response.status)),
        Ok(Opened::Refused(response)) => (Some(response.body().address()), Some(response.status())),
        Err(_) => (None, None),
    };
    spans::target(&mut span, proxy.upstream.name(), target);
    if let Some(status) = status {
        spans::answered(&mut span, "GET", status.as_u16());
    }
    if let Err(error) = &opened {
        span.fail(error.label());
    }
    drop(span);
    match opened? {
        Opened::WebSocket(socket) => {
            routed.route.latencies.handshake.note(began.elapsed());
            let extensions = terms.settle(&socket.extensions)?;
            Ok(Ok(Dialled { socket, extensions, config }))
        }
        Opened::Refused(response) => Ok(Err(response)),
    }
}
