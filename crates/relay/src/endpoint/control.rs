//! An endpoint's control connection: dialled again whenever it breaks, and asked through a handle.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use wicketgate_tls::TlsStream;

use super::Backoff;
use crate::carrier::{BoxedCarrier, DialError, Dialer, Kind, Opened, Standing, Turn};
use crate::control::message::{FromEndpoint, FromGateway, Hello, Refusal};
use crate::control::version::{OLDEST, Version};
use crate::control::{Channel, ChannelError};
use crate::identity::{HandshakeError, Identity};
use crate::name::Name;
use crate::revocation::{ListError, Newest};
use crate::session::{Reason, SessionId};
use crate::ticket::Sealed;

/// How long TLS with the gateway, and its answer to the first message, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the end of a connection may take that another has taken the place of.
const FAREWELL: Duration = Duration::from_secs(1);
/// Requests that may wait for the connection.
const WAITING: usize = 64;

/// Why there is no control connection, or no answer on it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No carrier.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No TLS with a gateway of the site.
    #[error("what answers is no gateway of this site: {0}")]
    Handshake(#[from] HandshakeError),
    /// It broke.
    #[error("the control connection broke: {0}")]
    Channel(#[from] ChannelError),
    /// Nothing comes to the address that it was dialled from.
    #[error("this machine's address has changed")]
    Moved,
    /// The gateway has taken too long.
    #[error("the gateway does not answer")]
    Late,
    /// The gateway says no.
    #[error("{text}")]
    Refused {
        /// Why.
        reason: Refusal,
        /// The same for people.
        text: String,
    },
    /// There is no connection now, and it is dialled again.
    #[error("there is no way to the gateway: {0}")]
    Unreachable(String),
    /// The endpoint ends.
    #[error("this endpoint ends")]
    Ending,
}

/// What a session is opened and attached with.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The session.
    pub session: SessionId,
    /// The ticket.
    pub ticket: Sealed,
}

/// Somebody wants a session with this agent.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// What carriers are opened with.
    pub granted: Granted,
    /// Who wants it.
    pub client: Name,
    /// What the gateway lets it use.
    pub services: Vec<String>,
}

enum Wish {
    Open { agent: String, services: Vec<String> },
    Renew(Sealed),
}

enum Request {
    /// Something is asked.
    Ask { wish: Wish, answer: oneshot::Sender<Result<Granted, ControlError>> },
    /// Something is told.
    Tell(FromEndpoint),
}

/// What an agent is told without having asked.
#[derive(Clone, Debug)]
pub enum Call {
    /// Somebody wants a session.
    Invitation(Invitation),
    /// The client of a session waits for its other end.
    Wanted(Granted),
}

impl Wish {
    fn message(self, request: u64) -> FromEndpoint {
        match self {
            Self::Open { agent, services } => FromEndpoint::Open { request, agent, services },
            Self::Renew(ticket) => FromEndpoint::Renew { request, ticket },
        }
    }
}

/// Asks the gateway.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<Request>);

impl Control {
    /// Asks for a session with an agent.
    ///
    /// # Errors
    /// The gateway cannot be reached now, or says no.
    pub async fn open(&self, agent: &str, services: Vec<String>) -> Result<Granted, ControlError> {
        self.ask(Wish::Open { agent: agent.to_owned(), services }).await
    }

    /// Asks for another ticket in place of this one.
    ///
    /// # Errors
    /// The gateway cannot be reached now, or says no.
    pub async fn renew(&self, ticket: &Sealed) -> Result<Granted, ControlError> {
        self.ask(Wish::Renew(ticket.clone())).await
    }

    /// Tells the gateway that a session has ended, if it can be told now.
    pub fn ended(&self, ticket: &Sealed, reason: Reason, breaks: u64) {
        let ended = FromEndpoint::Ended { ticket: ticket.clone(), reason: reason.code(), breaks };
        let _ = self.0.try_send(Request::Tell(ended));
    }

    async fn ask(&self, wish: Wish) -> Result<Granted, ControlError> {
        let (answer, answered) = oneshot::channel();
        let sent = async {
            self.0.send(Request::Ask { wish, answer }).await.map_err(|_| ControlError::Ending)?;
            answered.await.unwrap_or(Err(ControlError::Ending))
        };
        timeout(HANDSHAKE, sent).await.unwrap_or(Err(ControlError::Late))
    }
}

/// The control connection itself, to be [run](Keeper::run) in a task.
#[derive(Debug)]
pub struct Keeper {
    dialer: Dialer,
    identity: Arc<Identity>,
    requests: mpsc::Receiver<Request>,
    calls: mpsc::Sender<Call>,
    revoked: Arc<Newest>,
}

/// What comes with a control connection.
#[derive(Debug)]
pub struct Controlled {
    /// Asks the gateway.
    pub control: Control,
    /// The connection itself.
    pub keeper: Keeper,
    /// What an agent is called for.
    pub calls: mpsc::Receiver<Call>,
    /// What the authority has revoked, as far as the gateway has told.
    pub revoked: Arc<Newest>,
}

/// A control connection for this identity.
pub fn control(dialer: Dialer, identity: Arc<Identity>) -> Controlled {
    let (asks, requests) = mpsc::channel(WAITING);
    let (calls, called) = mpsc::channel(WAITING);
    let revoked = Arc::<Newest>::default();
    let keeper = Keeper { dialer, identity, requests, calls, revoked: revoked.clone() };
    Controlled { control: Control(asks), keeper, calls: called, revoked }
}

/// A connection that stands.
struct Open {
    channel: Channel<TlsStream<BoxedCarrier>>,
    gateway: Name,
    version: Version,
    /// Its carrier.
    standing: Standing,
}

impl Keeper {
    /// Keeps the connection until every handle is gone. `told` hears what becomes of it.
    pub async fn run(mut self, told: impl Fn(&State)) {
        let mut backoff = Backoff::default();
        // With another gateway than one that ends.
        let mut next = None;
        loop {
            let connected = match next.take() {
                Some(open) => Ok(open),
                None => connect(&self.dialer, &self.identity).await,
            };
            let lost = match connected {
                Ok(mut open) => {
                    backoff.reset();
                    told(&State::Connected {
                        gateway: open.gateway.clone(),
                        version: open.version,
                        carrier: open.standing.kind,
                    });
                    let attended = tokio::select! {
                        attended = self.attend(&mut open.channel, open.standing) => attended,
                        () = Opened::moved(open.standing.local) => Err(ControlError::Moved),
                    };
                    match attended {
                        Ok(None) => return open.channel.end().await,
                        Ok(Some(elsewhere)) => {
                            next = Some(*elsewhere);
                            let _ = timeout(FAREWELL, open.channel.end()).await;
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let why = lost.to_string();
            told(&State::Lost(lost));
            if !self.rest(backoff.wait(), &why).await {
                return;
            }
        }
    }

    /// Asks and listens; to the end of all handles, or of the connection. Where the gateway says that it ends, or the carrier is about
    /// to be cut, what comes back is another connection, once there is one and nothing is unanswered.
    async fn attend(
        &mut self,
        channel: &mut Channel<TlsStream<BoxedCarrier>>,
        standing: Standing,
    ) -> Result<Option<Box<Open>>, ControlError> {
        let (dialer, identity) = (self.dialer.clone(), self.identity.clone());
        let mut elsewhere = Box::pin(elsewhere(&dialer, &identity, &standing));
        let mut other = None;
        let mut heard = Instant::now();
        let over = self.converse(channel, &standing, elsewhere.as_mut(), (&mut other, &mut heard)).await;
        match &over {
            Err(ControlError::Late) => dialer.ended(&standing, heard, true),
            Err(ControlError::Channel(_)) => dialer.ended(&standing, heard, false),
            _ => {}
        }
        match over {
            // What was asked on the old one is not answered any more; the new one stands.
            Err(error) => match other {
                Some(open) => {
                    tracing::debug!("the gateway has ended: {error}");
                    Ok(Some(Box::new(open)))
                }
                None => Err(error),
            },
            Ok(over) => Ok(over),
        }
    }

    async fn converse(
        &mut self,
        channel: &mut Channel<TlsStream<BoxedCarrier>>,
        standing: &Standing,
        mut elsewhere: Pin<&mut impl Future<Output = Open>>,
        (other, heard): (&mut Option<Open>, &mut Instant),
    ) -> Result<Option<Box<Open>>, ControlError> {
        let mut waiting: HashMap<u64, oneshot::Sender<Result<Granted, ControlError>>> = HashMap::new();
        let mut next = 1;
        let interval = self.dialer.interval(standing.kind);
        let patience = interval + self.dialer.keepalive().patience();
        let mut ping = tokio::time::interval(interval);
        let silence = tokio::time::sleep(patience);
        tokio::pin!(silence);
        loop {
            waiting.retain(|_, answer: &mut oneshot::Sender<_>| !answer.is_closed());
            if waiting.is_empty()
                && let Some(open) = other.take()
            {
                return Ok(Some(Box::new(open)));
            }
            tokio::select! {
                open = &mut elsewhere, if other.is_none() => *other = Some(open),
                message = channel.receive::<FromGateway>() => {
                    let message = message?;
                    *heard = Instant::now();
                    silence.as_mut().reset(*heard + patience);
                    self.take(message, &mut waiting)?;
                }
                request = self.requests.recv(), if other.is_none() => {
                    let message = match request {
                        None => return Ok(None),
                        Some(Request::Tell(message)) => message,
                        Some(Request::Ask { wish, answer }) => {
                            waiting.insert(next, answer);
                            next += 1;
                            wish.message(next - 1)
                        }
                    };
                    timeout(patience, channel.send(&message)).await.map_err(|_| ControlError::Late)??;
                }
                _ = ping.tick() => {
                    timeout(patience, channel.send(&FromEndpoint::Ping)).await.map_err(|_| ControlError::Late)??;
                }
                () = &mut silence => return Err(ControlError::Late),
            }
        }
    }

    fn take(
        &self,
        message: FromGateway,
        waiting: &mut HashMap<u64, oneshot::Sender<Result<Granted, ControlError>>>,
    ) -> Result<(), ControlError> {
        let (request, answer) = match message {
            FromGateway::Ticket { request, session, ticket } => (request, Ok(Granted { session, ticket })),
            FromGateway::Refused { request: 0, reason, text } => {
                return Err(ControlError::Refused { reason, text });
            }
            FromGateway::Refused { request, reason, text } => {
                (request, Err(ControlError::Refused { reason, text }))
            }
            FromGateway::Invitation { session, client, services, ticket } => {
                let granted = Granted { session, ticket };
                // Where the agent does not keep up, the client asks again.
                let _ = self.calls.try_send(Call::Invitation(Invitation { granted, client, services }));
                return Ok(());
            }
            FromGateway::Wanted { session, ticket } => {
                let _ = self.calls.try_send(Call::Wanted(Granted { session, ticket }));
                return Ok(());
            }
            FromGateway::Revocations { list } => {
                let taken = STANDARD.decode(&list).map_err(|_| ListError::Unreadable);
                if let Err(error) = taken.and_then(|der| self.revoked.take(&der, &self.identity.authorities))
                {
                    tracing::warn!("the gateway's list of revocations {error}");
                }
                return Ok(());
            }
            FromGateway::Draining => {
                tracing::debug!("the gateway ends");
                self.dialer.leave();
                return Ok(());
            }
            FromGateway::Pong
            | FromGateway::Welcome(_)
            | FromGateway::Probe { .. }
            | FromGateway::Join { .. } => return Ok(()),
        };
        if let Some(waits) = waiting.remove(&request) {
            let _ = waits.send(answer);
        }
        Ok(())
    }

    /// Waits, and answers meanwhile why the gateway is not there. `false` where every handle is gone.
    async fn rest(&mut self, time: Duration, why: &str) -> bool {
        let rest = tokio::time::sleep(time);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => return true,
                request = self.requests.recv() => match request {
                    Some(Request::Ask { answer, .. }) => {
                        let _ = answer.send(Err(ControlError::Unreachable(why.to_owned())));
                    }
                    Some(Request::Tell(_)) => {}
                    None => return false,
                }
            }
        }
    }
}

async fn connect(dialer: &Dialer, identity: &Identity) -> Result<Open, ControlError> {
    let Opened { carrier, standing } = dialer.dial().await?;
    let handshake = async {
        let established = identity.connect_gateway(carrier).await?;
        let mut channel = Channel::new(established.stream);
        let hello = Hello { version: Version::own(), minimum: OLDEST };
        channel.send(&FromEndpoint::Hello(hello)).await?;
        match channel.receive().await? {
            FromGateway::Welcome(welcome) => {
                Ok(Open { channel, gateway: established.peer.name, version: welcome.version, standing })
            }
            FromGateway::Refused { reason, text, .. } => Err(ControlError::Refused { reason, text }),
            _ => {
                let text = "the gateway's first message is none".to_owned();
                Err(ControlError::Refused { reason: Refusal::Protocol, text })
            }
        }
    };
    timeout(HANDSHAKE, handshake).await.unwrap_or(Err(ControlError::Late))
}

/// Another connection, once this one's gateway ends, or its carrier is about to be cut.
async fn elsewhere(dialer: &Dialer, identity: &Identity, standing: &Standing) -> Open {
    dialer.due(standing, Turn::any(), &Notify::new()).await;
    loop {
        match Box::pin(connect(dialer, identity)).await {
            Ok(open) => return open,
            Err(error) => tracing::debug!("a control connection ends, and there is no other yet: {error}"),
        }
        Dialer::pause().await;
    }
}

/// What becomes of a control connection.
#[derive(Debug)]
pub enum State {
    /// It stands.
    Connected {
        /// The gateway.
        gateway: Name,
        /// Its version.
        version: Version,
        /// What the connection runs over.
        carrier: Kind,
    },
    /// There is none, and it will be dialled again.
    Lost(ControlError),
}
