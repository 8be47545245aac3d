//! Where connections come in that are carried to services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fast_socks5::server::{Socks5ServerProtocol, SocksServerError};
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::endpoint::streams::{self, OpenError, Opener};

/// Before another try to accept when that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Each is carried to this service.
    Service(String),
    /// Each says by SOCKS 5 (RFC 1928) to which of these services: as the name of a host, whatever the port.
    Socks(Vec<String>),
}

/// Why a connection was not carried, or no longer.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("SOCKS: {0}")]
    Socks(#[from] SocksServerError),
    #[error("SOCKS: it does not say where it wants to go")]
    Late,
    #[error("SOCKS: `{0}` is none of the services that the session is for")]
    Unknown(String),
    #[error("SOCKS: {0:?} is not done here")]
    Command(Socks5Command),
}

/// Takes connections and carries them, until it is dropped. A SOCKS client has `patience` to say where it wants to go.
pub(super) async fn keep(opener: Opener, door: Door, listener: TcpListener, patience: Duration) {
    let (door, mut carried) = (Arc::new(door), JoinSet::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else {
                    // No file handle left for now, or a connection that was reset before it was accepted.
                    sleep(PAUSE).await;
                    continue;
                };
                let (opener, door) = (opener.clone(), door.clone());
                carried.spawn(async move {
                    let _ = socket.set_nodelay(true);
                    if let Err(error) = door.take(&opener, socket, patience).await {
                        tracing::warn!("{error}");
                    }
                });
            }
            Some(_) = carried.join_next() => {}
        }
    }
}

impl Door {
    async fn take(
        &self,
        opener: &Opener,
        mut socket: TcpStream,
        patience: Duration,
    ) -> Result<(), DoorError> {
        match self {
            Self::Service(service) => drop(carry(opener, service, &mut socket).await?),
            Self::Socks(services) => socks(opener, services, socket, patience).await?,
        }
        Ok(())
    }
}

/// Carries a connection to the service that it asks for.
async fn socks(
    opener: &Opener,
    services: &[String],
    socket: TcpStream,
    patience: Duration,
) -> Result<(), DoorError> {
    let asked = async { Socks5ServerProtocol::accept_no_auth(socket).await?.read_command().await };
    let (asking, command, target) = timeout(patience, asked).await.map_err(|_| DoorError::Late)??;
    if command != Socks5Command::TCPConnect {
        asking.reply_error(&ReplyError::CommandNotSupported).await?;
        return Err(DoorError::Command(command));
    }
    let service = match target {
        TargetAddr::Domain(name, _) if services.contains(&name) => name,
        TargetAddr::Domain(name, _) => {
            asking.reply_error(&ReplyError::HostUnreachable).await?;
            return Err(DoorError::Unknown(name));
        }
        TargetAddr::Ip(address) => {
            asking.reply_error(&ReplyError::AddressTypeNotSupported).await?;
            return Err(DoorError::Unknown(address.to_string()));
        }
    };
    let mut far = match opener.open(&service).await {
        Ok(far) => far,
        Err(error) => {
            asking.reply_error(&ReplyError::ConnectionNotAllowed).await?;
            return Err(error.into());
        }
    };
    // Where the agent is, nobody here knows.
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut socket = asking.reply_success(nowhere).await?;
    streams::carry(&mut far.stream, &mut socket).await.map_err(OpenError::from)?;
    Ok(())
}

/// Carries a stream to a service, to the end of both its directions.
pub(super) async fn carry<S>(opener: &Opener, service: &str, stream: &mut S) -> Result<(u64, u64), OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut far = match opener.open(service).await {
        Ok(far) => far,
        Err(error) => {
            let _ = stream.shutdown().await;
            return Err(error);
        }
    };
    Ok(streams::carry(&mut far.stream, stream).await?)
}
