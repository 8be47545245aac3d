//! One end of a session.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wicketgate_audit::Event;
use wicketgate_audit::private::{About, Private};

use super::live::{Entered, What};
use super::meeting::{Arrival, End, Held};
use super::preamble::Preamble;
use super::splice::{Spliced, splice};
use super::{Broker, Origin, ServeError, within};
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::message::Refusal;
use crate::name::Role;
use crate::session::{Reason, close_record};
use crate::ticket::Ticket;

/// How long an end may take to be told that the other is gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// Brings an end of a session together with the other, and carries what they say; to the end of either.
pub(super) async fn serve<H: Send + 'static>(
    broker: &Broker,
    config: &Arc<RelayConfig>,
    mut carrier: BufReader<BoxedCarrier>,
    origin: Origin,
    held: H,
) -> Result<(), ServeError> {
    let preamble = within(config.handshake_timeout, Preamble::read(&mut carrier)).await???;
    let (ticket, mut entered) = match judge(broker, &preamble, &origin) {
        Ok(judged) => judged,
        Err(error) => {
            refuse(&mut carrier, &error).await;
            return Err(error);
        }
    };
    // Whichever task comes to carry it, this one lasts as long as the carrier, and the carrier as long as this one.
    let (carried, gone) = oneshot::channel::<()>();
    let leaves = CancellationToken::new();
    let _leaving = leaves.clone().drop_guard();
    let (early, carrier) = (BytesMut::from(carrier.buffer()), carrier.into_inner());
    let end = End { carrier, early, origin, leaves, _held: Box::new((held, carried)) };
    let arrival =
        broker.meeting.arrive(&ticket, end, config.max_carriers / 2).map_err(ServeError::Refused)?;
    let carry = async {
        match arrival {
            Arrival::Second => {
                let _ = gone.await;
                Ok(())
            }
            Arrival::First(place, first) => {
                First { broker, config, ticket: &ticket, place, first }.carry().await
            }
        }
    };
    tokio::select! {
        carried = carry => carried,
        // It comes again, and is then told.
        reason = entered.stopped() => Err(ServeError::Refused(reason)),
    }
}

/// Whoever came first, and looks after both.
struct First<'a> {
    broker: &'a Broker,
    config: &'a RelayConfig,
    ticket: &'a Ticket,
    place: Held,
    first: End,
}

impl First<'_> {
    async fn carry(self) -> Result<(), ServeError> {
        let Self { broker, config, ticket, mut place, mut first } = self;
        if ticket.holder == Role::Client
            && let Some(wanted) = broker.wanted(ticket)
        {
            // An agent that is not there yet hears of it when it comes.
            let _ = broker.agents.tell(&ticket.agent.name, wanted);
        }
        let replaced = place.replaced.clone();
        let met =
            async { within(config.join_timeout, &mut place.other).await?.map_err(|_| ServeError::Late) };
        let mut second = tokio::select! {
            second = met => second?,
            () = replaced.cancelled() => return Ok(()),
        };
        let mut join = Join::new(broker, ticket, &first.origin, &second.origin).await;
        let leaves = second.leaves.clone();
        let (up, down) = ((&mut first.carrier, first.early), (&mut second.carrier, second.early));
        let reason = tokio::select! {
            over = splice(up, down, |more| {
                broker.counts.carried(ticket.holder, more);
                join.moved += more;
            }) => over.of(ticket.holder),
            () = leaves.cancelled() => "told_to_leave",
            () = replaced.cancelled() => "replaced",
        };
        join.reason = reason;
        // Whoever is still there learns at once that it has to come again.
        let farewell = async { tokio::join!(first.carrier.shutdown(), second.carrier.shutdown()) };
        let _ = within(FAREWELL, farewell).await;
        Ok(())
    }
}

/// Both ends of a session are there. However that ends, it is recorded.
struct Join<'a> {
    broker: &'a Broker,
    ticket: &'a Ticket,
    /// Whence the client's carrier came.
    client: Origin,
    session: String,
    services: String,
    start: Instant,
    moved: Spliced,
    /// Why it has ended.
    reason: &'static str,
}

impl<'a> Join<'a> {
    async fn new(broker: &'a Broker, ticket: &'a Ticket, first: &Origin, second: &Origin) -> Self {
        let (client, agent) = match ticket.holder {
            Role::Agent => (second, first),
            _ => (first, second),
        };
        let join = Self {
            broker,
            ticket,
            client: client.clone(),
            session: ticket.session.to_string(),
            services: ticket.services.join(","),
            start: Instant::now(),
            moved: Spliced::default(),
            reason: "ended_by_gateway",
        };
        let joined = Private::Joined {
            about: join.about(),
            agent_address: agent.address,
            carrier: client.kind.label(),
            agent_carrier: agent.kind.label(),
        };
        let name = ticket.client.to_string();
        broker
            .audit
            .wait(&Event::Private(joined), &join.client.who(Some((&name, &ticket.client_serial))))
            .await;
        broker.counts.joined.fetch_add(1, Relaxed);
        join
    }

    fn about(&self) -> About<'_> {
        About { session: Some(&self.session), agent: &self.ticket.agent.name, services: &self.services }
    }
}

impl Drop for Join<'_> {
    fn drop(&mut self) {
        let Self { broker, ticket, session, moved, reason, .. } = &*self;
        let (sent, received) = match ticket.holder {
            Role::Agent => (moved.down, moved.up),
            _ => (moved.up, moved.down),
        };
        tracing::info!(session, reason, sent, received, "parted");
        let duration = self.start.elapsed();
        let parted = Private::Parted { about: self.about(), reason, duration, sent, received };
        let name = ticket.client.to_string();
        let who = self.client.who(Some((&name, &ticket.client_serial)));
        broker.audit.log(&Event::Private(parted), &who);
    }
}

/// Whether a ticket still serves; then the place of its carrier.
fn judge(broker: &Broker, preamble: &Preamble, origin: &Origin) -> Result<(Ticket, Entered), ServeError> {
    let ticket = broker.seal.load().read(&preamble.0)?;
    if ticket.is_expired(Duration::ZERO) {
        return Err(crate::ticket::TicketError::Expired.into());
    }
    if ticket.holder == Role::Gateway {
        return Err(ServeError::Refused(Refusal::Ticket));
    }
    // First its place, so that whatever is revoked from now on ends it.
    let entered = broker.live.enter(What::End(ticket.clone()), origin.clone());
    match broker.authorise(&ticket) {
        Ok(()) => Ok((ticket, entered)),
        Err(reason) => {
            record_refusal(broker, &ticket, origin, reason);
            Err(ServeError::Refused(reason))
        }
    }
}

fn record_refusal(broker: &Broker, ticket: &Ticket, origin: &Origin, reason: Refusal) {
    let (session, services) = (ticket.session.to_string(), ticket.services.join(","));
    let about = About { session: Some(&session), agent: &ticket.agent.name, services: &services };
    let (name, serial) = match ticket.holder {
        Role::Agent => (ticket.agent.to_string(), &ticket.agent_serial),
        _ => (ticket.client.to_string(), &ticket.client_serial),
    };
    let refused = Private::Refused { about, reason: ServeError::Refused(reason).label() };
    broker.audit.log(&Event::Private(refused), &origin.who(Some((&name, serial))));
}

/// Tells an end in the session's own words that it is not carried any more. One whose ticket does not serve gets another on its
/// control connection.
async fn refuse(carrier: &mut BufReader<BoxedCarrier>, error: &ServeError) {
    let reason = match error {
        ServeError::Refused(Refusal::Revoked) => Some(Reason::Revoked),
        ServeError::Refused(Refusal::Access) => Some(Reason::Forbidden),
        ServeError::Refused(Refusal::Operator) => Some(Reason::Operator),
        _ => None,
    };
    if let Some(reason) = reason {
        let _ = carrier.write_all(&close_record(reason, &error.to_string())).await;
    }
    let _ = within(FAREWELL, carrier.shutdown()).await;
}
