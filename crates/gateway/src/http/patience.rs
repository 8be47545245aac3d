//! How long a client's HTTP/1.1 connection may be silent: for a head, and between two requests. A head
//! that is late is answered 408.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

use crate::net::Stream;

const LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 20\r\n\r\n408 Request Timeout\n";

/// Requests of one connection that are not answered to their last byte.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    under_way: AtomicUsize,
    /// Holds a permit once there has been one.
    begun: Notify,
}

/// One of them; it is answered when this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Requests>);

impl UnderWay {
    /// A request's head is complete.
    pub(super) fn begin(&self) -> Busy {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        self.0.begun.notify_one();
        Busy(self.0.clone())
    }

    /// Completes when there has been a request.
    pub(super) async fn begun(&self) {
        self.0.begun.notified().await;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// The rest of a head.
    Head,
    /// The next request's first byte.
    Next,
    /// Nothing: a request is under way.
    Nothing,
}

/// A client's stream with deadlines on what it has yet to send.
pub(super) struct Patient {
    stream: Stream,
    requests: UnderWay,
    awaiting: Awaiting,
    head: Duration,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Patient {
    pub(super) fn new(stream: Stream, requests: UnderWay, head: Duration, idle: Duration) -> Self {
        Self { stream, requests, awaiting: Awaiting::Head, head, idle, timer: Box::pin(sleep(head)) }
    }

    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }

    fn await_now(&mut self, awaiting: Awaiting) {
        if self.awaiting == awaiting {
            return;
        }
        self.awaiting = awaiting;
        match awaiting {
            Awaiting::Head => self.timer.as_mut().reset(Instant::now() + self.head),
            Awaiting::Next => self.timer.as_mut().reset(Instant::now() + self.idle),
            Awaiting::Nothing => {}
        }
    }

    /// The deadline has passed: an end for a connection that waits, an answer for a head that is late.
    fn late(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.awaiting == Awaiting::Next {
            return Ok(());
        }
        // One attempt: a client that takes nothing is not waited for.
        let _ = Pin::new(&mut self.stream).poll_write(cx, LATE);
        let _ = Pin::new(&mut self.stream).poll_flush(cx);
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Patient {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match (this.requests.0.under_way.load(Ordering::Relaxed), this.awaiting) {
            (1.., _) => this.await_now(Awaiting::Nothing),
            (0, Awaiting::Nothing) => this.await_now(Awaiting::Next),
            (0, _) => {}
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if this.awaiting == Awaiting::Next && buf.filled().len() > before {
                    this.await_now(Awaiting::Head);
                }
                Poll::Ready(result)
            }
            Poll::Pending if this.awaiting == Awaiting::Nothing => Poll::Pending,
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(cx));
                Poll::Ready(this.late(cx))
            }
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
