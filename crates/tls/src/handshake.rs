//! How a TLS connection begins, on either side, under a deadline.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ProtocolVersion, ServerConfig};
use tokio::io::{AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::engine::{End, Engine, RIDE_MAX, Side};
use crate::error::{HandshakeError, PlainHttp};
use crate::stream::TlsStream;
use crate::{Transport, asked_name};

impl<S: Transport> TlsStream<S> {
    /// Performs the server's side of a handshake.
    ///
    /// # Errors
    /// As [`HandshakeError`] says; the alert, if one is due, was sent and the stream's write side shut down.
    pub async fn accept(
        transport: S,
        config: Arc<ServerConfig>,
        deadline: Option<Instant>,
    ) -> Result<Self, HandshakeError<S>> {
        let side = Side::Server(UnbufferedServerConnection::new(config).map_err(HandshakeError::Tls)?);
        let stream = Self { transport, engine: Engine::new(side), server_name: None };
        within(deadline, stream.shake_hands()).await
    }

    /// Performs the client's side of a handshake with the server called `name`.
    ///
    /// # Errors
    /// As [`HandshakeError`] says, among them that the server's certificate is not valid for `name`.
    pub async fn connect(
        transport: S,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        deadline: Option<Instant>,
    ) -> Result<Self, HandshakeError<S>> {
        let server_name = Some(name.to_str().into());
        let side = UnbufferedClientConnection::new(config, name).map_err(HandshakeError::Tls)?;
        let mut stream = Self { transport, engine: Engine::new(Side::Client(side)), server_name };
        stream.engine.start()?;
        within(deadline, stream.shake_hands()).await
    }

    pub(crate) async fn shake_hands(mut self) -> Result<Self, HandshakeError<S>> {
        match poll_fn(|cx| self.poll_handshake(cx)).await {
            Ok(()) => Ok(self),
            Err(HandshakeError::Io(error))
                if error.get_ref().is_some_and(|inner| inner.is::<PlainHttp>()) =>
            {
                Err(HandshakeError::PlainHttp(self.transport))
            }
            Err(error) => {
                // Ends the stream behind the alert; whether the peer still listens changes nothing.
                let _ = poll_fn(|cx| Pin::new(&mut self.transport).poll_shutdown(cx)).await;
                Err(error)
            }
        }
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError<S>>> {
        loop {
            let done = !self.engine.state().is_handshaking();
            // A TLS 1.3 server's last records are tickets: nobody waits for them, so they ride with its first data, or
            // go out when a reader waits. One write(2) less for each connection.
            let tickets = done && self.engine.is_server() && self.engine.outgoing().len() <= RIDE_MAX;
            if !(tickets && self.protocol_version() == Some(ProtocolVersion::TLSv1_3)) {
                ready!(Pin::new(&mut *self).poll_flush(cx))?;
            }
            if done {
                return Poll::Ready(Ok(()));
            }
            if self.engine.end() == Some(End::Cut) || self.engine.end() == Some(End::Closed) {
                return Poll::Ready(Err(HandshakeError::Closed));
            }
            // Nothing that an earlier connection on this thread left behind.
            asked_name::take();
            ready!(self.poll_receive(cx, &mut ReadBuf::new(&mut [])))?;
            if let Some(name) = asked_name::take() {
                self.server_name = Some(name);
            }
        }
    }
}

/// Ends what takes too long.
pub(crate) async fn within<S, T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, HandshakeError<S>>>,
) -> Result<T, HandshakeError<S>> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.unwrap_or(Err(HandshakeError::TimedOut)),
        None => work.await,
    }
}
