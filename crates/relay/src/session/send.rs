//! The sending half: bytes kept until they are acknowledged, and the records made of them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{
    Ended, Fault, Limits, Session,
    pace::Pace,
    record::{self, DATA_HEADER},
    segments::Segments,
};

/// Fewer bytes are copied rather than shared.
const SHARED: usize = 2 << 10;

/// What was written, and how far it went.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Written, and not yet acknowledged.
    held: Segments,
    replay: u64,
    /// The offset that is sent next on this carrier.
    next: u64,
    /// The end of what was ever sent.
    sent: u64,
    /// The offset up to which the peer takes bytes.
    window: u64,
    finished: bool,
    fin_sent: bool,
    pace: Pace,
}

impl Outbound {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            held: Segments::default(),
            replay: limits.replay.into(),
            next: 0,
            sent: 0,
            window: 0,
            finished: false,
            fin_sent: false,
            pace: Pace::new(limits),
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.held.memory()
    }

    /// The end of what was ever sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.held.start()
    }

    /// Goes on where the peer's ATTACH says, which lies between what it acknowledged and what was sent.
    pub(super) fn attach(&mut self, received: u64, window: u64, now: Duration) {
        self.held.release(received);
        self.pace.attach(received, now);
        (self.next, self.window, self.fin_sent) = (received, window, false);
    }

    pub(super) fn acknowledge(&mut self, received: u64, window: u64, now: Duration) -> Result<(), Fault> {
        if received > self.next {
            return Err(Fault::FutureOffset { offset: received, sent: self.next });
        }
        if received < self.held.start() {
            return Err(Fault::AckBackward);
        }
        if window < self.window || window < received {
            return Err(Fault::WindowBackward);
        }
        if received > self.held.start() {
            self.held.release(received);
            self.pace.acknowledge(received, self.next, now);
        }
        self.window = window;
        Ok(())
    }

    fn room(&self) -> usize {
        if self.finished {
            return 0;
        }
        let room = self.replay.saturating_sub(self.held.held());
        let window = self.window.saturating_sub(self.held.end());
        usize::try_from(room.min(window)).unwrap_or(usize::MAX)
    }

    /// What may wait to be sent on this carrier: less where the line carries little.
    fn ahead(&self, limits: &Limits) -> u64 {
        u64::from(limits.ahead).min(self.pace.bound() / 4)
    }

    /// How far what waits is below that.
    fn room_ahead(&self, limits: &Limits) -> usize {
        let waits = self.held.end().saturating_sub(self.next);
        usize::try_from(self.ahead(limits).saturating_sub(waits)).unwrap_or(usize::MAX)
    }

    /// Bytes that may be sent on this carrier now.
    #[inline]
    fn sendable(&self) -> u64 {
        let paced = self.held.start().saturating_add(self.pace.bound());
        self.held.end().min(self.window).min(paced).saturating_sub(self.next)
    }

    /// Notes what was sent since `from` was next.
    #[inline]
    fn note(&mut self, from: u64, now: Duration) {
        if self.next > from {
            let idle = self.next == self.held.end();
            self.pace.sent((from, self.next), idle, now);
        }
    }

    #[inline]
    fn fin_is_due(&self) -> bool {
        self.finished && !self.fin_sent && self.next == self.held.end()
    }
}

/// Where records go.
trait Sink {
    fn head(&mut self, bytes: &[u8]);
    /// Payload: `len` bytes from `offset`, which are held.
    fn payload(&mut self, held: &mut Segments, offset: u64, len: usize);
}

/// Into one buffer.
struct Copied<'a>(&'a mut BytesMut);

impl Sink for Copied<'_> {
    #[inline]
    fn head(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn payload(&mut self, held: &mut Segments, mut offset: u64, mut len: usize) {
        while len > 0 {
            let piece = held.piece(offset);
            let piece = &piece[..piece.len().min(len)];
            self.0.extend_from_slice(piece);
            offset += piece.len() as u64;
            len -= piece.len();
        }
    }
}

/// Into pieces for a vectored write: what is small together, what is large shared.
struct Pieces<'a, E> {
    small: &'a mut BytesMut,
    out: &'a mut E,
}

impl<E: Extend<Bytes>> Pieces<'_, E> {
    fn flush(&mut self) {
        if !self.small.is_empty() {
            self.out.extend([self.small.split().freeze()]);
        }
    }
}

impl<E: Extend<Bytes>> Sink for Pieces<'_, E> {
    fn head(&mut self, bytes: &[u8]) {
        if self.small.capacity() - self.small.len() < bytes.len() {
            self.flush();
            self.small.reserve(SHARED + record::LONGEST);
        }
        self.small.extend_from_slice(bytes);
    }

    fn payload(&mut self, held: &mut Segments, mut offset: u64, mut len: usize) {
        while len > 0 {
            let piece = held.piece(offset);
            let here = piece.len().min(len);
            if here < SHARED {
                let piece = &piece[..here];
                self.head(piece);
            } else {
                self.flush();
                self.out.extend([held.share(offset, here)]);
            }
            offset += here as u64;
            len -= here;
        }
    }
}

impl Session {
    /// Takes bytes from the front of `data`, by copying, and tells how many: no more than [`writable`](Self::writable).
    pub fn write(&mut self, data: &[u8]) -> usize {
        let len = data.len().min(self.writable());
        self.outbound.held.append(&data[..len]);
        self.counters.written += len as u64;
        len
    }

    /// Takes bytes from the front of `data` and tells how many. 4 KiB and more are shared, and their memory is given
    /// back only when they are acknowledged to the last: hand over no slices of buffers that are much larger.
    pub fn write_shared(&mut self, data: &mut Bytes) -> usize {
        let len = data.len().min(self.writable());
        self.outbound.held.append_shared(data.split_to(len));
        self.counters.written += len as u64;
        len
    }

    /// Bytes that are taken now. None before the first carrier, none after [`finish`](Self::finish) or the end; 0
    /// otherwise means that the peer has to read or acknowledge first, or that the carrier has to take some: stop reading
    /// the application.
    pub fn writable(&self) -> usize {
        if self.ended().is_some() {
            return 0;
        }
        let room = self.outbound.room();
        if self.is_attached() { room.min(self.outbound.room_ahead(&self.limits)) } else { room }
    }

    /// Whether so much is taken again that it is worth the while to wake whoever writes.
    pub fn is_roomy(&self) -> bool {
        self.writable() as u64 >= self.outbound.ahead(&self.limits) / 2
    }

    /// Tells the peer that no more bytes come. What was written still gets there, and the other direction goes on.
    pub fn finish(&mut self) {
        self.outbound.finished = true;
    }

    /// Whether the peer has acknowledged everything written. That says nothing of [`finish`](Self::finish), which is
    /// not acknowledged.
    pub fn is_flushed(&self) -> bool {
        self.outbound.held.held() == 0
    }

    /// Whether there is anything to transmit now.
    pub fn is_to_transmit(&self) -> bool {
        self.is_attached()
            && (self.ended().is_some()
                || self.inbound.ack_is_due()
                || self.outbound.sendable() > 0
                || self.outbound.fin_is_due()
                || self.pong.is_some()
                || self.keepalive.is_unsent())
    }

    /// Appends records for the attached carrier to `out`, at most `limit` bytes, and tells how many; call until that
    /// is 0. They count as sent. A `limit` under 512 bytes may be too little for any record.
    pub fn transmit(&mut self, out: &mut BytesMut, limit: usize, now: Duration) -> usize {
        self.fill(&mut Copied(out), limit, now)
    }

    /// The same as pieces for a vectored write: payload is shared with the replay buffer where it is 2 KiB or more.
    pub fn transmit_pieces(&mut self, out: &mut impl Extend<Bytes>, limit: usize, now: Duration) -> usize {
        let mut small = std::mem::take(&mut self.small);
        let mut pieces = Pieces { small: &mut small, out };
        let len = self.fill(&mut pieces, limit, now);
        pieces.flush();
        self.small = small;
        len
    }

    fn fill(&mut self, sink: &mut impl Sink, limit: usize, now: Duration) -> usize {
        if !self.is_attached() {
            return 0;
        }
        let mut left = limit;
        if self.ended().is_some() {
            return self.fill_close(sink, limit);
        }
        self.fill_control(sink, &mut left);
        let from = self.outbound.next;
        self.fill_data(sink, &mut left);
        self.outbound.note(from, now);
        limit - left
    }

    fn fill_close(&mut self, sink: &mut impl Sink, limit: usize) -> usize {
        let Some(record) = self.unsent_close().map(Ended::record) else { return 0 };
        if record.len() > limit {
            return 0;
        }
        self.close_sent = true;
        sink.head(&record);
        record.len()
    }

    /// What goes ahead of all data.
    fn fill_control(&mut self, sink: &mut impl Sink, left: &mut usize) {
        let data = self.outbound.sendable() > 0 || self.outbound.fin_is_due();
        if (self.inbound.ack_is_due() || data && self.inbound.has_news()) && fits(17, left) {
            sink.head(&self.inbound.take_ack());
        }
        if self.pong.is_some()
            && fits(9, left)
            && let Some(number) = self.pong.take()
        {
            sink.head(&record::number_record(record::PONG, number));
        }
        if self.keepalive.is_unsent()
            && fits(9, left)
            && let Some(number) = self.keepalive.take_unsent()
        {
            sink.head(&record::number_record(record::PING, number));
        }
    }

    fn fill_data(&mut self, sink: &mut impl Sink, left: &mut usize) {
        let Limits { chunk, .. } = self.limits;
        let outbound = &mut self.outbound;
        while let sendable @ 1.. = outbound.sendable() {
            let room = left.saturating_sub(DATA_HEADER);
            let len = usize::try_from(sendable).unwrap_or(room).min(room).min(chunk as usize);
            if len == 0 {
                return;
            }
            sink.head(&record::data_header(outbound.next, len as u32));
            sink.payload(&mut outbound.held, outbound.next, len);
            *left -= DATA_HEADER + len;
            let end = outbound.next + len as u64;
            self.counters.sent += len as u64;
            self.counters.resent += outbound.sent.min(end).saturating_sub(outbound.next);
            (outbound.next, outbound.sent) = (end, outbound.sent.max(end));
        }
        if outbound.fin_is_due() && fits(9, left) {
            outbound.fin_sent = true;
            sink.head(&record::number_record(record::FIN, outbound.next));
        }
    }
}

/// Takes `len` off what is left, if it fits.
fn fits(len: usize, left: &mut usize) -> bool {
    let fits = len <= *left;
    if fits {
        *left -= len;
    }
    fits
}
