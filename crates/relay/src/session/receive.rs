//! The receiving half: records in, the peer's bytes in order and each once, and what the peer is told of it.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::{
    Break, Ended, Fault, Session,
    reason::By,
    record::{self, Record},
    segments::Segments,
};

/// An ATTACH on its way keeps what is acknowledged from passing what it says, on whatever carrier: the peer gives
/// back what is acknowledged, and may then be asked for it by that ATTACH.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap {
    pub(super) received: u64,
    pub(super) since: Duration,
}

/// What came, and how far.
#[derive(Debug)]
pub(super) struct Inbound {
    /// Received, and not yet read.
    held: Segments,
    window: u64,
    ack_every: u64,
    /// The offset that comes next on this carrier: behind what was received where the carrier began further back.
    at: u64,
    /// Bytes of the open DATA record that have not come yet.
    open: u32,
    fin: Option<u64>,
    /// What the peer was told on this carrier.
    told_received: u64,
    told_window: u64,
    /// The peer is to be told now, or then.
    ack_now: bool,
    ack_at: Option<Duration>,
    pub(super) cap: Option<Cap>,
}

impl Inbound {
    pub(super) fn new(window: u32, ack_every: u32) -> Self {
        Self {
            held: Segments::default(),
            window: window.into(),
            ack_every: ack_every.into(),
            at: 0,
            open: 0,
            fin: None,
            told_received: 0,
            told_window: 0,
            ack_now: false,
            ack_at: None,
            cap: None,
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.held.end()
    }

    /// The offset up to which the peer may send.
    pub(super) fn window_end(&self) -> u64 {
        self.held.start().saturating_add(self.window)
    }

    pub(super) fn memory(&self) -> usize {
        self.held.memory()
    }

    pub(super) fn ack_at(&self) -> Option<Duration> {
        self.ack_at
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.ack_at.is_some_and(|at| at <= now) {
            (self.ack_at, self.ack_now) = (None, true);
        }
    }

    /// Goes on with a carrier whose ATTACH said so much.
    pub(super) fn attach(&mut self, received: u64, window: u64) {
        (self.at, self.open) = (received, 0);
        (self.told_received, self.told_window) = (received, window);
        self.detach();
        self.cap = None;
    }

    pub(super) fn detach(&mut self) {
        (self.ack_now, self.ack_at) = (false, None);
    }

    fn open(&mut self, offset: u64, length: u32, limit: u32) -> Result<(), Fault> {
        if length == 0 {
            return Err(Fault::EmptyData);
        }
        if length > limit {
            return Err(Fault::DataTooLong(length));
        }
        if offset != self.at {
            return Err(Fault::Gap { expected: self.at, found: offset });
        }
        let end = offset.checked_add(length.into()).ok_or(Fault::BeyondWindow)?;
        if self.fin.is_some_and(|fin| end > fin) {
            return Err(Fault::AfterFin);
        }
        if end > self.window_end() {
            return Err(Fault::BeyondWindow);
        }
        self.open = length;
        Ok(())
    }

    /// Takes payload of the open record from `input`, as much as is there, and tells how much of it was there before.
    #[inline]
    fn take(&mut self, input: &mut BytesMut) -> usize {
        let len = input.len().min(self.open as usize);
        let Some(payload) = input.get(..len) else { return 0 };
        let known = usize::try_from(self.received() - self.at).unwrap_or(len).min(len);
        self.held.append(&payload[known..]);
        self.at += len as u64;
        self.open -= len as u32;
        input.advance(len);
        known
    }

    fn end(&mut self, offset: u64) -> Result<(), Fault> {
        if offset != self.at || self.at != self.received() {
            return Err(Fault::Gap { expected: self.at.max(self.received()), found: offset });
        }
        self.fin = Some(offset);
        self.ack_now = true;
        Ok(())
    }

    fn may_tell(&self) -> u64 {
        self.cap.map_or(self.at, |cap| self.at.min(cap.received))
    }

    /// Sees to it that what came is acknowledged in time.
    fn note(&mut self, delay: Duration, now: Duration) {
        if self.ack_at.is_none() && self.may_tell() > self.told_received {
            self.ack_at = Some(now.saturating_add(delay));
        }
    }

    /// Whether the peer is to be told without waiting for something to be sent along.
    #[inline]
    pub(super) fn ack_is_due(&self) -> bool {
        self.ack_now
            || self.may_tell() - self.told_received >= self.ack_every
            || self.window_end() - self.told_window >= self.window.div_ceil(4)
    }

    /// Whether there is anything to tell.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.may_tell() > self.told_received || self.window_end() > self.told_window
    }

    pub(super) fn take_ack(&mut self) -> [u8; 17] {
        (self.told_received, self.told_window) = (self.may_tell(), self.window_end());
        self.detach();
        record::ack_record(self.told_received, self.told_window)
    }
}

impl Session {
    /// Takes all whole records from `input`, and of DATA whatever has come. What is left, fewer than 261 bytes, is the
    /// beginning of a record: call again with it and more behind it.
    ///
    /// # Errors
    /// A fault: drop this carrier, on which nothing more counts. The end of the session, by CLOSE.
    pub fn receive(&mut self, input: &mut BytesMut, now: Duration) -> Result<(), Break> {
        self.still_open()?;
        if !self.is_attached() {
            return Err(Fault::Detached.into());
        }
        if !input.is_empty() {
            self.keepalive.hear();
        }
        let before = self.inbound.received();
        let outcome = self.take_records(input, now);
        self.counters.received += self.inbound.received() - before;
        match outcome {
            Ok(None) => {
                self.inbound.note(self.limits.ack_delay, now);
                Ok(())
            }
            Ok(Some(ended)) => Err(self.end(ended)),
            Err(fault) => Err(self.fail(fault, now)),
        }
    }

    fn take_records(&mut self, input: &mut BytesMut, now: Duration) -> Result<Option<Ended>, Fault> {
        loop {
            if self.inbound.open > 0 {
                self.counters.repeated += self.inbound.take(input) as u64;
            }
            let Some((record, len)) = Record::parse(input)? else { return Ok(None) };
            match record {
                Record::Data { offset, length } => self.inbound.open(offset, length, self.limits.record)?,
                Record::Ack { received, window } => self.outbound.acknowledge(received, window, now)?,
                Record::Ping(number) => self.pong = Some(number),
                Record::Pong(number) => self.keepalive.pong(number, &self.limits, now)?,
                Record::Fin(offset) => self.inbound.end(offset)?,
                Record::Close(reason, text) => {
                    return Ok(Some(Ended { reason, text: text.into(), by: By::Peer }));
                }
                Record::Attach(_) => return Err(Fault::AttachedTwice),
            }
            input.advance(len);
        }
    }

    /// Bytes received and not yet read, as far as they lie in one piece; also after the session has ended.
    pub fn peek(&self) -> &[u8] {
        self.inbound.held.piece(self.inbound.held.start())
    }

    /// Marks the first `len` bytes as read, at most those received; the peer may send as many more.
    pub fn consume(&mut self, len: usize) {
        let len = (len as u64).min(self.inbound.held.held());
        self.inbound.held.release(self.inbound.held.start() + len);
        self.counters.read += len;
    }

    /// Reads at most `most` bytes without copying them; empty where none are there.
    pub fn read(&mut self, most: usize) -> Bytes {
        let bytes = self.inbound.held.share(self.inbound.held.start(), most);
        self.consume(bytes.len());
        bytes
    }

    /// Whether the peer has [finished](Session::finish) and everything before that is read.
    pub fn is_at_end(&self) -> bool {
        self.inbound.fin == Some(self.inbound.held.start())
    }
}
