//! Where the two ends of a session find each other.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Origin;
use crate::carrier::BoxedCarrier;
use crate::control::message::Refusal;
use crate::name::{Name, Role};
use crate::session::SessionId;
use crate::ticket::Ticket;

/// One end of a session: its carrier, and what is given back when it ends.
pub(super) struct End {
    pub(super) carrier: BoxedCarrier,
    /// What came with its preamble.
    pub(super) early: BytesMut,
    pub(super) origin: Origin,
    /// Cancelled when whoever brought it has been told to take it away.
    pub(super) leaves: CancellationToken,
    pub(super) _held: Box<dyn Any + Send>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

/// The sessions of which an end is here.
#[derive(Debug, Default)]
pub(super) struct Meeting(Arc<Mutex<HashMap<SessionId, Place>>>);

#[derive(Debug)]
struct Place {
    /// Tells this place from one that took its session later.
    number: u64,
    /// Who waits there; `None` once both ends are here.
    waiting: Option<(Ticket, oneshot::Sender<End>)>,
    replaced: CancellationToken,
}

/// What somebody who comes finds.
pub(super) enum Arrival {
    /// Nobody: the other end will come to this place.
    First(Held, End),
    /// The other end, which has been given this one.
    Second,
}

/// The place of whoever came first; given back when dropped.
pub(super) struct Held {
    places: Arc<Mutex<HashMap<SessionId, Place>>>,
    session: SessionId,
    number: u64,
    /// The other end.
    pub(super) other: oneshot::Receiver<End>,
    /// Cancelled when another has taken the place.
    pub(super) replaced: CancellationToken,
}

impl Meeting {
    /// Takes in one end. One that comes to a session whose ends are both here, or that is of the role which waits, takes the
    /// place: whoever comes again knows that its carrier before was dead.
    ///
    /// # Errors
    /// As many sessions as there may be.
    pub(super) fn arrive(&self, ticket: &Ticket, mut end: End, max: usize) -> Result<Arrival, Refusal> {
        let session = ticket.session;
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(&session) {
            match place.waiting.take() {
                Some((there, other)) if there.holder != ticket.holder => match other.send(end) {
                    Ok(()) => return Ok(Arrival::Second),
                    // Who waited has just gone.
                    Err(back) => end = back,
                },
                _ => place.replaced.cancel(),
            }
        } else if places.len() >= max {
            return Err(Refusal::Limit);
        }
        let (sender, other) = oneshot::channel();
        let (number, replaced) = (rand::random(), CancellationToken::new());
        let place = Place { number, waiting: Some((ticket.clone(), sender)), replaced: replaced.clone() };
        places.insert(session, place);
        Ok(Arrival::First(Held { places: self.0.clone(), session, number, other, replaced }, end))
    }
}

impl Meeting {
    /// The tickets of clients that wait for this agent.
    pub(super) fn waiting_for(&self, agent: &Name) -> Vec<Ticket> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = places.values().filter_map(|place| place.waiting.as_ref());
        let theirs = waiting.filter(|(ticket, _)| ticket.holder == Role::Client && ticket.agent == *agent);
        theirs.map(|(ticket, _)| ticket.clone()).collect()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.get(&self.session).is_some_and(|place| place.number == self.number) {
            places.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn end(mark: u8) -> End {
        End {
            carrier: Box::new(tokio::io::duplex(1).0),
            early: BytesMut::new(),
            origin: Origin {
                listener: "public".into(),
                route: "private".into(),
                number: 0,
                address: None,
                kind: crate::carrier::Kind::Tls,
            },
            leaves: CancellationToken::new(),
            _held: Box::new(mark),
        }
    }

    fn ticket(session: u8, holder: Role) -> Ticket {
        let name = |role, name| Name::new("site", role, name).unwrap();
        Ticket {
            session: SessionId([session; 16]),
            holder,
            client: name(Role::Client, "alice"),
            client_serial: "1".into(),
            agent: name(Role::Agent, "office"),
            agent_serial: "2".into(),
            services: vec!["ssh".into()],
            expires: crate::ticket::Expiry::default(),
        }
    }

    fn first(arrival: Arrival) -> Held {
        match arrival {
            Arrival::First(held, _) => held,
            Arrival::Second => unreachable!("nobody waited"),
        }
    }

    #[test]
    fn two_ends_meet_and_whoever_comes_again_takes_the_place() {
        let meeting = Meeting::default();
        let arrive = |session, role, mark| meeting.arrive(&ticket(session, role), end(mark), 1);
        let mut client = first(arrive(1, Role::Client, 1).unwrap());
        assert_eq!(arrive(2, Role::Client, 9).err(), Some(Refusal::Limit));
        let agent = ticket(1, Role::Agent).agent;
        assert_eq!(meeting.waiting_for(&agent), [ticket(1, Role::Client)]);
        assert!(matches!(arrive(1, Role::Agent, 2).unwrap(), Arrival::Second));
        assert_eq!(client.other.try_recv().unwrap()._held.downcast_ref::<u8>(), Some(&2));
        assert!(meeting.waiting_for(&agent).is_empty());
        // The client comes again: its carrier before was dead.
        let again = first(arrive(1, Role::Client, 3).unwrap());
        assert!(client.replaced.is_cancelled() && !again.replaced.is_cancelled());
        drop(client);
        assert!(matches!(arrive(1, Role::Agent, 4).unwrap(), Arrival::Second));
        drop(again);
        // The same role twice: the newer one waits.
        let old = first(arrive(1, Role::Agent, 5).unwrap());
        let new = first(arrive(1, Role::Agent, 6).unwrap());
        assert!(old.replaced.is_cancelled());
        drop((old, new));
        assert!(meeting.0.lock().unwrap().is_empty());
    }
}
