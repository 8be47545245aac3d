//! One end of a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::meeting::{Arrival, End};
use super::preamble::Preamble;
use super::splice::{Spliced, splice};
use super::{Broker, ServeError, within};
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
    held: H,
) -> Result<(), ServeError> {
    let preamble = within(config.handshake_timeout, Preamble::read(&mut carrier)).await???;
    let ticket = match judge(broker, &preamble) {
        Ok(ticket) => ticket,
        Err(error) => {
            refuse(&mut carrier, &error).await;
            return Err(error);
        }
    };
    // Whichever task comes to carry it, this one lasts as long as the carrier, and the carrier as long as this one.
    let (carried, gone) = oneshot::channel::<()>();
    let leaves = CancellationToken::new();
    let _leaving = leaves.clone().drop_guard();
    let end = End { carrier: Box::new(carrier), leaves, _held: Box::new((held, carried)) };
    let arrival = broker.meeting.arrive(&ticket, end, config.max_carriers / 2);
    let session = ticket.session;
    let (mut place, mut first) = match arrival.map_err(ServeError::Refused)? {
        Arrival::Second => {
            let _ = gone.await;
            return Ok(());
        }
        Arrival::First(place, end) => (place, end),
    };
    if ticket.holder == Role::Client
        && let Some(wanted) = broker.wanted(&ticket)
    {
        // An agent that is not there yet hears of it when it comes.
        let _ = broker.agents.tell(&ticket.agent.name, wanted);
    }
    let replaced = place.replaced.clone();
    let meet = async {
        let mut second =
            within(config.join_timeout, &mut place.other).await?.map_err(|_| ServeError::Late)?;
        let leaves = second.leaves.clone();
        let spliced = tokio::select! {
            spliced = splice(&mut first.carrier, &mut second.carrier) => spliced,
            () = leaves.cancelled() => Spliced::default(),
        };
        // Whoever is still there learns at once that it has to come again.
        let farewell = async { tokio::join!(first.carrier.shutdown(), second.carrier.shutdown()) };
        let _ = within(FAREWELL, farewell).await;
        tracing::info!(%session, from = ticket.holder.label(), up = spliced.up, down = spliced.down, "carried");
        Ok(())
    };
    tokio::select! {
        carried = meet => carried,
        () = replaced.cancelled() => Ok(()),
    }
}

/// Whether a ticket still serves.
fn judge(broker: &Broker, preamble: &Preamble) -> Result<Ticket, ServeError> {
    let ticket = broker.seal.load().read(&preamble.0)?;
    if ticket.is_expired(Duration::ZERO) {
        return Err(crate::ticket::TicketError::Expired.into());
    }
    broker.authorise(&ticket).map_err(ServeError::Refused)?;
    match ticket.holder {
        Role::Agent | Role::Client => Ok(ticket),
        Role::Gateway => Err(ServeError::Refused(Refusal::Ticket)),
    }
}

/// Tells an end in the session's own words that it is not carried any more. One whose ticket does not serve gets another on its
/// control connection.
async fn refuse(carrier: &mut BufReader<BoxedCarrier>, error: &ServeError) {
    let reason = match error {
        ServeError::Refused(Refusal::Revoked) => Some(Reason::Revoked),
        ServeError::Refused(Refusal::Access) => Some(Reason::Forbidden),
        _ => None,
    };
    if let Some(reason) = reason {
        let _ = carrier.write_all(&close_record(reason, &error.to_string())).await;
    }
    let _ = within(FAREWELL, carrier.shutdown()).await;
}
