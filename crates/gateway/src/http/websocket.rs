//! A WebSocket handshake passed on, and the session that follows it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use wicketgate_admission::limits::IdentityRates;
use wicketgate_admission::{SessionRight, Slots};
use wicketgate_audit::Event;
use wicketgate_wire::Rsv;
use wicketgate_wire::deflate::{Params, Window, WindowBits, negotiate::NAME};
use wicketgate_wire::handshake::{Extension, Upgrade};

use super::body::Answer;
use super::connection::Arrival;
use super::forward;
use super::front::{Routed, edit_response, finish, prepare};
use super::patience::Patient;
use super::refusal::Refused;
use crate::gateway::{Proxy, Route, Shared};
use crate::net::Stream;
use crate::observe::access;
use crate::pump::config::{Mode, WebSocketConfig};
use crate::pump::{self, End, Ends, Order, Peer, Side, Summary};
use crate::sessions::Registered;
use crate::upstream::{Offer, Opened, Pick, WebSocket};

/// How long a client's connection may take to become a WebSocket after our answer.
const SWITCH: Duration = Duration::from_secs(10);

/// What the extensions come to on both sides of the gateway.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extensions {
    /// What the client is answered.
    answer: Vec<Extension>,
    /// The reserved bits of frames on the client's side, and on the upstream's.
    client_rsv: Rsv,
    upstream_rsv: Rsv,
    /// permessage-deflate as negotiated with each side by the gateway itself.
    client: Option<Params>,
    upstream: Option<Params>,
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
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let affinity = proxy.upstream.affinity(routed.scope.client_address, &parts);
    prepare(&routed, proxy, &mut parts)?;
    let terms = negotiate(upgrade, &config);
    let offer = Offer { subprotocols: upgrade.subprotocols.clone(), extensions: terms.offer() };
    let mut socket = match proxy.upstream.open(&routed.admitted, parts, &offer, affinity).await? {
        Opened::WebSocket(socket) => socket,
        Opened::Refused(response) => return finish(&routed, proxy, response),
    };
    let extensions = terms.settle(&socket.extensions)?;
    let mut response =
        upgrade.answer(socket.subprotocol.as_ref(), &extensions.answer)?.map(|()| Answer::text(""));
    let mut headers = std::mem::take(&mut socket.response.headers);
    forward::to_client(&mut headers)?;
    edit_response(&routed, proxy, &mut headers)?;
    headers.remove(http::header::CONTENT_LENGTH);
    response.headers_mut().extend(headers);
    let SessionRight { standing, slots, rates } = routed.admitted.into_session();
    let session = Box::new(Session {
        shared: routed.shared.clone(),
        rates,
        slots,
        config,
        policy: proxy.policy.clone(),
        socket,
        extensions,
        arrival: routed.arrival.clone(),
        route: routed.route.clone(),
        registered: routed.shared.sessions.register(&routed.route.name, standing),
    });
    let on_upgrade = on_upgrade.ok_or(Refused::NoWebSocket)?;
    routed.shared.tracker.spawn(session.run(on_upgrade));
    Ok(response)
}

/// What is offered to the upstream, and on which terms.
enum Terms {
    /// Extensions run between client and upstream; the gateway lets their bits pass.
    EndToEnd(Vec<Extension>),
    /// The gateway inflates on its own; with the client it has agreed on this.
    PerSide(Option<(Params, Extension)>),
}

/// Without context takeover each message can be inflated by itself, dropped, or passed on as it came.
const OWN_TERMS: Params = Params {
    server: Window { bits: WindowBits::MAX, takeover: false },
    client: Window { bits: WindowBits::MAX, takeover: false },
};

fn negotiate(upgrade: &Upgrade, config: &WebSocketConfig) -> Terms {
    let is_deflate = |extension: &Extension| extension.name == NAME;
    match config.mode {
        Mode::Headers => {
            let passes = |extension: &&Extension| match is_deflate(extension) {
                // RFC 7692 section 7.1: parameters that are wrong or out of range decline the offer. A backend might not
                // look as closely.
                true => config.compression && Params::default().accept(extension).is_ok(),
                false => {
                    config.extensions.iter().any(|name| extension.name.as_str().eq_ignore_ascii_case(name))
                }
            };
            Terms::EndToEnd(upgrade.extensions.iter().filter(passes).cloned().collect())
        }
        Mode::Messages if config.compression => Terms::PerSide(OWN_TERMS.choose(&upgrade.extensions)),
        Mode::Messages => Terms::PerSide(None),
    }
}

impl Terms {
    fn offer(&self) -> Vec<Extension> {
        match self {
            Self::EndToEnd(extensions) => extensions.clone(),
            // The client's windows are asked of the upstream too, so that messages can go on as they came.
            Self::PerSide(agreed) => agreed.iter().map(|(params, _)| params.offer()).collect(),
        }
    }

    /// What the upstream's choice makes of it.
    fn settle(self, chosen: &[Extension]) -> Result<Extensions, Refused> {
        match self {
            Self::EndToEnd(_) => {
                for extension in chosen.iter().filter(|extension| extension.name == NAME) {
                    Params::default().confirm(extension).map_err(Refused::Deflate)?;
                }
                let rsv = match chosen {
                    [] => Rsv::NONE,
                    [only] if only.name == NAME => Rsv::RSV1,
                    _ => Rsv::ALL,
                };
                Ok(Extensions {
                    answer: chosen.to_vec(),
                    client_rsv: rsv,
                    upstream_rsv: rsv,
                    ..Extensions::default()
                })
            }
            Self::PerSide(None) => Ok(Extensions::default()),
            Self::PerSide(Some((params, answer))) => {
                let confirm = |extension| params.confirm(extension).map_err(Refused::Deflate);
                let upstream = chosen.first().map(confirm).transpose()?;
                Ok(Extensions {
                    answer: vec![answer],
                    client_rsv: Rsv::RSV1,
                    upstream_rsv: if upstream.is_some() { Rsv::RSV1 } else { Rsv::NONE },
                    client: Some(params),
                    upstream,
                })
            }
        }
    }
}

/// A session whose upstream is open and whose client is about to be.
struct Session {
    shared: Arc<Shared>,
    rates: Option<IdentityRates>,
    slots: Slots,
    config: Arc<WebSocketConfig>,
    policy: Arc<wicketgate_policy::Policy>,
    socket: WebSocket,
    extensions: Extensions,
    arrival: Arc<Arrival>,
    route: Arc<Route>,
    registered: Registered,
}

impl Session {
    async fn run(self: Box<Self>, on_upgrade: OnUpgrade) {
        let upgraded = match timeout(SWITCH, on_upgrade).await {
            Ok(Ok(upgraded)) => upgraded,
            Ok(Err(error)) => return tracing::debug!(%error, "client gone before its session began"),
            Err(_) => return tracing::debug!("client did not take the answer to its handshake"),
        };
        if self.shared.is_ending() {
            self.registered.control.give(Order::End(End::Drained));
        }
        let (ends, record) = self.into_ends(upgraded);
        record.route.metrics.sessions.inc();
        let summary = pump::run(ends).await;
        record.finish(&summary);
    }

    /// What the pump needs, and what is left to do behind it. Everything else is let go.
    fn into_ends(self: Box<Self>, upgraded: Upgraded) -> (Ends, Record) {
        let Self { shared, rates, slots, config, policy, socket, extensions, arrival, route, registered } =
            *self;
        let (stream, early) = client_stream(upgraded);
        let ends = Ends {
            client: Peer { stream, early, rsv: extensions.client_rsv, deflate: extensions.client },
            upstream: Peer {
                stream: socket.stream,
                early: socket.already_read,
                rsv: extensions.upstream_rsv,
                deflate: extensions.upstream,
            },
            config,
            policy,
            until: route.until(&registered.standing),
            control: registered.control.clone(),
            assembly: shared.assembly.clone(),
            inflate: shared.inflate.clone(),
            rates: rates.map(IdentityRates::begin),
            traffic: route.metrics.traffic.clone(),
        };
        (ends, Record { arrival, route, registered, target: socket.target, _slots: slots })
    }
}

/// What a session keeps while it lives, and counts and logs when it ends.
struct Record {
    arrival: Arc<Arrival>,
    route: Arc<Route>,
    registered: Registered,
    target: Pick,
    /// Given back when the session has ended.
    _slots: Slots,
}

impl Record {
    fn finish(&self, summary: &Summary) {
        self.route.metrics.sessions.dec();
        self.route.metrics.session_ended(summary);
        access::Session {
            id: self.registered.id,
            listener: &self.arrival.listener.config.name,
            client: self.registered.standing.client().address,
            route: &self.route.name,
            target: self.target.address().as_str(),
            summary,
        }
        .log();
        self.registered.audit(
            Some(&self.arrival.listener.config.name),
            &Event::Closed {
                reason: summary.end.label(),
                code: summary.end.code().0,
                by: summary.end.by().map_or("gateway", Side::label),
                duration: summary.duration,
            },
        );
    }
}

/// The client's byte stream out of hyper, and what came with its handshake.
fn client_stream(upgraded: Upgraded) -> (Stream, Bytes) {
    match upgraded.downcast::<TokioIo<Patient>>() {
        // Copied, so that an idle session does not hold the buffer that its head was read into.
        Ok(parts) => (parts.io.into_inner().into_inner(), Bytes::copy_from_slice(&parts.read_buf)),
        Err(upgraded) => (Stream::Tunnel(Box::new(TokioIo::new(upgraded))), Bytes::new()),
    }
}
