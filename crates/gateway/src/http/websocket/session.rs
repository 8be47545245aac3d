//! A session from its open upstream to its last record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_admission::limits::IdentityRates;
use wicketgate_admission::{SessionRight, Slots};
use wicketgate_audit::{Audit, Event};
use wicketgate_policy::Policy;
use wicketgate_telemetry::{Kind, Span, Trace};

use super::report::report;
use super::{Dialled, renewal};
use crate::capture::Tap;
use crate::gateway::{Proxy, Route, Shared};
use crate::http::connection::Arrival;
use crate::http::front::Routed;
use crate::http::patience::Patient;
use crate::net::Stream;
use crate::observe::{access, spans};
use crate::pump::{self, End, Ends, Inspector, Order, Peer, Side, Summary};
use crate::sessions::{Registered, Way};
use crate::upstream::Pick;

/// How long a client's connection may take to become a WebSocket after our answer.
const SWITCH: Duration = Duration::from_secs(10);

/// A session whose upstream is open and whose client is about to be.
pub(super) struct Session {
    shared: Arc<Shared>,
    rates: Option<IdentityRates>,
    slots: Slots,
    policy: Policy,
    dialled: Dialled,
    arrival: Arc<Arrival>,
    route: Arc<Route>,
    registered: Registered,
    trace: Trace,
    /// The session's own.
    span: Span,
}

impl Session {
    pub(super) fn new(routed: Routed<'_>, proxy: &Proxy, dialled: Dialled) -> Self {
        let SessionRight { standing, slots, rates } = routed.admitted.into_session();
        let subprotocol = dialled.socket.subprotocol.as_ref().map(|token| token.as_str().into());
        let sessions = &routed.shared.sessions;
        let (trace, name) = (routed.trace, &routed.route.name);
        let way = Way { trace: trace.id(), ..routed.arrival.way() };
        Self {
            shared: routed.shared.clone(),
            rates,
            slots,
            policy: proxy.policy.clone(),
            dialled,
            arrival: routed.arrival.clone(),
            route: routed.route.clone(),
            registered: sessions.register(name, way, subprotocol, standing),
            span: trace.child(format_args!("session {name}"), Kind::Internal),
            trace,
        }
    }

    pub(super) async fn run(self: Box<Self>, on_upgrade: OnUpgrade) {
        if let Some((stream, early)) = upgraded(on_upgrade).await {
            self.carry(stream, early).await;
        }
    }

    /// Carries the session between its client, who is at the other end of `stream`, and its upstream.
    pub(super) async fn carry(self: Box<Self>, stream: Stream, early: Bytes) {
        if self.shared.is_ending() {
            self.registered.control.give(Order::End(End::Drained));
        }
        self.shared.catch_up(&self.registered);
        let (ends, record) = self.into_ends(stream, early);
        record.route.metrics.sessions.inc();
        let summary = pump::run(ends).await;
        record.finish(&summary).await;
    }

    /// What the pump needs, and what is left to do behind it. Everything else is let go.
    fn into_ends(self: Box<Self>, stream: Stream, early: Bytes) -> (Ends, Record) {
        let Self { shared, rates, slots, policy, dialled, arrival, route, registered, trace, span } = *self;
        let Dialled { socket, extensions, config } = dialled;
        let live = registered.live().clone();
        let tap = Tap::new(shared.captures.clone(), live.id, live.route.clone(), live.subprotocol.clone());
        let recheck = renewal::recheck(&shared, &live);
        let renew = renewal::renew(&shared, &live, &route);
        let ends = Ends {
            client: Peer { stream, early, rsv: extensions.client_rsv, deflate: extensions.client },
            upstream: Peer {
                stream: socket.stream,
                early: socket.already_read,
                rsv: extensions.upstream_rsv,
                deflate: extensions.upstream,
            },
            config,
            inspector: Inspector::new(
                policy,
                live.facts(),
                report(&shared, &live, &route),
                shared.pictures.clone(),
                Some(tap),
                route.latencies.clone(),
            ),
            until: route.until(&registered.standing),
            control: registered.control.clone(),
            assembly: shared.assembly.clone(),
            inflate: shared.inflate.clone(),
            rates: rates.map(IdentityRates::begin),
            renew,
            traffic: route.metrics.traffic.clone(),
            moved: live.moved.clone(),
        };
        let record = Record {
            audit: shared.audit.clone(),
            arrival,
            route,
            registered,
            target: socket.target,
            trace,
            span,
            _slots: slots,
            _recheck: recheck,
        };
        (ends, record)
    }
}

/// What a session keeps while it lives, and counts and logs when it ends.
struct Record {
    audit: Audit,
    arrival: Arc<Arrival>,
    route: Arc<Route>,
    registered: Registered,
    target: Pick,
    trace: Trace,
    span: Span,
    /// Given back when the session has ended.
    _slots: Slots,
    /// Asks about the client's credential, where somebody has to be asked.
    _recheck: Option<AbortOnDropHandle<()>>,
}

impl Record {
    async fn finish(mut self, summary: &Summary) {
        self.route.metrics.sessions.dec();
        self.route.metrics.session_ended(summary, self.trace.kept());
        let line = access::Session {
            id: self.registered.id,
            listener: &self.arrival.listener.config.name,
            client: self.registered.standing.client().address,
            route: &self.route.name,
            target: self.target.address().as_str(),
            summary,
            trace: self.trace.id(),
        };
        line.log();
        spans::session(&mut self.span, &line, self.registered.subprotocol.as_deref());
        drop(std::mem::take(&mut self.span));
        let event = Event::Closed {
            reason: summary.end.label(),
            code: summary.end.code().0,
            by: summary.end.by().map_or("gateway", Side::label),
            duration: summary.duration,
        };
        let identity = self.registered.standing.identity();
        self.audit.wait(&event, &self.registered.who(identity.as_deref())).await;
    }
}

/// The client's byte stream out of hyper, and what came with its handshake; `None` where the client has gone.
pub(super) async fn upgraded(on_upgrade: OnUpgrade) -> Option<(Stream, Bytes)> {
    let upgraded = match timeout(SWITCH, on_upgrade).await {
        Ok(Ok(upgraded)) => upgraded,
        Ok(Err(error)) => {
            tracing::debug!(%error, "client gone before its session began");
            return None;
        }
        Err(_) => {
            tracing::debug!("client did not take the answer to its handshake");
            return None;
        }
    };
    Some(match upgraded.downcast::<TokioIo<Patient>>() {
        // Copied, so that an idle session does not hold the buffer that its head was read into.
        Ok(parts) => (parts.io.into_inner().into_inner(), Bytes::copy_from_slice(&parts.read_buf)),
        Err(upgraded) => (Stream::Tunnel(Box::new(TokioIo::new(upgraded))), Bytes::new()),
    })
}
