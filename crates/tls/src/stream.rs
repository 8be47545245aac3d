//! A TLS connection as a byte stream, for the server's and the client's side, with no buffers of its own while idle.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, CommonState, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Transport;
use crate::engine::{End, Engine, RIDE_MAX};
use crate::error::PlainHttp;
use crate::scratch::{OVERHEAD, READ_MAX, RECORD_MAX, SMALL, WRITE_MAX, with_incoming, with_outgoing};

/// An established TLS connection.
///
/// A write encrypts up to 64 KiB and makes one write(2); ciphertext that the socket did not take is kept, and goes out
/// by `poll_flush` or the next write, so a writer flushes as over any buffered stream. A peer that ends the
/// byte stream without a close_notify gives [`io::ErrorKind::UnexpectedEof`].
pub struct TlsStream<S> {
    pub(crate) transport: S,
    pub(crate) engine: Engine,
    pub(crate) server_name: Option<Box<str>>,
}

impl<S> TlsStream<S> {
    /// What was negotiated.
    pub fn state(&self) -> &CommonState {
        self.engine.state()
    }

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

    /// Whether this connection resumed an earlier one, without a full handshake.
    pub fn is_resumed(&self) -> bool {
        self.engine.state().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}

impl<S: Transport> TlsStream<S> {
    /// Reads once from the socket unless unread records are held already, and takes the records in.
    /// Ready when something happened: plaintext in `buf`, a handshake step, or the end.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_incoming(|scratch| {
            let held = self.engine.held().len();
            let mut filled = held;
            if !self.engine.has_unread() {
                let room = wanted::<S>(buf.remaining(), held);
                let mut fresh = ReadBuf::new(&mut scratch[held..held + room]);
                ready!(Pin::new(&mut self.transport).poll_read(cx, &mut fresh))?;
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
                self.write_if_possible(cx);
            }
            Poll::Ready(taken)
        })
    }

    /// Encrypts what lies in `slices`, as far as one write takes it, to `scratch`, behind what was still outgoing. Gives how much was
    /// taken, and how much lies in `scratch` then.
    ///
    /// Small slices that follow each other share a record; others get records of their own, which takes less than copying them.
    fn seal(&mut self, slices: &[IoSlice<'_>], scratch: &mut [u8]) -> io::Result<(usize, usize)> {
        if let [data] = slices {
            let data = &data[..data.len().min(WRITE_MAX)];
            return Ok((data.len(), self.engine.send(data, scratch)?));
        }
        let (mut taken, mut total) = (0, 0);
        let (mut gathered, mut length) = ([0; SMALL], 0);
        for slice in slices {
            let data = &slice[..slice.len().min(WRITE_MAX - taken)];
            taken += data.len();
            if data.len() > SMALL - length && length > 0 {
                total += self.engine.send(&gathered[..length], &mut scratch[total..])?;
                length = 0;
            }
            if data.len() > SMALL {
                total += self.engine.send(data, &mut scratch[total..])?;
            } else {
                gathered[length..length + data.len()].copy_from_slice(data);
                length += data.len();
            }
        }
        if length > 0 {
            total += self.engine.send(&gathered[..length], &mut scratch[total..])?;
        }
        Ok((taken, total))
    }

    /// Writes all that is outgoing.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.engine.outgoing().is_empty() {
            let n = ready!(Pin::new(&mut self.transport).poll_write(cx, self.engine.outgoing()))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.engine.sent(n);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the socket takes now, without asking to be woken for the rest: a reader must not take the
    /// writer's place as the one to be woken.
    fn write_if_possible(&mut self, cx: &mut Context<'_>) {
        if !self.engine.outgoing().is_empty()
            && let Poll::Ready(Ok(n)) = self.transport.poll_write_aside(cx, self.engine.outgoing())
        {
            self.engine.sent(n);
        }
    }
}

/// How many bytes to ask the socket for: what fills the reader's buffer if it comes in full records, at least
/// one record, at most the scratch buffer's part for it.
fn wanted<S: Transport>(remaining: usize, held: usize) -> usize {
    let records = remaining / 16_384 + 1;
    // What is held is part of a record that is longer than the reader's room.
    let least = if S::READS_EXACTLY && held == 0 { OVERHEAD } else { RECORD_MAX };
    remaining.saturating_add(records * OVERHEAD).saturating_sub(held).clamp(least, READ_MAX)
}

impl<S: Transport> AsyncRead for TlsStream<S> {
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
                    this.write_if_possible(cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S: Transport> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if this.engine.outgoing().len() > RIDE_MAX {
            ready!(this.poll_drain(cx))?;
        }
        with_outgoing(|scratch| {
            let (taken, total) = this.seal(slices, scratch)?;
            let ciphertext = &scratch[..total];
            let written = match Pin::new(&mut this.transport).poll_write(cx, ciphertext) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            this.engine.keep(&ciphertext[written..]);
            Poll::Ready(Ok(taken))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.engine.close()?;
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.transport).poll_shutdown(cx)
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("version", &self.protocol_version())
            .field("end", &self.engine.end())
            .finish_non_exhaustive()
    }
}
