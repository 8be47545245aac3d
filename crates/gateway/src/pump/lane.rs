//! One direction at work: read from one side, judge, write to the other, and never read while the write
//! side is full.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffer::{Buffer, Outgoing};
use super::config::WebSocketConfig;
use super::end::{End, Side};
use super::flow::Flow;
use super::inspector::Inspector;
use crate::net::Stream;

/// Bytes of answers that may wait for a side that goes on sending.
const MAX_OWED: usize = 64 * 1024;

/// A side's connection.
pub(super) struct Port {
    pub(super) side: Side,
    pub(super) stream: Stream,
    /// Whole frames of ours that wait for the next border between frames.
    pub(super) inject: Vec<u8>,
    /// When the side was last heard.
    pub(super) heard: Duration,
    /// When it was pinged, where it has not been heard since.
    pub(super) pinged: Option<Duration>,
    /// A close frame was written, or waits in `inject`.
    pub(super) close_sent: bool,
    /// Its connection has ended, or failed.
    pub(super) gone: bool,
}

impl Port {
    pub(super) const fn new(side: Side, stream: Stream) -> Self {
        Self {
            side,
            stream,
            inject: Vec::new(),
            heard: Duration::ZERO,
            pinged: None,
            close_sent: false,
            gone: false,
        }
    }

    /// A fresh masking key where we are this side's client.
    pub(super) fn mask(&self) -> Option<[u8; 4]> {
        (self.side == Side::Upstream).then(rand::random)
    }

    /// Whether so many answers wait for it that nothing more is read from it.
    pub(super) const fn is_owed(&self) -> bool {
        self.inject.len() > MAX_OWED
    }

    /// Reads and forgets until the side ends its connection.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = Buffer::take();
        while !self.gone {
            let mut read = ReadBuf::new(&mut buffer);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
            self.gone = result.is_err() || read.filled().is_empty();
        }
        Poll::Ready(())
    }

    fn vanished(&mut self) -> End {
        self.gone = true;
        End::Vanished(self.side)
    }
}

/// One direction and what it has still to write.
pub(super) struct Lane {
    pub(super) flow: Flow,
    out: Outgoing,
    /// Since when the other side has taken nothing.
    pub(super) stalled: Option<Duration>,
    /// Bytes that came with the handshake and were not judged yet: perhaps more than one read takes in.
    early: Bytes,
    /// Something was written that the stream may still hold.
    unflushed: bool,
    /// What was judged waits for its records to be durable.
    pub(super) held: bool,
}

/// What a lane needs to know about its session.
pub(super) struct Rules<'a> {
    pub(super) now: Duration,
    pub(super) config: &'a WebSocketConfig,
}

impl Lane {
    pub(super) fn new(flow: Flow, early: Bytes) -> Self {
        Self { flow, out: Outgoing::Empty, stalled: None, early, unflushed: false, held: false }
    }

    /// Moves all that can be moved. Ready once `from` has sent its close frame and it was passed on.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Port,
        to: &mut Port,
        rules: &Rules<'_>,
        inspector: &mut Inspector,
    ) -> Poll<Result<(), End>> {
        loop {
            ready!(self.poll_write(cx, to, rules.now))?;
            if self.flow.closed().is_some() {
                return Poll::Ready(Ok(()));
            }
            if self.flow.marking_until().is_some() {
                let (out, result) = ready!(self.flow.poll_marked(cx, inspector));
                self.out = out;
                if !from.close_sent {
                    from.inject.append(&mut self.flow.take_answers());
                }
                result?;
                continue;
            }
            if self.flow.resume_at().is_some_and(|at| at > rules.now) {
                return Poll::Pending;
            }
            if from.is_owed() {
                return Poll::Pending;
            }
            let (buffer, end, fresh) = match ready!(self.poll_read(cx, from)) {
                Ok(read) => read,
                Err(_) => return Poll::Ready(Err(from.vanished())),
            };
            from.heard = rules.now;
            from.pinged = None;
            let (out, result) = self.flow.judge(buffer, end, fresh, rules.now, rules.config, inspector);
            self.out = out;
            if !from.close_sent {
                from.inject.append(&mut self.flow.take_answers());
            }
            result?;
            to.close_sent |= self.flow.closed().is_some();
        }
    }

    /// Writes what was judged, then frames of ours where one may stand. What waits for its records goes nowhere, also when the
    /// session ends; frames of ours go before it.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Port,
        now: Duration,
    ) -> Poll<Result<(), End>> {
        self.held = match self.flow.poll_recorded(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(_)) => {
                self.abandon();
                return Poll::Ready(Err(End::Unrecorded(to.side.other())));
            }
        };
        if self.out.is_empty() && to.inject.is_empty() && !self.unflushed && !self.held {
            return Poll::Ready(Ok(()));
        }
        match self.poll_write_all(cx, to) {
            // Nobody but the disk is slow.
            Poll::Ready(Ok(())) if self.held => Poll::Pending,
            Poll::Ready(Ok(())) => {
                self.stalled = None;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(to.vanished())),
            Poll::Pending => {
                self.stalled.get_or_insert(now);
                Poll::Pending
            }
        }
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>, to: &mut Port) -> Poll<io::Result<()>> {
        while !self.out.is_empty() && !self.held {
            let written = ready!(Pin::new(&mut to.stream).poll_write(cx, self.out.rest()))?;
            self.wrote(written)?;
            self.out.advance(written);
        }
        while !to.inject.is_empty() && self.flow.between_frames() {
            let written = ready!(Pin::new(&mut to.stream).poll_write(cx, &to.inject))?;
            self.wrote(written)?;
            to.inject.drain(..written);
            if to.inject.is_empty() {
                to.inject = Vec::new();
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut to.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: usize) -> io::Result<()> {
        self.stalled = None;
        self.unflushed = true;
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// Whether something is due soon on account of this lane.
    pub(super) fn is_pressed(&self) -> bool {
        self.stalled.is_some()
            || self.flow.message_since().is_some()
            || self.flow.resume_at().is_some()
            || self.flow.marking_until().is_some()
    }

    /// Forgets what was not written.
    pub(super) fn abandon(&mut self) {
        self.out = Outgoing::Empty;
        self.unflushed = false;
    }

    /// One read behind what the last one left over: the buffer, where its bytes end, how many are new.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Port,
    ) -> Poll<io::Result<(Buffer, usize, usize)>> {
        let mut buffer = Buffer::take();
        let carry = self.flow.carry();
        // A carry is shorter than the longest control frame, or was all read at once.
        let start = carry.len();
        buffer[..start].copy_from_slice(carry);
        if self.flow.take_unread() {
            return Poll::Ready(Ok((buffer, start, 0)));
        }
        if !self.early.is_empty() {
            let fresh = self.early.len().min(buffer.len() - start);
            buffer[start..start + fresh].copy_from_slice(&self.early.split_to(fresh));
            return Poll::Ready(Ok((buffer, start + fresh, fresh)));
        }
        let mut read = ReadBuf::new(&mut buffer[start..]);
        ready!(Pin::new(&mut from.stream).poll_read(cx, &mut read))?;
        match read.filled().len() {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            fresh => Poll::Ready(Ok((buffer, start + fresh, fresh))),
        }
    }
}
