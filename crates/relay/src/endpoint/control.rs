//! An endpoint's control connection: dialled again whenever it breaks, and asked through a handle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::Backoff;
use crate::carrier::BoxedCarrier;
use crate::carrier::websocket::{DialError, Dialer};
use crate::control::message::{FromEndpoint, FromGateway, Hello, Refusal};
use crate::control::version::{OLDEST, Version};
use crate::control::{Channel, ChannelError};
use crate::identity::{HandshakeError, Identity};
use crate::name::Name;
use crate::session::SessionId;
use crate::ticket::Sealed;

/// How often an endpoint says that it is there.
const PING: Duration = Duration::from_secs(20);
/// How long the gateway may be silent: two pings unanswered.
const SILENCE: Duration = Duration::from_secs(45);
/// How long TLS with the gateway, and its answer to the first message, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
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

struct Request {
    wish: Wish,
    answer: oneshot::Sender<Result<Granted, ControlError>>,
}

/// What an agent is told without having asked.
#[derive(Clone, Debug)]
pub enum Call {
    /// Somebody wants a session.
    Invitation(Invitation),
    /// The client of a session waits for its other end.
    Wanted(Granted),
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

    async fn ask(&self, wish: Wish) -> Result<Granted, ControlError> {
        let (answer, answered) = oneshot::channel();
        let sent = async {
            self.0.send(Request { wish, answer }).await.map_err(|_| ControlError::Ending)?;
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
}

/// A control connection for this identity, and what an agent is called for over it.
pub fn control(dialer: Dialer, identity: Arc<Identity>) -> (Control, Keeper, mpsc::Receiver<Call>) {
    let (asks, requests) = mpsc::channel(WAITING);
    let (calls, called) = mpsc::channel(WAITING);
    (Control(asks), Keeper { dialer, identity, requests, calls }, called)
}

struct Open {
    channel: Channel<TlsStream<BoxedCarrier>>,
    gateway: Name,
    version: Version,
}

impl Keeper {
    /// Keeps the connection until every handle is gone. `told` hears what becomes of it.
    pub async fn run(mut self, told: impl Fn(&State)) {
        let mut backoff = Backoff::default();
        loop {
            match self.connect().await {
                Ok(mut open) => {
                    backoff.reset();
                    told(&State::Connected { gateway: open.gateway.clone(), version: open.version });
                    match self.attend(&mut open.channel).await {
                        Ok(()) => return open.channel.end().await,
                        Err(error) => told(&State::Lost(error)),
                    }
                }
                Err(error) => told(&State::Lost(error)),
            }
            if !self.rest(backoff.wait()).await {
                return;
            }
        }
    }

    async fn connect(&self) -> Result<Open, ControlError> {
        let carrier = self.dialer.dial().await?;
        let handshake = async {
            let established = self.identity.connect_gateway(carrier).await?;
            let mut channel = Channel::new(established.stream);
            let hello = Hello { version: Version::own(), minimum: OLDEST };
            channel.send(&FromEndpoint::Hello(hello)).await?;
            match channel.receive().await? {
                FromGateway::Welcome(welcome) => {
                    Ok(Open { channel, gateway: established.peer.name, version: welcome.version })
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

    /// Asks and listens; to the end of all handles, or of the connection.
    async fn attend(&mut self, channel: &mut Channel<TlsStream<BoxedCarrier>>) -> Result<(), ControlError> {
        let mut waiting: HashMap<u64, oneshot::Sender<Result<Granted, ControlError>>> = HashMap::new();
        let mut next = 1;
        let mut ping = tokio::time::interval(PING);
        let silence = tokio::time::sleep(SILENCE);
        tokio::pin!(silence);
        loop {
            tokio::select! {
                message = channel.receive::<FromGateway>() => {
                    silence.as_mut().reset(tokio::time::Instant::now() + SILENCE);
                    self.take(message?, &mut waiting);
                }
                request = self.requests.recv() => {
                    let Some(Request { wish, answer }) = request else { return Ok(()) };
                    // Who asked may have given up long ago.
                    waiting.retain(|_, answer| !answer.is_closed());
                    waiting.insert(next, answer);
                    let message = match wish {
                        Wish::Open { agent, services } => FromEndpoint::Open { request: next, agent, services },
                        Wish::Renew(ticket) => FromEndpoint::Renew { request: next, ticket },
                    };
                    next += 1;
                    timeout(SILENCE, channel.send(&message)).await.map_err(|_| ControlError::Late)??;
                }
                _ = ping.tick() => {
                    timeout(SILENCE, channel.send(&FromEndpoint::Ping)).await.map_err(|_| ControlError::Late)??;
                }
                () = &mut silence => return Err(ControlError::Late),
            }
        }
    }

    fn take(
        &self,
        message: FromGateway,
        waiting: &mut HashMap<u64, oneshot::Sender<Result<Granted, ControlError>>>,
    ) {
        let (request, answer) = match message {
            FromGateway::Ticket { request, session, ticket } => (request, Ok(Granted { session, ticket })),
            FromGateway::Refused { request, reason, text } => {
                (request, Err(ControlError::Refused { reason, text }))
            }
            FromGateway::Invitation { session, client, services, ticket } => {
                let granted = Granted { session, ticket };
                // Where the agent does not keep up, the client asks again.
                let _ = self.calls.try_send(Call::Invitation(Invitation { granted, client, services }));
                return;
            }
            FromGateway::Wanted { session, ticket } => {
                let _ = self.calls.try_send(Call::Wanted(Granted { session, ticket }));
                return;
            }
            FromGateway::Pong | FromGateway::Welcome(_) | FromGateway::Probe { .. } => return,
        };
        if let Some(waits) = waiting.remove(&request) {
            let _ = waits.send(answer);
        }
    }

    /// Waits, and answers meanwhile that the gateway is not there. `false` where every handle is gone.
    async fn rest(&mut self, time: Duration) -> bool {
        let rest = tokio::time::sleep(time);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => return true,
                request = self.requests.recv() => match request {
                    Some(request) => drop(request.answer.send(Err(ControlError::Late))),
                    None => return false,
                }
            }
        }
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
    },
    /// There is none, and it will be dialled again.
    Lost(ControlError),
}
