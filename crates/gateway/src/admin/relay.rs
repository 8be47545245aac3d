//! Agents, clients and private sessions, for an operator to see and to end.

use std::time::SystemTime;

use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use wicketgate_audit::{self as audit, Event, Who};
use wicketgate_relay::broker::{Endpoint, Kicked, Origin, PrivateSession};
use wicketgate_relay::name::Role;
use wicketgate_relay::session::SessionId;

use super::answer::{Answer, json, seconds, text};
use crate::gateway::Shared;

/// How many one answer shows: about 400 bytes each.
const SHOWN: usize = 10_000;

#[derive(Serialize)]
struct Endpoints {
    /// How many there are.
    total: usize,
    /// At most [`SHOWN`] of them, by name.
    endpoints: Vec<ShownEndpoint>,
}

#[derive(Serialize)]
struct ShownEndpoint {
    role: &'static str,
    name: String,
    serial: String,
    version: String,
    #[serde(flatten)]
    end: End,
}

#[derive(Serialize)]
struct Sessions {
    total: usize,
    sessions: Vec<ShownSession>,
}

#[derive(Serialize)]
struct ShownSession {
    session: String,
    client: String,
    agent: String,
    services: Vec<String>,
    /// The carrier of the client; none while it is away.
    client_end: Option<End>,
    agent_end: Option<End>,
}

#[derive(Serialize)]
struct End {
    address: Option<String>,
    carrier: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl End {
    fn of(origin: &Origin, since: SystemTime) -> Self {
        Self {
            address: origin.address.map(|address| address.to_string()),
            carrier: origin.kind.label(),
            since: seconds(since),
        }
    }
}

impl From<&Endpoint> for ShownEndpoint {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            role: endpoint.role.label(),
            name: endpoint.name.to_string(),
            serial: endpoint.serial.clone(),
            version: endpoint.version.to_string(),
            end: End::of(&endpoint.origin, endpoint.since),
        }
    }
}

impl From<&PrivateSession> for ShownSession {
    fn from(session: &PrivateSession) -> Self {
        let end =
            |end: &Option<(Origin, SystemTime)>| end.as_ref().map(|(origin, since)| End::of(origin, *since));
        Self {
            session: session.session.to_string(),
            client: session.client.to_string(),
            agent: session.agent.to_string(),
            services: session.services.clone(),
            client_end: end(&session.client_end),
            agent_end: end(&session.agent_end),
        }
    }
}

/// The agents and clients that are connected.
pub(super) fn endpoints(shared: &Shared) -> Answer {
    let all = shared.snapshot().relay().map(|relay| relay.endpoints()).unwrap_or_default();
    json(&Endpoints { total: all.len(), endpoints: all.iter().take(SHOWN).map(Into::into).collect() })
}

/// The private sessions of which an end is here.
pub(super) fn sessions(shared: &Shared) -> Answer {
    let all = shared.snapshot().relay().map(|relay| relay.sessions()).unwrap_or_default();
    json(&Sessions { total: all.len(), sessions: all.iter().take(SHOWN).map(Into::into).collect() })
}

/// Which of them an operator means; exactly one thing is given.
enum Meant {
    Session(SessionId),
    Party(Role, String),
}

impl Meant {
    fn parse(query: Option<&str>) -> Result<Self, String> {
        let wanted = "give one of session, agent and client";
        let mut given = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let (Some((name, value)), None) = (given.next(), given.next()) else { return Err(wanted.into()) };
        match &*name {
            "session" => value.parse().map(Self::Session).map_err(|error| format!("`{value}`: {error}")),
            "agent" => Ok(Self::Party(Role::Agent, value.into_owned())),
            "client" => Ok(Self::Party(Role::Client, value.into_owned())),
            _ => Err(wanted.into()),
        }
    }

    fn takes(&self, kicked: &Kicked<'_>) -> bool {
        match self {
            Self::Session(session) => kicked.session == Some(*session),
            Self::Party(role, name) => {
                kicked.parties.iter().flatten().any(|party| party.role == *role && *party.name == **name)
            }
        }
    }

    fn selector(&self) -> (&'static str, String) {
        match self {
            Self::Session(session) => ("private_session", session.to_string()),
            Self::Party(role, name) => (role.label(), name.clone()),
        }
    }
}

#[derive(Serialize)]
struct Ended {
    ended: usize,
}

/// Ends the connections that the query means, and their sessions for good.
pub(super) async fn kick(shared: &Shared, query: Option<&str>) -> Answer {
    let meant = match Meant::parse(query) {
        Ok(meant) => meant,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    let snapshot = shared.snapshot();
    let ended = snapshot.relay().map_or(0, |relay| relay.kick(|kicked| meant.takes(kicked)));
    let (kind, value) = meant.selector();
    let selector = audit::Selector { kind, value: &value };
    shared.audit.wait(&Event::Kicked { selector, sessions: ended }, &Who::default()).await;
    json(&Ended { ended })
}
