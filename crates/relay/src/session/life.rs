//! The session itself: how it begins, loses its carriers, waits and ends.

use std::time::Duration;

use bytes::BytesMut;

use super::{
    Authenticator, Break, Counters, Ended, Fault, Limits, Reason, Role, SessionId,
    attach::{Key, Offer},
    keepalive::Keepalive,
    reason::By,
    receive::Inbound,
    send::Outbound,
};

#[derive(Clone, Copy, Debug)]
enum Carrier {
    Attached,
    None { since: Duration },
}

/// One end of a session. Times are since any start that all calls share.
///
/// For each carrier: send [`offer`](Self::offer), hand what comes to [`accept`](Self::accept) until it is attached,
/// and from then on to [`receive`](Self::receive); send what [`transmit`](Self::transmit) gives after every call, and
/// call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says so. When the carrier
/// breaks, say [`detach`](Self::detach) and offer another.
#[derive(Debug)]
pub struct Session {
    role: Role,
    id: SessionId,
    pub(super) limits: Limits,
    pub(super) key: Option<Key>,
    /// Of the last ATTACH sent.
    pub(super) epoch: u64,
    /// Of the newest ATTACH accepted, since there is a key.
    pub(super) peer_epoch: u64,
    pub(super) offer: Option<Offer>,
    carrier: Carrier,
    ended: Option<Ended>,
    pub(super) close_sent: bool,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    pub(super) keepalive: Keepalive,
    /// The PING to answer; only the last counts, so that no number of them takes memory.
    pub(super) pong: Option<u64>,
    /// Where small records are put together for a vectored write.
    pub(super) small: BytesMut,
    pub(super) counters: Counters,
}

impl Session {
    /// A session without carrier; its grace begins `now`. `seed` varies the times of PINGs: any random number.
    pub fn new(role: Role, id: SessionId, limits: Limits, seed: u64, now: Duration) -> Self {
        let limits = limits.workable();
        Self {
            role,
            id,
            key: None,
            epoch: 0,
            peer_epoch: 0,
            offer: None,
            carrier: Carrier::None { since: now },
            ended: None,
            close_sent: false,
            inbound: Inbound::new(limits.window, limits.ack_every),
            outbound: Outbound::new(&limits),
            keepalive: Keepalive::new(limits.ping_interval, seed),
            pong: None,
            small: BytesMut::new(),
            counters: Counters::default(),
            limits,
        }
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The session's name.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Gives the session its key as soon as the TLS session inside has verified the peer; from then on it can be
    /// resumed, once the peer has it too. A second key is not taken.
    pub fn set_key(&mut self, key: Box<dyn Authenticator>) {
        if self.key.is_none() {
            self.key = Some(Key(key));
        }
    }

    /// Whether it has its key.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether a carrier is attached.
    pub fn is_attached(&self) -> bool {
        matches!(self.carrier, Carrier::Attached)
    }

    /// How the session has ended, if it has. What was received before can still be read.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// What was moved so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes of memory that the stream takes in both directions.
    pub fn memory(&self) -> usize {
        self.inbound.memory() + self.outbound.memory() + self.small.capacity()
    }

    /// From the last PING to its answer, if there was one.
    pub fn round_trip(&self) -> Option<Duration> {
        self.keepalive.round_trip()
    }

    /// Another time from one PING to the next, from the next on: for carriers that die of silence.
    pub fn set_ping_interval(&mut self, interval: Duration) {
        self.keepalive.set_interval(interval);
    }

    /// The attached carrier is broken, whatever broke it; without one nothing changes. If this end has no key yet and
    /// bytes have passed, that ends the session.
    pub fn detach(&mut self, now: Duration) {
        if !self.is_attached() {
            return;
        }
        self.carrier = Carrier::None { since: now };
        self.inbound.detach();
        self.pong = None;
        if self.key.is_none() && self.has_begun() {
            self.end(Ended::here(Reason::Unverified, "the carrier broke before the session had its key"));
        }
    }

    /// Ends the session at once: what was not sent is not sent any more. If it has ended already, nothing changes. A
    /// text over 256 bytes is cut.
    pub fn close(&mut self, reason: Reason, text: &str) {
        self.end(Ended::here(reason, text));
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.ended.is_some() {
            return None;
        }
        Some(match self.carrier {
            Carrier::None { since } => since.saturating_add(self.limits.grace),
            Carrier::Attached => {
                let first = [self.inbound.ack_at(), self.unanswered_at()].into_iter().flatten().min();
                first.unwrap_or(Duration::MAX).min(self.keepalive.timeout())
            }
        })
    }

    /// Does what is due; nothing before the time that [`poll_timeout`](Self::poll_timeout) gives.
    ///
    /// # Errors
    /// A fault: the attached carrier is dead, drop it. The end of the session, for want of a carrier or before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), Break> {
        self.still_open()?;
        match self.carrier {
            Carrier::None { since } if since.saturating_add(self.limits.grace) <= now => {
                Err(self.end(Ended::here(Reason::GraceElapsed, "no carrier was attached for too long")))
            }
            Carrier::None { .. } => Ok(()),
            Carrier::Attached => {
                if self.unanswered_at().is_some_and(|at| at <= now) {
                    return Err(self.fail(Fault::Unanswered, now));
                }
                self.inbound.handle_timeout(now);
                self.keepalive.handle_timeout(&self.limits, now).map_err(|fault| self.fail(fault, now))
            }
        }
    }

    /// When a carrier offered beside the attached one must have taken its place: until it does, the peer waits for
    /// ACKs.
    fn unanswered_at(&self) -> Option<Duration> {
        self.inbound.cap.map(|cap| cap.since.saturating_add(self.limits.attach_timeout))
    }

    /// Whether bytes of the stream have passed, as far as is known here.
    pub(super) fn has_begun(&self) -> bool {
        self.inbound.received() > 0 || self.outbound.acknowledged() > 0
    }

    pub(super) fn attach(&mut self, now: Duration) {
        self.carrier = Carrier::Attached;
        (self.offer, self.pong) = (None, None);
        self.keepalive.attach(&self.limits, now);
        self.counters.attaches += 1;
    }

    pub(super) fn still_open(&self) -> Result<(), Break> {
        self.ended.clone().map_or(Ok(()), |ended| Err(Break::Ended(ended)))
    }

    /// Drops the attached carrier for a fault.
    pub(super) fn fail(&mut self, fault: Fault, now: Duration) -> Break {
        self.counters.faults += 1;
        self.detach(now);
        self.ended.clone().map_or(Break::Fault(fault), Break::Ended)
    }

    /// Ends the session, if it has not ended; the first end counts.
    pub(super) fn end(&mut self, ended: Ended) -> Break {
        Break::Ended(self.ended.get_or_insert(ended).clone())
    }

    /// The CLOSE that the attached carrier has yet to be sent.
    pub(super) fn unsent_close(&self) -> Option<&Ended> {
        self.ended.as_ref().filter(|ended| ended.by == By::Here && !self.close_sent)
    }
}
