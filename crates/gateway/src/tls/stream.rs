//! TLS over a socket, for the server's and the client's side, with no buffers of its own while idle.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wicketgate_admission::identity::ClientCertificate;

use super::engine::{End, Engine, RIDE_MAX};
use super::handshake::PlainHttp;
use super::scratch::{READ_MAX, RECORD_MAX, WRITE_MAX, with_incoming, with_outgoing};
use super::subject::client_certificate;
use crate::net::Socket;

/// An established TLS connection.
///
/// A write encrypts up to 64 KiB and makes one write(2); ciphertext that the socket did not take is kept, and goes out
/// by `poll_flush` or the next write, so a writer flushes as over any buffered stream. A peer that ends the
/// byte stream without a close_notify gives [`io::ErrorKind::UnexpectedEof`].
pub struct TlsStream {
    pub(super) socket: Socket,
    pub(super) engine: Engine,
    pub(super) server_name: Option<Box<str>>,
}

/// A certificate that rustls verified, but whose names cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the names in the client's certificate cannot be read")]
pub struct UnreadableCertificate;

impl TlsStream {
    /// The application protocol agreed on by ALPN.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.engine.state().alpn_protocol()
    }

    /// The server's name: on the server's side what the client asked for by SNI, if it did.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The protocol version agreed on.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.engine.state().protocol_version()
    }

    /// The cipher suite agreed on.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.engine.state().negotiated_cipher_suite().map(|suite| suite.suite())
    }

    /// The peer's certificate chain, its own certificate first.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.engine.state().peer_certificates()
    }

    /// The peer's own certificate and what it says, once it was verified.
    ///
    /// # Errors
    /// A certificate that was verified and yet cannot be read.
    pub fn peer_identity(&self) -> Result<Option<ClientCertificate>, UnreadableCertificate> {
        let leaf = self.peer_certificates().and_then(<[_]>::first);
        leaf.map(|leaf| client_certificate(leaf).ok_or(UnreadableCertificate)).transpose()
    }

    /// Whether this connection resumed an earlier one, without a full handshake.
    pub fn is_resumed(&self) -> bool {
        self.engine.state().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The socket underneath.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Reads once from the socket unless unread records are held already, and takes the records in.
    /// Ready when something happened: plaintext in `buf`, a handshake step, or the end.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_incoming(|scratch| {
            let held = self.engine.held().len();
            let mut filled = held;
            if !self.engine.has_unread() {
                let room = wanted(buf.remaining(), held);
                let mut fresh = ReadBuf::new(&mut scratch[held..held + room]);
                ready!(Pin::new(&mut self.socket).poll_read(cx, &mut fresh))?;
                if fresh.filled().is_empty() {
                    self.engine.cut();
                    return Poll::Ready(Ok(()));
                }
                filled += fresh.filled().len();
            }
            // Record types are 20 to 24, so that a letter opens no record but a request line, or a status line.
            if held == 0 && scratch[0].is_ascii_uppercase() && self.protocol_version().is_none() {
                return Poll::Ready(Err(io::Error::other(PlainHttp)));
            }
            scratch[..held].copy_from_slice(self.engine.held());
            let taken = self.engine.receive(&mut scratch[..filled], buf);
            if taken.is_err() {
                // An alert that does not fit the socket's buffer is lost: the connection is over either way.
                self.write_if_possible();
            }
            Poll::Ready(taken)
        })
    }

    /// Writes all that is outgoing.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.engine.outgoing().is_empty() {
            let n = ready!(Pin::new(&mut self.socket).poll_write(cx, self.engine.outgoing()))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.engine.sent(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the socket takes now, without asking to be woken for the rest: a reader must not take the
    /// writer's place as the one to be woken.
    fn write_if_possible(&mut self) {
        if !self.engine.outgoing().is_empty()
            && let Ok(n) = self.socket.try_write(self.engine.outgoing())
        {
            self.engine.sent(n);
        }
    }
}

/// How many bytes to ask the socket for: what fills the reader's buffer if it comes in full records, at least
/// one record, at most the scratch buffer's part for it.
fn wanted(remaining: usize, held: usize) -> usize {
    const OVERHEAD: usize = 5 + 1 + 16;
    let records = remaining / 16_384 + 1;
    remaining.saturating_add(records * OVERHEAD).saturating_sub(held).clamp(RECORD_MAX, READ_MAX)
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 || this.engine.read_plain(buf) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        loop {
            match this.engine.end() {
                None => {}
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Cut) => {
                    let what = "the peer ended the connection without TLS close_notify";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
                }
                Some(End::Failed) => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            }
            let received = this.poll_receive(cx, buf);
            if buf.filled().len() > before {
                // An error behind good data is reported by the next read.
                return Poll::Ready(Ok(()));
            }
            match received {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    // Tickets ride with the first write, but a reader that waits may never write.
                    this.write_if_possible();
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.engine.outgoing().len() > RIDE_MAX {
            ready!(this.poll_drain(cx))?;
        }
        let data = &data[..data.len().min(WRITE_MAX)];
        with_outgoing(|scratch| {
            let total = this.engine.send(data, scratch)?;
            let ciphertext = &scratch[..total];
            let written = match Pin::new(&mut this.socket).poll_write(cx, ciphertext) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            this.engine.keep(&ciphertext[written..]);
            Poll::Ready(Ok(data.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.engine.close()?;
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", &self.socket)
            .field("version", &self.protocol_version())
            .field("end", &self.engine.end())
            .finish_non_exhaustive()
    }
}
