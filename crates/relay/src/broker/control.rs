//! A control connection: an endpoint proves who it is, and then asks, or is asked.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wicketgate_audit::private::{About, Private};
use wicketgate_audit::{Event, Who};
use wicketgate_tls::TlsStream;

use super::live::{Entered, What};
use super::registry::Registered;
use super::{Broker, Origin, RENEWABLE, ServeError, join, probe, within};
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::message::{FromEndpoint, FromGateway, Refusal, Welcome};
use crate::control::version::{OLDEST, Version};
use crate::control::{Channel, ChannelError};
use crate::identity::{Arriving, Certified, Established, HandshakeError};
use crate::name::{Role, is_service};
use crate::session::{Reason, SessionId};
use crate::ticket::{Expiry, Sealed, Ticket};

/// How long an endpoint may be silent: three of its pings.
const SILENCE: Duration = Duration::from_secs(75);
/// How long a message to an endpoint may take.
const SEND: Duration = Duration::from_secs(20);
/// The most services in one request.
const MAX_SERVICES: usize = 64;

type Endpoint = Channel<Box<TlsStream<BoxedCarrier>>>;

/// Serves an endpoint until it goes.
pub(super) async fn serve(
    broker: &Broker,
    config: &Arc<RelayConfig>,
    carrier: BufReader<BoxedCarrier>,
    origin: Origin,
) -> Result<(), ServeError> {
    // Apart from what stays as long as the connection does.
    let arrived = async {
        let early = BytesMut::from(carrier.buffer());
        let arriving = Arriving::read(carrier.into_inner(), early).await?;
        if arriving.wants_to_join() {
            return Ok(Err(Box::new(arriving)));
        }
        let Established { stream, peer, .. } = config.identity.accept_endpoint(arriving).await?;
        Ok::<_, HandshakeError>(Ok((Box::new(stream), peer)))
    };
    let (stream, peer) = match within(config.handshake_timeout, Box::pin(arrived)).await?? {
        Ok(established) => established,
        Err(arriving) => return Box::pin(join::serve(broker, config, *arriving, origin)).await,
    };
    let name = peer.name.to_string();
    let who = origin.who(Some((&name, &peer.serial)));
    let mut channel = Channel::new(stream);
    let hello = within(config.handshake_timeout, channel.receive()).await??;
    let admitted = match hello {
        FromEndpoint::Probe(hello) => {
            may_come(broker, config, &peer, &FromEndpoint::Hello(hello)).map(|_| None)
        }
        hello => admit(broker, config, &peer, &hello, &origin).map(Some),
    };
    let (version, registered, entered) = match admitted {
        Ok(Some(admitted)) => admitted,
        Ok(None) => {
            send(&mut channel, &probe::grant(broker, &peer)).await?;
            channel.end().await;
            return Ok(());
        }
        Err((reason, text)) => {
            let refused =
                Private::Refused { about: About::default(), reason: ServeError::Refused(reason).label() };
            broker.audit.log(&Event::Private(refused), &who);
            within(SEND, channel.send(&FromGateway::Refused { request: 0, reason, text })).await??;
            channel.end().await;
            return Err(ServeError::Refused(reason));
        }
    };
    let shown = version.to_string();
    let connected = Private::Connected { version: &shown, carrier: origin.kind.label() };
    broker.audit.wait(&Event::Private(connected), &who).await;
    tracing::info!(endpoint = %peer.name, address = ?origin.address, carrier = %origin.kind, "connected");
    let start = Instant::now();
    let ended = Attended { broker, peer: &peer, who, entered, registered }.attend(&mut channel).await;
    let reason = ended.as_ref().map_or_else(ServeError::label, |()| "closed");
    tracing::info!(endpoint = %peer.name, reason, "gone");
    let gone = Private::Disconnected { reason, duration: start.elapsed() };
    broker.audit.log(&Event::Private(gone), &who);
    channel.end().await;
    ended
}

/// Lets an endpoint in; else what to tell it.
fn admit(
    broker: &Broker,
    config: &RelayConfig,
    peer: &Certified,
    hello: &FromEndpoint,
    origin: &Origin,
) -> Result<(Version, Option<Registered>, Entered), (Refusal, String)> {
    let version = judge(config, hello)?;
    // First its place, so that whatever is revoked from now on ends it.
    let entered = broker.live.enter(What::Endpoint(peer.clone(), version), origin.clone());
    not_revoked(broker, peer)?;
    let registered = match peer.name.role {
        Role::Agent => {
            let full = |reason| (reason, "this gateway has as many agents as it may have".to_owned());
            let registered = broker.agents.register(&peer.name, &peer.serial, config.max_agents);
            Some(registered.map_err(full)?)
        }
        Role::Authority if config.enrolment.is_none() => {
            let text = "this gateway lets nobody join: it has no section `relay.enrolment`";
            return Err((Refusal::Access, text.to_owned()));
        }
        // The newest connection of the one authority that there is.
        Role::Authority => broker.authorities.register(&peer.name, &peer.serial, 1).ok(),
        Role::Client | Role::Gateway => None,
    };
    Ok((version, registered, entered))
}

/// Whether an endpoint may come at all, registered or not; else what to tell it.
fn may_come(
    broker: &Broker,
    config: &RelayConfig,
    peer: &Certified,
    hello: &FromEndpoint,
) -> Result<Version, (Refusal, String)> {
    let version = judge(config, hello)?;
    not_revoked(broker, peer)?;
    Ok(version)
}

fn not_revoked(broker: &Broker, peer: &Certified) -> Result<(), (Refusal, String)> {
    match broker.config.load().revocations.covers(&peer.name, &peer.serial) {
        true => Err((Refusal::Revoked, format!("{} is revoked", peer.name))),
        false => Ok(()),
    }
}

/// Whether an endpoint's software and ours take each other; else what to tell it.
fn judge(config: &RelayConfig, hello: &FromEndpoint) -> Result<Version, (Refusal, String)> {
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
    Ok(hello.version)
}

/// An endpoint that was let in.
struct Attended<'a> {
    broker: &'a Broker,
    peer: &'a Certified,
    who: Who<'a>,
    entered: Entered,
    registered: Option<Registered>,
}

impl Attended<'_> {
    async fn attend(mut self, channel: &mut Endpoint) -> Result<(), ServeError> {
        let Self { broker, peer, .. } = self;
        send(channel, &FromGateway::Welcome(Welcome { version: Version::own() })).await?;
        let mut revoked = broker.revoked.subscribe();
        let mut told_to_leave = false;
        // Before it hears of anybody whom it is to refuse.
        let mut list = broker.list();
        if let Some(list) = &list {
            send(channel, list).await?;
        }
        if self.registered.is_some() {
            let waiting = broker.meeting.waiting_for(&peer.name);
            for wanted in waiting.iter().filter_map(|ticket| broker.wanted(ticket)) {
                send(channel, &wanted).await?;
            }
        }
        loop {
            let orders = self.registered.as_mut().map(|registered| &mut registered.messages);
            tokio::select! {
                message = within(SILENCE, channel.receive()) => {
                    let answer = match message? {
                        Ok(message) => broker.answer(peer, &self.who, message).await,
                        Err(ChannelError::Ended) => return Ok(()),
                        Err(error) => return Err(error.into()),
                    };
                    if let Some(answer) = answer {
                        send(channel, &answer).await?;
                    }
                }
                order = next(orders) => match order {
                    Some(order) => send(channel, &order).await?,
                    // Another connection of this agent has taken the place.
                    None => return Ok(()),
                },
                _ = revoked.changed() => {
                    let newer = broker.list();
                    if newer != list && let Some(newer) = &newer {
                        send(channel, newer).await?;
                    }
                    list = newer;
                }
                () = broker.draining.cancelled(), if !told_to_leave => {
                    told_to_leave = true;
                    send(channel, &FromGateway::Draining).await?;
                }
                reason = self.entered.stopped() => {
                    let text = format!("{}: {reason}", peer.name);
                    send(channel, &FromGateway::Refused { request: 0, reason, text }).await?;
                    return Err(ServeError::Refused(reason));
                }
            }
        }
    }
}

async fn send(channel: &mut Endpoint, message: &FromGateway) -> Result<(), ServeError> {
    Ok(within(SEND, channel.send(message)).await??)
}

async fn next(orders: Option<&mut mpsc::Receiver<FromGateway>>) -> Option<FromGateway> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

impl Broker {
    async fn answer(&self, peer: &Certified, who: &Who<'_>, message: FromEndpoint) -> Option<FromGateway> {
        let (request, answer) = match message {
            FromEndpoint::Ping => return Some(FromGateway::Pong),
            FromEndpoint::Open { request, agent, services } => {
                (request, self.open(peer, who, &agent, services).await)
            }
            FromEndpoint::Renew { request, ticket } => (request, self.renew(peer, &ticket)),
            FromEndpoint::Ended { ticket, reason, breaks } => {
                self.end(peer, who, &ticket, reason, breaks);
                return None;
            }
            FromEndpoint::Joined { request, answer } => {
                if peer.name.role == Role::Authority {
                    self.joins.answered(request, answer);
                }
                return None;
            }
            FromEndpoint::Hello(_) | FromEndpoint::Probe(_) => {
                (0, Err((Refusal::Protocol, "a second hello".to_owned())))
            }
        };
        Some(match answer {
            Ok((session, ticket)) => FromGateway::Ticket { request, session, ticket },
            Err((reason, text)) => FromGateway::Refused { request, reason, text },
        })
    }

    /// What the site's authority has revoked, as endpoints are told.
    fn list(&self) -> Option<FromGateway> {
        let list = self.config.load().revocations.list.as_ref()?.current()?;
        Some(FromGateway::Revocations { list: STANDARD.encode(list.der()) })
    }

    /// Records the end of a session, in its agent's words.
    fn end(&self, peer: &Certified, who: &Who<'_>, ticket: &Sealed, reason: u16, breaks: u64) {
        let ticket = self.seal.load().read(ticket).ok();
        let own = ticket.filter(|ticket| ticket.holder == Role::Agent && ticket.agent == peer.name);
        let Some(ticket) = own else { return };
        let (session, services) = (ticket.session.to_string(), ticket.services.join(","));
        let about = About { session: Some(&session), agent: &ticket.agent.name, services: &services };
        let ended = Private::Ended { about, reason: Reason::from_code(reason).label(), breaks };
        self.audit.log(&Event::Private(ended), who);
    }

    /// Begins a session, and records that, or why not.
    async fn open(
        &self,
        peer: &Certified,
        who: &Who<'_>,
        agent: &str,
        services: Vec<String>,
    ) -> Result<(SessionId, Sealed), (Refusal, String)> {
        let asked = services.join(",");
        let granted = self.grant(peer, agent, services);
        let session = granted.as_ref().ok().map(|(session, ..)| session.to_string());
        let about = About { session: session.as_deref(), agent, services: &asked };
        match granted {
            Ok((session, own, invitation)) => {
                self.counts.granted.fetch_add(1, Relaxed);
                self.audit.wait(&Event::Private(Private::Granted(about)), who).await;
                let absent = |reason| (reason, format!("the agent {agent} is not connected to the gateway"));
                self.agents.tell(agent, invitation).map_err(absent)?;
                Ok((session, own))
            }
            Err((reason, text)) => {
                let refused = Private::Refused { about, reason: ServeError::Refused(reason).label() };
                self.audit.log(&Event::Private(refused), who);
                Err((reason, text))
            }
        }
    }

    /// What a session begins with: the client's ticket, and the invitation to the agent.
    fn grant(
        &self,
        peer: &Certified,
        agent: &str,
        services: Vec<String>,
    ) -> Result<(SessionId, Sealed, FromGateway), (Refusal, String)> {
        if peer.name.role != Role::Client {
            return Err((Refusal::Protocol, "sessions are opened by clients".into()));
        }
        if services.is_empty() || services.len() > MAX_SERVICES {
            return Err((Refusal::Protocol, format!("a session is for 1 to {MAX_SERVICES} services")));
        }
        // Rules with `*` would allow anything else to be asked of an agent, and audits show the names side by side.
        if !services.iter().all(|service| is_service(service)) {
            return Err((Refusal::Protocol, "this is the name of no service".into()));
        }
        // Who may not reach an agent does not learn whether it is there.
        let client = &peer.name.name;
        let config = self.config.load();
        let now = SystemTime::now();
        let denied = services.iter().find(|service| !config.access.allows(client, agent, service, now));
        if let Some(service) = denied {
            let text = format!(
                "the gateway does not let {client} reach `{service}` of {agent}: `relay.access` has no such rule, or none for this time"
            );
            return Err((Refusal::Access, text));
        }
        let absent = || (Refusal::AgentAbsent, format!("the agent {agent} is not connected to the gateway"));
        let (agent_name, agent_serial) = self.agents.find(agent).ok_or_else(absent)?;
        for (role, name, most) in [
            (Role::Client, &**client, config.max_sessions_per_client),
            (Role::Agent, agent, config.max_sessions_per_agent),
        ] {
            if self.live.sessions_of(role, name) >= most {
                let text = format!("the {} {name} has {most} sessions, as many as it may have", role.label());
                return Err((Refusal::Limit, text));
            }
        }
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
            expires: Expiry::after(config.ticket_lifetime),
        };
        let seal = self.seal.load();
        let own = seal.seal(&ticket).ok_or_else(unsealed)?;
        let theirs = seal.seal(&Ticket { holder: Role::Agent, ..ticket.clone() }).ok_or_else(unsealed)?;
        let Ticket { client, services, .. } = ticket;
        let invitation = FromGateway::Invitation { session, client, services, ticket: theirs };
        Ok((session, own, invitation))
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
        self.authorise(&old).map_err(|reason| (reason, format!("the session is not let go on: {reason}")))?;
        let session = old.session;
        let young = Ticket { expires: Expiry::after(self.config.load().ticket_lifetime), ..old };
        let sealed = seal.seal(&young);
        sealed.map(|ticket| (session, ticket)).ok_or((Refusal::Limit, "no randomness".into()))
    }

    /// Whether what a ticket was made for is still allowed.
    pub(super) fn authorise(&self, ticket: &Ticket) -> Result<(), Refusal> {
        let config = self.config.load();
        let Ticket { client, agent, .. } = ticket;
        if config.revocations.covers(client, &ticket.client_serial)
            || config.revocations.covers(agent, &ticket.agent_serial)
        {
            return Err(Refusal::Revoked);
        }
        if self.ended.has(ticket.session) {
            return Err(Refusal::Operator);
        }
        let now = SystemTime::now();
        let allows = |service: &String| config.access.allows(&client.name, &agent.name, service, now);
        if ticket.services.iter().all(allows) { Ok(()) } else { Err(Refusal::Access) }
    }
}
