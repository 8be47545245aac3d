//! Dialling a target: addresses in turn, TCP or Unix, TLS over it, each step under its timeout.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};

use super::address::{Address, Endpoint};
use super::config::{Protocol, Timeouts};
use super::error::UpstreamError;
use super::target::Target;
use crate::net::{Socket, Stream};
use crate::tls::{HandshakeError, TlsStream};

/// How long an address may take before the next is tried beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// TLS towards one target: trust, our certificate, ALPN, and the name that its certificate must be for.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Tls {
    /// What a target needs, from what its upstream has; the certificate's name is the URL's host if not told otherwise.
    pub(super) fn for_target(
        address: &Address,
        client: Option<&(Arc<ClientConfig>, Option<ServerName<'static>>)>,
    ) -> Result<Option<Self>, UpstreamError> {
        if !address.tls {
            return Ok(None);
        }
        let unusable = |what: &str| UpstreamError::Tls(format!("{address}: {what}"));
        let (config, name) = client.ok_or_else(|| unusable("no TLS is configured"))?;
        let name = match (name, address.host()) {
            (Some(name), _) => name.clone(),
            (None, Some(host)) => {
                ServerName::try_from(host).map_err(|_| unusable("host cannot be verified"))?
            }
            (None, None) => return Err(unusable("no host to verify")),
        };
        Ok(Some(Self { config: config.clone(), name }))
    }
}

/// A connection to a target, and its address unless it is a Unix socket.
pub(super) struct Connected {
    pub(super) stream: Stream,
    pub(super) peer: Option<SocketAddr>,
}

/// Connects to a target and, where it wants TLS, shakes hands.
pub(super) async fn dial(
    target: &Target,
    protocol: Protocol,
    timeouts: &Timeouts,
) -> Result<Connected, UpstreamError> {
    let connecting = timeout(timeouts.connect, socket(target));
    let (socket, peer) = connecting.await.unwrap_or(Err(UpstreamError::ConnectTimeout))?;
    let Some(tls) = &target.tls else {
        return Ok(Connected { stream: Stream::Plain(socket), peer });
    };
    let deadline = Instant::now() + timeouts.handshake;
    // Boxed, so that the futures of plain connections and of whole sessions stay small.
    let handshake = TlsStream::connect(socket, tls.config.clone(), tls.name.clone(), Some(deadline));
    let stream = Box::pin(handshake).await?;
    // Without ALPN's word for it, HTTP/2 is not spoken over TLS (RFC 9113 section 3.2).
    if protocol == Protocol::Http2 && stream.alpn() != Some(b"h2") {
        return Err(UpstreamError::NoHttp2);
    }
    Ok(Connected { stream: Stream::Tls(Box::new(stream)), peer })
}

async fn socket(target: &Target) -> Result<(Socket, Option<SocketAddr>), UpstreamError> {
    let (stream, peer) = match &target.address.endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            return Ok((Socket::Unix(stream), None));
        }
        Endpoint::Ip(address) => (TcpStream::connect(address).await.map_err(failed)?, *address),
        Endpoint::Name(..) => {
            let name = target.name.as_ref().ok_or_else(|| UpstreamError::Resolve("no resolver".into()))?;
            let addresses = name.addresses().await?;
            match *addresses {
                [only] => (TcpStream::connect(only).await.map_err(failed)?, only),
                _ => Box::pin(race(&addresses)).await.map_err(failed)?,
            }
        }
    };
    // A frame that waits for the acknowledgement of the one before it would be late by a round trip.
    stream.set_nodelay(true).map_err(failed)?;
    Ok((Socket::Tcp(stream), Some(peer)))
}

/// Tries addresses in turn: the next one as soon as one fails, or beside those that take longer than the stagger.
async fn race(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(async move { TcpStream::connect(address).await.map(|stream| (stream, address)) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            finished = attempts.next() => match finished {
                Some(Ok(connected)) => return Ok(connected),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(STAGGER), if more => {}
        }
    }
}

fn failed(error: io::Error) -> UpstreamError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => UpstreamError::Refused(error),
        _ => UpstreamError::Unreachable(error),
    }
}

impl From<HandshakeError> for UpstreamError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::TimedOut => Self::HandshakeTimeout,
            error => Self::Tls(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let unused = TcpSocket::new_v4().unwrap();
        unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let gone = unused.local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        assert_eq!(race(&[gone, there]).await.unwrap().1, there);
        assert_eq!(race(&[gone, gone]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(&[]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_hangs_does_not_hold_up_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        // TEST-NET-1 (RFC 5737): nobody answers, or the host says at once that there is no route.
        let nowhere = "192.0.2.1:9".parse().unwrap();
        assert_eq!(race(&[nowhere, there]).await.unwrap().1, there);
    }
}
