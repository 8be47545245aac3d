//! What there is to know of private sessions, which nobody but their two ends can read.

use std::net::IpAddr;
use std::time::Duration;

use crate::record::{Record, micros, text};

/// What happened to an endpoint or to a private session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Private<'a> {
    /// An agent or client has proved who it is.
    Connected {
        /// Its version.
        version: &'a str,
        /// The kind of its carrier.
        carrier: &'static str,
    },
    /// It is gone.
    Disconnected {
        /// Why, in a stable word.
        reason: &'a str,
        /// How long it was there.
        duration: Duration,
    },
    /// The site's authority has issued a certificate to whoever has shown a token of its, by way of this gateway.
    Enrolled,
    /// A client may have a session with an agent.
    Granted(About<'a>),
    /// A client, or an end of a session, may not.
    Refused {
        /// What was asked for, as far as that is known.
        about: About<'a>,
        /// Why, in a stable word.
        reason: &'a str,
    },
    /// Both ends of a session are there.
    Joined {
        /// The session.
        about: About<'a>,
        /// The agent's address.
        agent_address: Option<IpAddr>,
        /// The kind of the client's carrier.
        carrier: &'static str,
        /// The kind of the agent's.
        agent_carrier: &'static str,
    },
    /// An end of a session that both were there of is gone; the ends may come again.
    Parted {
        /// The session.
        about: About<'a>,
        /// Why, in a stable word.
        reason: &'a str,
        /// How long both were there.
        duration: Duration,
        /// Bytes from the client to the agent.
        sent: u64,
        /// Bytes from the agent to the client.
        received: u64,
    },
    /// A session has ended, as its agent says.
    Ended {
        /// The session.
        about: About<'a>,
        /// Why, in a stable word.
        reason: &'a str,
        /// How often it was without a carrier.
        breaks: u64,
    },
}

/// A private session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// Its name, which both its ends log too.
    pub session: Option<&'a str>,
    /// The name of the agent.
    pub agent: &'a str,
    /// The services that it is for, with commas between them; empty where that is not known.
    pub services: &'a str,
}

impl Private<'_> {
    /// The name under which it is kept.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "relay.connected",
            Self::Disconnected { .. } => "relay.disconnected",
            Self::Enrolled => "relay.enrolled",
            Self::Granted(_) => "relay.granted",
            Self::Refused { .. } => "relay.refused",
            Self::Joined { .. } => "relay.joined",
            Self::Parted { .. } => "relay.parted",
            Self::Ended { .. } => "relay.ended",
        }
    }

    pub(crate) fn on(self, record: Record) -> Record {
        match self {
            Self::Connected { version, carrier } => {
                Record { version: text(version), carrier: Some(carrier), ..record }
            }
            Self::Disconnected { reason, duration } => {
                Record { reason: text(reason), duration_us: Some(micros(duration)), ..record }
            }
            Self::Enrolled => record,
            Self::Granted(about) => about.on(record),
            Self::Refused { about, reason } => Record { reason: text(reason), ..about.on(record) },
            Self::Joined { about, agent_address, carrier, agent_carrier } => Record {
                agent_address,
                carrier: Some(carrier),
                agent_carrier: Some(agent_carrier),
                ..about.on(record)
            },
            Self::Parted { about, reason, duration, sent, received } => Record {
                reason: text(reason),
                duration_us: Some(micros(duration)),
                sent: Some(sent),
                received: Some(received),
                ..about.on(record)
            },
            Self::Ended { about, reason, breaks } => {
                Record { reason: text(reason), breaks: Some(breaks), ..about.on(record) }
            }
        }
    }
}

impl About<'_> {
    fn on(self, record: Record) -> Record {
        Record {
            private_session: self.session.and_then(text),
            agent: text(self.agent),
            services: Some(self.services).filter(|services| !services.is_empty()).and_then(text),
            ..record
        }
    }
}
