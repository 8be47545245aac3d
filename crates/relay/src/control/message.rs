//! What an endpoint and its gateway say to each other on the control connection.

use serde::{Deserialize, Serialize};

use super::version::Version;
use crate::enrolment::message::{JoinAnswer, JoinRequest};
use crate::name::Name;
use crate::probe::ProbeKey;
use crate::session::SessionId;
use crate::ticket::Sealed;

/// From an endpoint to its gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromEndpoint {
    /// The first message.
    Hello(Hello),
    /// A client asks for a session with an agent.
    Open {
        /// What the answer refers to.
        request: u64,
        /// The agent.
        agent: String,
        /// The services it means to use.
        services: Vec<String>,
    },
    /// Another ticket for a session that goes on.
    Renew {
        /// What the answer refers to.
        request: u64,
        /// The ticket that it has, which may have expired not longer ago than sessions may be apart.
        ticket: Sealed,
    },
    /// An agent tells of the end of a session.
    Ended {
        /// Its ticket.
        ticket: Sealed,
        /// Why, by the code of CLOSE records.
        reason: u16,
        /// How often it was without a carrier.
        breaks: u64,
    },
    /// In place of `Hello`: it wants a ticket to look at the way here, and no more. An agent that does so keeps its place.
    Probe(Hello),
    /// The site's authority answers whoever wants to join.
    Joined {
        /// What it answers.
        request: u64,
        /// What becomes of it.
        answer: JoinAnswer,
    },
    /// Nothing but that it is there.
    Ping,
}

/// From a gateway to an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromGateway {
    /// The answer to `Hello`.
    Welcome(Welcome),
    /// The answer to `Open` and `Renew`.
    Ticket {
        /// What it answers.
        request: u64,
        /// The session.
        session: SessionId,
        /// What carriers of the session are opened with.
        ticket: Sealed,
    },
    /// To an agent: somebody wants a session.
    Invitation {
        /// The session.
        session: SessionId,
        /// Who.
        client: Name,
        /// The services that the gateway lets the client use.
        services: Vec<String>,
        /// What the agent opens its carriers of the session with.
        ticket: Sealed,
    },
    /// To an agent: the client of this session waits for it. An agent that does not know the session says so there.
    Wanted {
        /// The session.
        session: SessionId,
        /// What the agent opens a carrier of the session with.
        ticket: Sealed,
    },
    /// The answer to `Probe`, and the last message.
    Probe {
        /// The gateway's version.
        version: Version,
        /// What carriers are opened with that nothing but looks at the way.
        ticket: Sealed,
        /// What its holder is known by on them.
        key: ProbeKey,
    },
    /// The answer to what is not granted; to `Hello`, the last message.
    Refused {
        /// What it answers; 0 for `Hello`.
        request: u64,
        /// Why.
        reason: Refusal,
        /// The same for people.
        text: String,
    },
    /// What the site's authority has revoked.
    Revocations {
        /// The authority's list: DER, in base64.
        list: String,
    },
    /// To the site's authority: somebody wants to join.
    Join {
        /// What the answer refers to.
        request: u64,
        /// What is asked.
        asked: JoinRequest,
    },
    /// This gateway ends soon, or its process does: whoever can goes on elsewhere, and lets go of this one then.
    Draining,
    /// The answer to `Ping`.
    Pong,
}

/// Who an endpoint is, beside its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of its software.
    pub version: Version,
    /// The oldest version of a gateway's software that it talks to.
    pub minimum: Version,
}

/// Who a gateway is, beside its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of its software.
    pub version: Version,
}

/// Why something is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// One side's software is older than the other side takes.
    #[error("version")]
    Version,
    /// `relay.access` does not let this client reach that.
    #[error("access")]
    Access,
    /// The agent is not connected to this gateway.
    #[error("agent_absent")]
    AgentAbsent,
    /// The certificate or the name is revoked.
    #[error("revoked")]
    Revoked,
    /// A limit.
    #[error("limit")]
    Limit,
    /// An operator has ended it.
    #[error("operator")]
    Operator,
    /// A ticket that is none, or is another's.
    #[error("ticket")]
    Ticket,
    /// Nothing that makes sense.
    #[error("protocol")]
    Protocol,
}

impl Refusal {
    /// Whether the same may be granted later.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::AgentAbsent | Self::Limit)
    }
}
