//! Carriers of agents and clients, whichever way they came: what they carry is not for us to read.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use wicketgate_admission::identity::Denied;
use wicketgate_admission::{Asked, Refusal, SessionRight, Slots};
use wicketgate_audit::{Event, Who};
use wicketgate_relay::broker::{Broker, Origin, ServeError};
use wicketgate_relay::carrier::{BoxedCarrier, Kind};
use wicketgate_relay::probe::Arrived;
use wicketgate_wire::CloseCode;

use super::connection::Arrival;
use super::refusal::Refused;
use crate::gateway::{Route, Shared};
use crate::net::Stream;
use crate::pump::{End, Order};
use crate::sessions::Registered;

/// What a carrier keeps as long as it is open.
pub(super) struct Held {
    pub(super) shared: Arc<Shared>,
    pub(super) route: Arc<Route>,
    pub(super) broker: Arc<Broker>,
    pub(super) registered: Registered,
    pub(super) slots: Slots,
    pub(super) arrival: Arc<Arrival>,
}

/// Serves a connection that is a carrier by itself: on the route that such carriers belong to, admitted like those that dial it.
pub(super) async fn serve(stream: Stream, arrival: Arc<Arrival>, shared: Arc<Shared>) {
    match admit(&arrival, &shared) {
        Ok(held) => held.carry(Box::new(stream), Kind::Tls, None).await,
        Err(refused) => {
            tracing::debug!(reason = refused.label(), client = ?arrival.peer, "carrier refused: {refused}");
            shared.metrics.refused(refused.label());
            let listener = Some(&*arrival.listener.config.name);
            let who = Who { listener, client: arrival.peer, ..Who::default() };
            shared.audit.log(&Event::Refused { reason: refused.label(), status: None }, &who);
        }
    }
}

fn admit(arrival: &Arc<Arrival>, shared: &Arc<Shared>) -> Result<Held, Refused> {
    if shared.is_ending() {
        return Err(Refused::Draining);
    }
    let snapshot = shared.snapshot();
    let (route, broker) = snapshot.relay_route().ok_or(Refused::NoRoute)?;
    if !snapshot.still_accepts(&arrival.listener.config.name, arrival.chain.as_deref()) {
        return Err(Refusal::from(Denied::Revoked).into());
    }
    let client = arrival.client(&HeaderMap::new())?;
    let asked = Asked { route: &route.name, ..Asked::default() };
    let SessionRight { standing, slots, .. } = route.guard.admit_stream(&client, asked)?;
    Ok(Held {
        shared: shared.clone(),
        route: route.clone(),
        broker: broker.clone(),
        registered: shared.sessions.register(&route.name, arrival.way(), None, standing),
        slots,
        arrival: arrival.clone(),
    })
}

impl Held {
    /// Hands a carrier's byte stream to the broker, and sees it to its end.
    pub(super) async fn carry(self, carrier: BoxedCarrier, kind: Kind, websocket: Option<Arc<Arrived>>) {
        let Self { shared, route, broker, registered, slots, arrival } = self;
        let start = Instant::now();
        route.metrics.sessions.inc();
        registered.control.give(Order::Until(route.until(&registered.standing)));
        shared.catch_up(&registered);
        let origin = Origin {
            listener: registered.way.listener.clone(),
            route: route.name.clone(),
            number: registered.id,
            address: registered.standing.client().address,
            kind,
        };
        // At a drain the endpoint was told to go elsewhere. Where it ends here, it dials again, and finds another gateway or the
        // successor.
        // What else it is told meanwhile counts at once; and after a reload that has no such route any more it ends now.
        let told = registered.control.ended_but(|end| matches!(end, End::Drained) && shared.is_draining());
        let outcome = tokio::select! {
            served = broker.serve(carrier, origin, websocket, (slots, arrival)) => Outcome::Served(served),
            end = told => Outcome::Ended(end),
            () = shared.letting_go.cancelled() => Outcome::Ended(End::Drained),
        };
        route.metrics.sessions.dec();
        outcome.record(&shared, &route, &registered, start).await;
    }
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
