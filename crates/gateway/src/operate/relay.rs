//! Agents, clients and private sessions, as an operator sees and ends them.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use wicketgate_audit::{self as audit, Event, Who};
use wicketgate_relay::broker::{Endpoint, Kicked, Origin, PrivateSession};
use wicketgate_relay::name::Role;
use wicketgate_relay::session::SessionId;

use super::kick::Ended;
use super::seconds;
use crate::gateway::Shared;

/// How many one answer shows: about 400 bytes each.
const SHOWN: usize = 10_000;

/// The agents and clients that are connected.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Endpoints {
    /// How many there are.
    pub total: usize,
    /// At most 10000 of them, by name.
    pub endpoints: Vec<ShownEndpoint>,
}

/// An agent or a client.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownEndpoint {
    /// `agent` or `client`.
    pub role: &'static str,
    /// Its name.
    pub name: String,
    /// The serial number of its certificate.
    pub serial: String,
    /// Its software's version.
    pub version: String,
    /// Its control connection.
    #[serde(flatten)]
    pub end: End,
}

/// The private sessions of which an end is here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sessions {
    /// How many there are.
    pub total: usize,
    /// At most 10000 of them.
    pub sessions: Vec<ShownSession>,
}

/// A private session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownSession {
    /// Its name, which both its ends log too.
    pub session: String,
    /// The client's name.
    pub client: String,
    /// The agent's name.
    pub agent: String,
    /// The services that it is for.
    pub services: Vec<String>,
    /// The carrier of the client; none while it is away.
    pub client_end: Option<End>,
    /// The carrier of the agent; none while it is away.
    pub agent_end: Option<End>,
}

/// A carrier, as it came.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct End {
    /// Whence it came.
    pub address: Option<String>,
    /// `tls` or `websocket`.
    pub carrier: &'static str,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: OffsetDateTime,
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
pub fn endpoints(shared: &Shared) -> Endpoints {
    let all = shared.snapshot().relay().map(|relay| relay.endpoints()).unwrap_or_default();
    Endpoints { total: all.len(), endpoints: all.iter().take(SHOWN).map(Into::into).collect() }
}

/// The private sessions of which an end is here.
pub fn sessions(shared: &Shared) -> Sessions {
    let all = shared.snapshot().relay().map(|relay| relay.sessions()).unwrap_or_default();
    Sessions { total: all.len(), sessions: all.iter().take(SHOWN).map(Into::into).collect() }
}

/// Which of them an operator means; exactly one thing is given.
#[derive(Debug)]
pub enum Meant {
    /// A private session.
    Session(SessionId),
    /// An agent or client, with all that it has.
    Party(Role, String),
}

impl Meant {
    /// Reads it from a query: `session`, `agent` or `client`.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
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

/// Ends the connections that are meant, and their sessions for good.
pub async fn kick(shared: &Shared, meant: &Meant, who: &Who<'_>) -> Ended {
    let snapshot = shared.snapshot();
    let ended = snapshot.relay().map_or(0, |relay| relay.kick(|kicked| meant.takes(kicked)));
    let (kind, value) = meant.selector();
    let selector = audit::Selector { kind, value: &value };
    shared.audit.wait(&Event::Kicked { selector, sessions: ended }, who).await;
    Ended { ended }
}
