//! A control connection: an endpoint proves who it is, and then asks, or is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::sync::mpsc;

use super::registry::Registered;
use super::{Broker, Origin, ServeError, probe, within};
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::Channel;
use crate::control::message::{FromEndpoint, FromGateway, Refusal, Welcome};
use crate::control::version::{OLDEST, Version};
use crate::identity::Certified;
use crate::name::Role;
use crate::session::SessionId;
use crate::ticket::{Sealed, Ticket};

/// How long an endpoint may be silent: three of its pings.
const SILENCE: Duration = Duration::from_secs(75);
/// How long a message to an endpoint may take.
const SEND: Duration = Duration::from_secs(20);
/// The most services in one request.
const MAX_SERVICES: usize = 64;
/// How long after its expiry a ticket can be exchanged for another: as long as the ends of a session may be apart.
const RENEWABLE: Duration = Duration::from_secs(600);

type Endpoint = Channel<tokio_rustls::TlsStream<BufReader<BoxedCarrier>>>;

/// Serves an endpoint until it goes.
pub(super) async fn serve(
    broker: &Broker,
    config: &Arc<RelayConfig>,
    carrier: BufReader<BoxedCarrier>,
    origin: Origin,
) -> Result<(), ServeError> {
    let established = within(config.handshake_timeout, config.identity.accept_endpoint(carrier)).await??;
    let peer = established.peer;
    let mut channel = Channel::new(established.stream);
    let (hello, probes) = match within(config.handshake_timeout, channel.receive()).await?? {
        FromEndpoint::Probe(hello) => (FromEndpoint::Hello(hello), true),
        other => (other, false),
    };
    if let Err((reason, text)) = judge(config, &hello) {
        within(SEND, channel.send(&FromGateway::Refused { request: 0, reason, text })).await??;
        channel.end().await;
        return Err(ServeError::Refused(reason));
    }
    if probes {
        let granted = probe::grant(broker, &peer);
        within(SEND, channel.send(&granted)).await??;
        channel.end().await;
        return Ok(());
    }
    let registered = match peer.name.role {
        Role::Agent => match broker.agents.register(&peer.name, &peer.serial, config.max_agents) {
            Ok(registered) => Some(registered),
            Err(reason) => {
                let text = "this gateway has as many agents as it may have".to_owned();
                within(SEND, channel.send(&FromGateway::Refused { request: 0, reason, text })).await??;
                return Err(ServeError::Refused(reason));
            }
        },
        Role::Client | Role::Gateway => None,
    };
    within(SEND, channel.send(&FromGateway::Welcome(Welcome { version: Version::own() }))).await??;
    tracing::info!(endpoint = %peer.name, address = ?origin.address, "connected");
    if registered.is_some() {
        for wanted in broker.meeting.waiting_for(&peer.name).iter().filter_map(|ticket| broker.wanted(ticket))
        {
            within(SEND, channel.send(&wanted)).await??;
        }
    }
    let ended = attend(broker, &mut channel, &peer, registered).await;
    tracing::info!(endpoint = %peer.name, "gone");
    ended
}

/// Whether an endpoint's software and ours take each other; else what to tell it.
fn judge(config: &RelayConfig, hello: &FromEndpoint) -> Result<(), (Refusal, String)> {
    let FromEndpoint::Hello(hello) = hello else {
        return Err((Refusal::Protocol, "the first message is none".into()));
    };
    let least = config.minimum_version.max(OLDEST);
    if hello.version < least {
        let text = format!(
            "this endpoint's version {} is older than {least}, which the gateway asks for: update the endpoint",
            hello.version
        );
        return Err((Refusal::Version, text));
    }
    if Version::own() < hello.minimum {
        let text = format!(
            "the gateway's version {} is older than {}, which this endpoint asks for: update the gateway",
            Version::own(),
            hello.minimum
        );
        return Err((Refusal::Version, text));
    }
    Ok(())
}

async fn attend(
    broker: &Broker,
    channel: &mut Endpoint,
    peer: &Certified,
    mut registered: Option<Registered>,
) -> Result<(), ServeError> {
    loop {
        let orders = registered.as_mut().map(|registered| &mut registered.messages);
        tokio::select! {
            message = within(SILENCE, channel.receive()) => {
                let answer = match message? {
                    Ok(message) => broker.answer(peer, message),
                    Err(crate::control::ChannelError::Ended) => return Ok(()),
                    Err(error) => return Err(error.into()),
                };
                within(SEND, channel.send(&answer)).await??;
            }
            order = next(orders) => match order {
                Some(order) => within(SEND, channel.send(&order)).await??,
                // Another connection of this agent has taken the place.
                None => return Ok(()),
            }
        }
    }
}

async fn next(orders: Option<&mut mpsc::Receiver<FromGateway>>) -> Option<FromGateway> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

impl Broker {
    fn answer(&self, peer: &Certified, message: FromEndpoint) -> FromGateway {
        let (request, answer) = match message {
            FromEndpoint::Ping => return FromGateway::Pong,
            FromEndpoint::Open { request, agent, services } => (request, self.open(peer, &agent, services)),
            FromEndpoint::Renew { request, ticket } => (request, self.renew(peer, &ticket)),
            FromEndpoint::Hello(_) | FromEndpoint::Probe(_) => {
                (0, Err((Refusal::Protocol, "a second hello".to_owned())))
            }
        };
        match answer {
            Ok((session, ticket)) => FromGateway::Ticket { request, session, ticket },
            Err((reason, text)) => FromGateway::Refused { request, reason, text },
        }
    }

    /// Begins a session: the agent is invited, the client gets its ticket.
    fn open(
        &self,
        peer: &Certified,
        agent: &str,
        services: Vec<String>,
    ) -> Result<(SessionId, Sealed), (Refusal, String)> {
        if peer.name.role != Role::Client {
            return Err((Refusal::Protocol, "sessions are opened by clients".into()));
        }
        if services.is_empty() || services.len() > MAX_SERVICES {
            return Err((Refusal::Protocol, format!("a session is for 1 to {MAX_SERVICES} services")));
        }
        // Who may not reach an agent does not learn whether it is there.
        let client = &peer.name.name;
        let config = self.config.load();
        let denied = services.iter().find(|service| !config.access.allows(client, agent, service));
        if let Some(service) = denied {
            let text = format!(
                "the gateway does not let {client} reach `{service}` of {agent}: `relay.access` has no such rule"
            );
            return Err((Refusal::Access, text));
        }
        let absent = || (Refusal::AgentAbsent, format!("the agent {agent} is not connected to the gateway"));
        let (agent_name, agent_serial) = self.agents.find(agent).ok_or_else(absent)?;
        let unsealed = || (Refusal::Limit, "the gateway's system gives no randomness".to_owned());
        let session = SessionId::generate().ok_or_else(unsealed)?;
        let ticket = Ticket {
            session,
            holder: Role::Client,
            client: peer.name.clone(),
            client_serial: peer.serial.clone(),
            agent: agent_name,
            agent_serial,
            services,
            expires: Ticket::expiry(config.ticket_lifetime),
        };
        let seal = self.seal.load();
        let own = seal.seal(&ticket).ok_or_else(unsealed)?;
        let theirs = seal.seal(&Ticket { holder: Role::Agent, ..ticket.clone() }).ok_or_else(unsealed)?;
        let Ticket { client, services, .. } = ticket;
        let invitation = FromGateway::Invitation { session, client, services, ticket: theirs };
        self.agents.tell(agent, invitation).map_err(|_| absent())?;
        Ok((session, own))
    }

    /// What an agent is told of a client that waits for it: it may have been started anew, and know nothing of the session.
    pub(super) fn wanted(&self, ticket: &Ticket) -> Option<FromGateway> {
        let theirs = Ticket { holder: Role::Agent, ..ticket.clone() };
        let sealed = self.seal.load().seal(&theirs)?;
        Some(FromGateway::Wanted { session: ticket.session, ticket: sealed })
    }

    /// Exchanges a ticket for a younger one.
    fn renew(&self, peer: &Certified, sealed: &Sealed) -> Result<(SessionId, Sealed), (Refusal, String)> {
        let not = |text: &str| (Refusal::Ticket, text.to_owned());
        let seal = self.seal.load();
        let old = seal.read(sealed).map_err(|error| not(&error.to_string()))?;
        let (name, serial) = match old.holder {
            Role::Agent => (&old.agent, &old.agent_serial),
            _ => (&old.client, &old.client_serial),
        };
        if *name != peer.name || *serial != peer.serial {
            return Err(not("this ticket is another's"));
        }
        if old.is_expired(RENEWABLE) {
            return Err(not("this ticket has expired too long ago"));
        }
        self.authorise(&old)
            .map_err(|reason| (reason, "no rule of `relay.access` allows it any more".into()))?;
        let session = old.session;
        let young = Ticket { expires: Ticket::expiry(self.config.load().ticket_lifetime), ..old };
        let sealed = seal.seal(&young);
        sealed.map(|ticket| (session, ticket)).ok_or((Refusal::Limit, "no randomness".into()))
    }

    /// Whether what a ticket was made for is still allowed.
    pub(super) fn authorise(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let config = self.config.load();
        let (client, agent) = (&ticket.client.name, &ticket.agent.name);
        let allowed = ticket.services.iter().all(|service| config.access.allows(client, agent, service));
        if allowed { Ok(()) } else { Err(Refusal::Access) }
    }
}
