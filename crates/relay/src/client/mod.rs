//! The client: on the side of whoever reaches an agent's services.

pub mod config;
mod door;
mod flows;
mod table;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use self::config::ClientConfig;
pub use self::door::Door;
use self::flows::Bounds;
use crate::carrier::Kind;
use crate::control::version::Version;
use crate::endpoint::control::{Control, ControlError, Controlled, State, control};
use crate::endpoint::link::{Event, LABEL, LinkHandle, link};
use crate::endpoint::streams::{self, OpenError, Opener};
use crate::identity::HandshakeError;
use crate::name::{Name, NameError, Role};
use crate::session::{Ended, Reason, Role as End, SessionId};

/// What a person at a client wants to know.
#[derive(Debug)]
pub enum Progress {
    /// The gateway is there.
    Gateway {
        /// Who it is.
        name: Name,
        /// Its version.
        version: Version,
        /// What the connection with it runs over.
        carrier: Kind,
    },
    /// There is no gateway, and it is dialled again.
    NoGateway(String),
    /// The gateway lets the session be.
    Granted(SessionId),
    /// The agent has proved who it is: from now on nobody else reads or changes a byte.
    Verified(Name),
    /// The session has a carrier again.
    Resumed {
        /// Its kind.
        carrier: Kind,
        /// Bytes that are sent again.
        again: u64,
    },
    /// The carrier is gone, and another is dialled.
    Broken(String),
    /// No carrier could be had, and it is tried again.
    NoCarrier(String),
}

/// Hears of progress.
pub type Told = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No agent can have this name.
    #[error("`{0}` is the name of no agent: {1}")]
    Agent(String, NameError),
    /// The gateway says no, or is not there.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Whoever answered is not the agent.
    #[error("the agent did not prove who it is: {0}")]
    Handshake(#[from] HandshakeError),
    /// The authority has revoked the agent's certificate.
    #[error("{0} is revoked")]
    Revoked(Name),
    /// The agent has not answered.
    #[error("the agent does not answer")]
    Late,
    /// The session has ended before it began.
    #[error("the session {0}")]
    Ended(Ended),
}

/// Where something comes in that is carried to a service.
#[derive(Debug)]
pub enum Entrance {
    /// Connections.
    Connections(Door, TcpListener),
    /// Datagrams, to this service.
    Datagrams(String, UdpSocket),
}

/// A session with an agent.
#[derive(Debug)]
pub struct Connected {
    opener: Opener,
    handle: LinkHandle,
    carriers: JoinHandle<Ended>,
    streams: JoinHandle<()>,
    keeper: AbortOnDropHandle<()>,
    flows: Bounds,
    ask_timeout: Duration,
    /// Ends the session when the agent is revoked.
    _watch: AbortOnDropHandle<()>,
    _control: Control,
}

/// Opens a session with an agent, for some of its services.
///
/// # Errors
/// What stood in the way.
pub async fn connect(
    config: &ClientConfig,
    agent: &str,
    services: Vec<String>,
    told: Told,
) -> Result<Connected, ConnectError> {
    let name = config.identity.name.peer(Role::Agent, agent);
    let name = name.map_err(|error| ConnectError::Agent(agent.to_owned(), error))?;
    let Controlled { control, keeper, revoked, .. } = control(config.dialer.clone(), config.identity.clone());
    let tells = told.clone();
    let keeper = AbortOnDropHandle::new(tokio::spawn(keeper.run(move |state| match state {
        State::Connected { gateway, version, carrier } => {
            tells(&Progress::Gateway { name: gateway.clone(), version: *version, carrier: *carrier });
        }
        State::Lost(error) => tells(&Progress::NoGateway(error.to_string())),
    })));
    let granted = control.open(agent, services).await?;
    told(&Progress::Granted(granted.session));
    let session = granted.session;
    let (stream, handle, carriers) =
        link(End::Client, granted, &config.session, config.dialer.clone(), control.clone());
    let tells = told.clone();
    let carriers = tokio::spawn(carriers.run(move |event| match event {
        Event::Attached { first: true, .. } => {}
        Event::Attached { again, carrier, .. } => {
            tells(&Progress::Resumed { carrier: *carrier, again: *again });
        }
        Event::Broken(why) => tells(&Progress::Broken(why.clone())),
        Event::Undialled(why) => tells(&Progress::NoCarrier(why.clone())),
    }));
    let established =
        match timeout(config.session.handshake_timeout, config.identity.connect_agent(stream, &name)).await {
            Ok(Ok(established)) => established,
            failed => {
                let ended = handle.ended();
                handle.close(Reason::Normal, "");
                return Err(match (ended, failed) {
                    (Some(ended), _) => ConnectError::Ended(ended),
                    (None, Ok(Err(error))) => error.into(),
                    (None, _) => ConnectError::Late,
                });
            }
        };
    let serial = established.peer.serial.clone();
    if revoked.covers(&serial) {
        handle.close(Reason::Revoked, "the agent is revoked");
        return Err(ConnectError::Revoked(name));
    }
    handle.prove(&established.secret(LABEL, &session.0).map_err(HandshakeError::from)?);
    // Until the agent has the end of the handshake it has no key, and the session does not outlive its carrier.
    if timeout(config.session.handshake_timeout, handle.flushed()).await.is_err() {
        handle.close(Reason::Normal, "");
        return Err(ConnectError::Late);
    }
    if let Some(ended) = handle.ended() {
        return Err(ConnectError::Ended(ended));
    }
    handle.settle();
    let watched = handle.clone();
    let watch = AbortOnDropHandle::new(tokio::spawn(async move {
        revoked.covered(&serial).await;
        watched.close(Reason::Revoked, "the agent is revoked");
    }));
    told(&Progress::Verified(established.peer.name.clone()));
    let (opener, run) = streams::client(established.stream, config.session.unread);
    let streams = tokio::spawn(async move {
        if let Err(error) = run.await {
            tracing::debug!("the session's streams have ended: {error}");
        }
    });
    let flows = Bounds::new(config.udp);
    let ask_timeout = config.session.ask_timeout;
    Ok(Connected {
        opener,
        handle,
        carriers,
        streams,
        keeper,
        flows,
        ask_timeout,
        _watch: watch,
        _control: control,
    })
}

impl Connected {
    /// Carries one stream to a service, to the end of both its directions.
    ///
    /// # Errors
    /// The agent says no, or the session has ended.
    pub async fn forward<S>(&self, service: &str, stream: &mut S) -> Result<(u64, u64), OpenError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        door::carry(&self.opener, service, stream).await
    }

    /// Carries what comes in at these entrances, until the session has ended.
    pub async fn keep(&mut self, entrances: Vec<Entrance>) -> Option<Ended> {
        let mut kept = JoinSet::new();
        for entrance in entrances {
            let opener = self.opener.clone();
            match entrance {
                Entrance::Connections(door, listener) => {
                    kept.spawn(door::keep(opener, door, listener, self.ask_timeout))
                }
                Entrance::Datagrams(service, socket) => {
                    kept.spawn(flows::keep(opener, service, socket, self.flows.clone()))
                }
            };
        }
        (&mut self.carriers).await.ok()
    }

    /// The session, to be looked at.
    pub fn handle(&self) -> LinkHandle {
        self.handle.clone()
    }

    /// Ends the session once everything that was written is there.
    pub async fn end(self) -> Option<Ended> {
        let Self { opener, handle, carriers, streams, keeper, _watch, _control, .. } = self;
        drop(opener);
        let _ = timeout(Duration::from_secs(10), streams).await;
        handle.close(Reason::Normal, "");
        let ended = timeout(Duration::from_secs(5), carriers).await;
        drop(keeper);
        ended.ok()?.ok()
    }
}
