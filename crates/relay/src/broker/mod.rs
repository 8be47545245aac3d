//! The gateway's part: it lets endpoints in, brings the two of a session together, and carries what it cannot read.
//!
//! It remembers no session: two ends that show tickets of one session are joined, whoever made the tickets and whenever.

mod control;
mod data;
mod meeting;
mod preamble;
mod probe;
mod registry;
mod splice;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncBufReadExt, BufReader};

pub use preamble::{Preamble, PreambleError};

use self::meeting::Meeting;
use self::probe::Probes;
use self::registry::Registry;
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::ChannelError;
use crate::control::message::Refusal;
use crate::identity::HandshakeError;
use crate::probe::Arrived;
use crate::ticket::{Seal, TicketError};

/// What brings endpoints together. It outlives reloads: connected endpoints stay.
#[derive(Debug)]
pub struct Broker {
    config: ArcSwap<RelayConfig>,
    seal: ArcSwap<Seal>,
    agents: Registry,
    meeting: Meeting,
    probes: Probes,
}

/// Whence a carrier came.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address of the endpoint, as far as it is known.
    pub address: Option<IpAddr>,
    /// The WebSocket that it came by; none where it came otherwise.
    pub websocket: Option<Arc<Arrived>>,
}

/// Why a carrier was not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not say in time what it is for.
    #[error("it did not say in time what it is for")]
    Late,
    /// It broke.
    #[error("it broke: {0}")]
    Io(#[from] std::io::Error),
    /// What came first is nothing of ours.
    #[error("it is none of ours: {0}")]
    Preamble(#[from] PreambleError),
    /// It did not prove who it is.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// What was said is no control message.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Its ticket does not serve.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// It is not granted.
    #[error("refused: {0}")]
    Refused(Refusal),
}

impl ServeError {
    /// Its name in metrics and audit events.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Late => "relay_late",
            Self::Io(_) => "relay_broken",
            Self::Preamble(_) => "relay_preamble",
            Self::Handshake(_) => "relay_identity",
            Self::Channel(_) => "relay_control",
            Self::Ticket(TicketError::Forged) => "relay_ticket_forged",
            Self::Ticket(TicketError::Expired) => "relay_ticket_expired",
            Self::Refused(Refusal::Version) => "relay_version",
            Self::Refused(Refusal::Access) => "relay_access",
            Self::Refused(Refusal::AgentAbsent) => "relay_agent_absent",
            Self::Refused(Refusal::Revoked) => "relay_revoked",
            Self::Refused(Refusal::Limit) => "relay_limit",
            Self::Refused(Refusal::Ticket) => "relay_ticket",
            Self::Refused(Refusal::Protocol) => "relay_protocol",
        }
    }
}

impl Broker {
    /// A broker of this configuration.
    pub fn new(config: RelayConfig) -> Self {
        Self {
            seal: ArcSwap::new(config.seal.clone()),
            config: ArcSwap::from_pointee(config),
            agents: Registry::default(),
            meeting: Meeting::default(),
            probes: Probes::default(),
        }
    }

    /// Takes another configuration from now on. Connections that are open stay.
    pub fn reload(&self, config: RelayConfig) {
        // A seal of this process alone goes on: tickets that were made with it still serve.
        if config.ticket_secret.is_some() {
            self.seal.store(config.seal.clone());
        }
        self.config.store(Arc::new(config));
    }

    /// Serves a carrier to its end. `held` is given back when the carrier has ended.
    ///
    /// # Errors
    /// It was not served.
    pub async fn serve<H: Send + 'static>(
        &self,
        carrier: BoxedCarrier,
        origin: Origin,
        held: H,
    ) -> Result<(), ServeError> {
        let config = self.config.load_full();
        let mut carrier = BufReader::with_capacity(preamble::LOOK, carrier);
        let first = within(config.handshake_timeout, carrier.fill_buf()).await??;
        match first.first() {
            // The first byte of a TLS handshake (RFC 8446 section 5.1).
            Some(0x16) => control::serve(self, &config, carrier, origin).await,
            first if first == preamble::PROBE.first() => probe::serve(self, &config, carrier, origin).await,
            _ => data::serve(self, &config, carrier, held).await,
        }
    }
}

/// Waits no longer than this.
async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Result<T, ServeError> {
    tokio::time::timeout(time, what).await.map_err(|_| ServeError::Late)
}
