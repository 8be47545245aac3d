//! The gateway's part: it lets endpoints in, brings the two of a session together, and carries what it cannot read.
//!
//! It remembers no session: two ends that show tickets of one session are joined, whoever made the tickets and whenever.

mod control;
mod data;
mod ended;
mod figures;
mod join;
mod live;
mod meeting;
mod preamble;
mod probe;
mod registry;
mod splice;

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wicketgate_audit::{Audit, Who};

pub use figures::Figures;
pub use live::{Endpoint, PrivateSession};
pub use preamble::{Preamble, PreambleError};

use self::ended::Ended;
use self::figures::Counts;
use self::join::Joins;
use self::live::{Live, What};
use self::meeting::Meeting;
use self::probe::Probes;
use self::registry::Registry;
use crate::access::until;
use crate::carrier::{BoxedCarrier, Kind};
use crate::config::RelayConfig;
use crate::control::ChannelError;
use crate::control::message::Refusal;
use crate::enrolment::message::JoinRefusal;
use crate::identity::HandshakeError;
use crate::name::Name;
use crate::probe::Arrived;
use crate::session::SessionId;
use crate::ticket::{Seal, TicketError};

/// What brings endpoints together. It outlives reloads: connected endpoints stay.
#[derive(Debug)]
pub struct Broker {
    config: ArcSwap<RelayConfig>,
    seal: ArcSwap<Seal>,
    agents: Registry,
    /// The site's authority, while it is connected.
    authorities: Registry,
    joins: Joins,
    meeting: Meeting,
    probes: Probes,
    live: Live,
    ended: Ended,
    counts: Counts,
    /// Changes whenever something may have been revoked.
    revoked: watch::Sender<u64>,
    /// Endpoints are to go on elsewhere.
    draining: CancellationToken,
    audit: Audit,
}

/// Whence a carrier came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The listener.
    pub listener: Arc<str>,
    /// The route.
    pub route: Arc<str>,
    /// The number of the carrier among the gateway's live sessions.
    pub number: u64,
    /// The address of the endpoint, as far as it is known.
    pub address: Option<IpAddr>,
    /// The kind of the carrier.
    pub kind: Kind,
}

/// What an operator may mean: an endpoint, or an end of a session with both its parties.
#[derive(Debug)]
pub struct Kicked<'a> {
    /// The session; none for an endpoint.
    pub session: Option<SessionId>,
    /// Whom it is of.
    pub parties: [Option<&'a Name>; 2],
}

/// How long after its expiry a ticket can be exchanged for another: as long as the ends of a session may be apart.
const RENEWABLE: Duration = Duration::from_secs(600);

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
    /// It has not joined.
    #[error("it has not joined: {0}")]
    NotJoined(JoinRefusal),
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
            Self::NotJoined(JoinRefusal::Token) => "relay_join_token",
            Self::NotJoined(JoinRefusal::Expired) => "relay_join_expired",
            Self::NotJoined(JoinRefusal::NoAuthority) => "relay_join_no_authority",
            Self::NotJoined(JoinRefusal::Off) => "relay_join_off",
            Self::NotJoined(JoinRefusal::Limit) => "relay_join_limit",
            Self::NotJoined(JoinRefusal::Late) => "relay_join_late",
            Self::NotJoined(JoinRefusal::Request) => "relay_join_request",
            Self::NotJoined(JoinRefusal::Failed) => "relay_join_failed",
            Self::Refused(Refusal::Version) => "relay_version",
            Self::Refused(Refusal::Access) => "relay_access",
            Self::Refused(Refusal::AgentAbsent) => "relay_agent_absent",
            Self::Refused(Refusal::Revoked) => "relay_revoked",
            Self::Refused(Refusal::Limit) => "relay_limit",
            Self::Refused(Refusal::Operator) => "relay_ended_by_operator",
            Self::Refused(Refusal::Ticket) => "relay_ticket",
            Self::Refused(Refusal::Protocol) => "relay_protocol",
        }
    }
}

impl Broker {
    /// A broker of this configuration, which leaves records of what it does.
    pub fn new(config: RelayConfig, audit: Audit) -> Self {
        Self {
            seal: ArcSwap::new(config.seal.clone()),
            config: ArcSwap::from_pointee(config),
            agents: Registry::default(),
            authorities: Registry::default(),
            joins: Joins::default(),
            meeting: Meeting::default(),
            probes: Probes::default(),
            live: Live::default(),
            ended: Ended::default(),
            counts: Counts::default(),
            revoked: watch::Sender::new(0),
            draining: CancellationToken::new(),
            audit,
        }
    }

    /// Whether carriers of this kind are taken.
    pub fn takes(&self, kind: Kind) -> bool {
        self.config.load().carriers.allows(kind)
    }

    /// Takes another configuration from now on. Connections that are open stay, but for those that it would not let in.
    pub fn reload(&self, config: RelayConfig) {
        // A seal of this process alone goes on: tickets that were made with it still serve.
        if config.ticket_secret.is_some() {
            self.seal.store(config.seal.clone());
        }
        self.config.store(Arc::new(config));
        self.enforce();
    }

    /// Tells endpoints that this gateway ends: they go on elsewhere where they can, and let go of it then.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Ends what would not be let in any more: revoked parties and their sessions, and sessions that no rule allows.
    pub fn enforce(&self) {
        let config = self.config.load();
        let ended = self.live.stop(|what| match what {
            What::Endpoint(peer, _) => {
                config.revocations.covers(&peer.name, &peer.serial).then_some(Refusal::Revoked)
            }
            What::End(ticket) => self.authorise(ticket).err(),
        });
        if ended > 0 {
            tracing::info!(ended, "connections ended whose parties are not let in any more");
        }
        self.revoked.send_modify(|times| *times += 1);
    }

    /// Follows the times of rules: where one begins or ends, whatever is open is judged again. Ends with the broker.
    pub async fn follow_times(broker: Weak<Self>) {
        let Some(mut changes) = broker.upgrade().map(|broker| broker.revoked.subscribe()) else { return };
        loop {
            let Some(next) = broker.upgrade().map(|broker| {
                changes.mark_unchanged();
                broker.config.load().access.next_change(SystemTime::now())
            }) else {
                return;
            };
            tokio::select! {
                // The rules may be others.
                changed = changes.changed() => if changed.is_err() { return },
                () = until(next) => if let Some(broker) = broker.upgrade() { broker.enforce() },
            }
        }
    }

    /// The agents and clients that are connected, by their names.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.live.endpoints()
    }

    /// The sessions of which an end is here.
    pub fn sessions(&self) -> Vec<PrivateSession> {
        self.live.sessions()
    }

    /// What there is and was, in numbers.
    pub fn figures(&self) -> Figures {
        self.counts.figures(self.live.count())
    }

    /// Ends sessions for good, and the connections of endpoints, which may come again; gives how many of both.
    pub fn kick(&self, meant: impl Fn(&Kicked<'_>) -> bool) -> usize {
        let time = self.config.load().ticket_lifetime + RENEWABLE;
        self.live.stop(|what| {
            let kicked = match what {
                What::Endpoint(peer, _) => Kicked { session: None, parties: [Some(&peer.name), None] },
                What::End(ticket) => Kicked {
                    session: Some(ticket.session),
                    parties: [Some(&ticket.client), Some(&ticket.agent)],
                },
            };
            let meant = meant(&kicked);
            if let Some(session) = kicked.session.filter(|_| meant) {
                self.ended.add(session, time);
            }
            meant.then_some(Refusal::Operator)
        })
    }

    /// Serves a carrier to its end. `websocket` is what it came by, if it did; `held` is given back when the carrier has ended.
    ///
    /// # Errors
    /// It was not served.
    pub async fn serve<H: Send + 'static>(
        &self,
        carrier: BoxedCarrier,
        origin: Origin,
        websocket: Option<Arc<Arrived>>,
        held: H,
    ) -> Result<(), ServeError> {
        let config = self.config.load_full();
        let mut carrier = BufReader::with_capacity(preamble::LOOK, carrier);
        let first = within(config.handshake_timeout, carrier.fill_buf()).await??;
        let is_probe = first.first() == preamble::PROBE.first();
        if is_probe {
            return Box::pin(probe::serve(self, &config, carrier, (origin, websocket))).await;
        }
        // What the request held is kept for nobody else.
        drop(websocket);
        // Each boxed, so that a carrier of either kind takes what it takes and no more.
        match first.first() {
            // The first byte of a TLS handshake (RFC 8446 section 5.1).
            Some(0x16) => Box::pin(control::serve(self, &config, carrier, origin)).await,
            _ => Box::pin(data::serve(self, &config, carrier, origin, held)).await,
        }
    }
}

impl Origin {
    /// What audit events say of whoever came so; whose it is, once that is proved.
    fn who<'a>(&'a self, party: Option<(&'a str, &'a str)>) -> Who<'a> {
        Who {
            listener: Some(&self.listener),
            client: self.address,
            route: Some(&self.route),
            session: Some(self.number),
            subject: party.map(|(name, _)| name),
            method: party.map(|_| "relay"),
            token_id: party.map(|(_, serial)| serial),
            trace: None,
        }
    }
}

/// Waits no longer than this.
async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Result<T, ServeError> {
    tokio::time::timeout(time, what).await.map_err(|_| ServeError::Late)
}
