//! What TLS runs over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufStream, DuplexStream};
use tokio::net::TcpStream;

/// A byte stream that TLS can run over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether reading a little costs little, as from memory: no more is read then than the reader's room asks for, and nothing
    /// is put aside for its next read.
    const READS_EXACTLY: bool = false;

    /// Writes what can be written now, for a reader that has something to say and must not take the writer's place as the one to
    /// be woken.
    ///
    /// As it stands this is a write like any: right where one task both reads and writes.
    ///
    /// # Errors
    /// The stream's own.
    fn poll_write_aside(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self).poll_write(cx, data);
        // A stream that keeps it still may send it when it is flushed next.
        if written.is_ready() {
            let _ = Pin::new(self).poll_flush(cx);
        }
        written
    }
}

impl Transport for TcpStream {
    fn poll_write_aside(&mut self, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        or_pending(self.try_write(data))
    }
}

impl Transport for DuplexStream {}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for BufStream<S> {}

/// The answer of a write that does not wait, as that of one that would.
pub fn or_pending(written: io::Result<usize>) -> Poll<io::Result<usize>> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        written => Poll::Ready(written),
    }
}
