//! A client's first message, for a server that chooses by it how to go on.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor, ClientHello, UnbufferedServerConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::engine::{Engine, Side};
use crate::error::HandshakeError;
use crate::handshake::within;
use crate::{TlsStream, Transport};

/// A client that has said hello. Nothing was answered.
pub struct Hello<S> {
    stream: S,
    /// All that it has said.
    said: BytesMut,
    accepted: Accepted,
}

impl<S: Transport> Hello<S> {
    /// Reads it; `said` came already. rustls takes no more than it holds of one message, and no more than that is kept here.
    ///
    /// # Errors
    /// It is none; the alert was sent.
    pub async fn read(mut stream: S, mut said: BytesMut) -> Result<Self, HandshakeError<S>> {
        let mut acceptor = Acceptor::default();
        let mut taken = 0;
        loop {
            while taken < said.len() {
                taken += acceptor.read_tls(&mut &said[taken..])?;
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(Some(accepted)) => return Ok(Self { stream, said, accepted }),
                    Err((error, mut alert)) => {
                        let mut bytes = Vec::new();
                        alert.write_all(&mut bytes)?;
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.shutdown().await;
                        return Err(HandshakeError::Tls(error));
                    }
                }
            }
            if stream.read_buf(&mut said).await? == 0 {
                return Err(HandshakeError::Closed);
            }
        }
    }

    /// What it says.
    pub fn client_hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// Performs the server's side of the handshake.
    ///
    /// # Errors
    /// As [`HandshakeError`] says.
    pub async fn accept(
        self,
        config: Arc<ServerConfig>,
        deadline: Option<Instant>,
    ) -> Result<TlsStream<S>, HandshakeError<S>> {
        let side = Side::Server(UnbufferedServerConnection::new(config).map_err(HandshakeError::Tls)?);
        let stream =
            TlsStream { transport: self.stream, engine: Engine::with(side, &self.said), server_name: None };
        within(deadline, stream.shake_hands()).await
    }
}

impl<S> std::fmt::Debug for Hello<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hello")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::large_futures)]
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::engine::HELD_MAX;
    use crate::testing::{Issued, NAME};

    #[tokio::test]
    async fn the_handshake_goes_on_behind_what_was_read() {
        let issued = Issued::new();
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let serve = async {
            // The first bytes may have been read by whoever has found out that this is TLS.
            let mut early = BytesMut::zeroed(7);
            far.read_exact(&mut early).await.unwrap();
            let hello = Hello::read(far, early).await.unwrap();
            assert_eq!(hello.client_hello().server_name(), Some(NAME));
            let mut stream = hello.accept(issued.server(&[]), None).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            stream.flush().await.unwrap();
            stream
        };
        let connect = TlsConnector::from(issued.trusting(&[])).connect(NAME.try_into().unwrap(), near);
        let (_serving, connected) = tokio::join!(serve, connect);
        let mut said = [0; 5];
        connected.unwrap().read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello");
    }

    #[tokio::test]
    async fn a_hello_in_many_records_is_bounded() {
        let (mut near, far) = tokio::io::duplex(1024);
        let mut sent = 0;
        let send = async {
            // A hello of 65,000 bytes, one byte a record.
            for byte in [1, 0, 0xfd, 0xe8].into_iter().chain([3, 3]).chain(std::iter::repeat_n(0, 64_000)) {
                if near.write_all(&[0x16, 3, 1, 0, 1, byte]).await.is_err() {
                    break;
                }
                sent += 6;
            }
        };
        let (error, ()) = tokio::join!(Hello::read(far, BytesMut::new()), send);
        let error = error.unwrap_err();
        assert!(error.to_string().contains("buffer full") && sent < HELD_MAX, "{error} {sent}");
    }

    #[tokio::test]
    async fn what_is_no_hello_is_refused() {
        for (said, refused) in [(&b"\x16\x03\x01\x00\x05hello"[..], "TLS"), (b"\x16\x03", "went away")] {
            let (mut near, far) = tokio::io::duplex(1024);
            near.write_all(said).await.unwrap();
            near.shutdown().await.unwrap();
            let error = Hello::read(far, BytesMut::new()).await.unwrap_err();
            assert!(error.to_string().contains(refused), "{error}");
        }
    }
}
