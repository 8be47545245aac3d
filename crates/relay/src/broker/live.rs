//! What is open: endpoints and ends of sessions, to be listed, judged again, and ended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use super::Origin;
use crate::control::message::Refusal;
use crate::control::version::Version;
use crate::identity::Certified;
use crate::name::Role;
use crate::session::SessionId;
use crate::ticket::Ticket;

/// What is open, by a number of its own.
#[derive(Debug, Default)]
pub(super) struct Live(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Open>,
}

/// One thing that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) what: What,
    pub(super) origin: Origin,
    pub(super) since: SystemTime,
    stop: watch::Sender<Option<Refusal>>,
}

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// An endpoint on its control connection.
    Endpoint(Certified, Version),
    /// One end of a session on its carrier.
    End(Ticket),
}

/// The place of what is open; given back when dropped.
#[derive(Debug)]
pub(super) struct Entered {
    table: Arc<Mutex<Table>>,
    number: u64,
    stop: watch::Receiver<Option<Refusal>>,
}

/// An agent or client that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What it is.
    pub role: Role,
    /// Its name.
    pub name: Arc<str>,
    /// The serial number of its certificate.
    pub serial: String,
    /// Its software's version.
    pub version: Version,
    /// Whence it came.
    pub origin: Origin,
    /// Since when.
    pub since: SystemTime,
}

/// A session of which an end is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateSession {
    /// The session.
    pub session: SessionId,
    /// The client's name.
    pub client: Arc<str>,
    /// The agent's name.
    pub agent: Arc<str>,
    /// The services that it is for.
    pub services: Vec<String>,
    /// Whence the client's carrier came; none while it is away.
    pub client_end: Option<(Origin, SystemTime)>,
    /// Whence the agent's carrier came; none while it is away.
    pub agent_end: Option<(Origin, SystemTime)>,
}

impl Live {
    /// Takes something in.
    pub(super) fn enter(&self, what: What, origin: Origin) -> Entered {
        let (sender, stop) = watch::channel(None);
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Open { what, origin, since: SystemTime::now(), stop: sender });
        Entered { table: self.0.clone(), number, stop }
    }

    /// Ends what there is a reason for; gives how many.
    pub(super) fn stop(&self, reason: impl Fn(&What) -> Option<Refusal>) -> usize {
        let mut count = 0;
        for open in self.lock().open.values() {
            if let Some(reason) = reason(&open.what) {
                open.stop.send_replace(Some(reason));
                count += 1;
            }
        }
        count
    }

    /// How many sessions this client, or this agent, has an end of here.
    pub(super) fn sessions_of(&self, role: Role, name: &str) -> usize {
        let table = self.lock();
        let theirs = table.open.values().filter(|open| match &open.what {
            What::Endpoint(..) => false,
            What::End(ticket) if ticket.holder != role => false,
            What::End(ticket) if role == Role::Agent => *ticket.agent.name == *name,
            What::End(ticket) => *ticket.client.name == *name,
        });
        theirs.count()
    }

    /// The endpoints that are connected, by their names.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let table = self.lock();
        let endpoints = table.open.values().filter_map(|open| match &open.what {
            What::Endpoint(peer, version) => Some(Endpoint {
                role: peer.name.role,
                name: peer.name.name.clone(),
                serial: peer.serial.clone(),
                version: *version,
                origin: open.origin.clone(),
                since: open.since,
            }),
            What::End(_) => None,
        });
        let mut endpoints: Vec<_> = endpoints.collect();
        endpoints.sort_by(|one, other| (one.role, &one.name).cmp(&(other.role, &other.name)));
        endpoints
    }

    /// The sessions of which an end is here.
    pub(super) fn sessions(&self) -> Vec<PrivateSession> {
        let table = self.lock();
        let mut sessions = BTreeMap::new();
        for open in table.open.values() {
            let What::End(ticket) = &open.what else { continue };
            let session = sessions.entry(ticket.session.0).or_insert_with(|| PrivateSession {
                session: ticket.session,
                client: ticket.client.name.clone(),
                agent: ticket.agent.name.clone(),
                services: ticket.services.clone(),
                client_end: None,
                agent_end: None,
            });
            let end = Some((open.origin.clone(), open.since));
            match ticket.holder {
                Role::Agent => session.agent_end = end,
                _ => session.client_end = end,
            }
        }
        sessions.into_values().collect()
    }

    /// How many agents and clients are connected, and of how many sessions an end is here.
    pub(super) fn count(&self) -> [u64; 3] {
        let (mut agents, mut clients, mut sessions) = (0, 0, HashSet::new());
        for open in self.lock().open.values() {
            match &open.what {
                What::Endpoint(peer, _) if peer.name.role == Role::Agent => agents += 1,
                What::Endpoint(..) => clients += 1,
                What::End(ticket) => drop(sessions.insert(ticket.session)),
            }
        }
        [agents, clients, sessions.len() as u64]
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered {
    /// Waits until it has to end; gives why.
    pub(super) async fn stopped(&mut self) -> Refusal {
        loop {
            if let Some(reason) = *self.stop.borrow_and_update() {
                return reason;
            }
            if self.stop.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::name::Name;

    fn ticket(session: u8, holder: Role) -> What {
        let name = |role, name| Name::new("site", role, name).unwrap();
        What::End(Ticket {
            session: SessionId([session; 16]),
            holder,
            client: name(Role::Client, "alice"),
            client_serial: "1".into(),
            agent: name(Role::Agent, "office"),
            agent_serial: "2".into(),
            services: vec!["ssh".into()],
            expires: crate::ticket::Expiry::default(),
        })
    }

    fn origin() -> Origin {
        Origin {
            listener: "public".into(),
            route: "private".into(),
            number: 0,
            address: None,
            kind: crate::carrier::Kind::Tls,
        }
    }

    #[tokio::test]
    async fn what_is_open_is_listed_counted_and_ended_until_it_is_given_back() {
        let live = Live::default();
        let mut client = live.enter(ticket(1, Role::Client), origin());
        let agent = live.enter(ticket(1, Role::Agent), origin());
        let other = live.enter(ticket(2, Role::Client), origin());
        let sessions = live.sessions();
        assert_eq!(sessions.len(), 2);
        assert!(sessions[0].client_end.is_some() && sessions[0].agent_end.is_some());
        assert!(sessions[1].agent_end.is_none());
        assert_eq!(live.count(), [0, 0, 2]);
        assert_eq!(live.sessions_of(Role::Client, "alice"), 2);
        assert_eq!(live.sessions_of(Role::Agent, "office"), 1);
        let of_one = |what: &What| match what {
            What::End(ticket) if ticket.session.0[0] == 1 => Some(Refusal::Revoked),
            _ => None,
        };
        assert_eq!(live.stop(of_one), 2);
        assert_eq!(client.stopped().await, Refusal::Revoked);
        drop((client, agent, other));
        assert!(live.sessions().is_empty() && live.endpoints().is_empty());
    }
}
