//! Carriers come: what this end shows the peer, and what the peer has to show before a carrier counts.

use std::{fmt, hint, time::Duration};

use bytes::{Buf, Bytes, BytesMut};

use super::{
    Break, Ended, Fault, Reason, Session,
    reason::By,
    receive::Cap,
    record::{ATTACH, Attach, CLOSE, Record, UNTAGGED},
};

/// Which end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person's side.
    Client,
    /// The machine that is reached.
    Agent,
}

impl Role {
    const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Agent,
            Self::Agent => Self::Client,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Client => 0,
            Self::Agent => 1,
        }
    }
}

/// The name of a session, the same on both ends; not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// A MAC, such as HMAC-SHA-256, with a key that only the two ends of one session have.
pub trait Authenticator: Send {
    /// The tag of `data`, which is 43 bytes.
    fn tag(&self, data: &[u8]) -> [u8; 32];
}

/// The key, which is not shown.
pub(super) struct Key(pub(super) Box<dyn Authenticator>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    pub(super) fn tag(&self, sender: Role, attach: &Attach) -> [u8; 32] {
        let mut data = [sender.code(); 1 + UNTAGGED];
        data[1..].copy_from_slice(&attach.untagged());
        self.0.tag(&data)
    }
}

const NO_TAG: [u8; 32] = [0; 32];

/// Compares in a time that does not depend on where the tags differ.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    hint::black_box(one.iter().zip(other).fold(0, |differing, (one, other)| differing | one ^ other)) == 0
}

/// What the last ATTACH sent has said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    received: u64,
    window: u64,
}

/// A carrier that has become the session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The session's first.
    pub first: bool,
    /// Bytes sent on former carriers that are sent again.
    pub again: u64,
}

impl Session {
    /// The ATTACH to be sent first on a new carrier; the carrier of an earlier one that was not accepted must be
    /// dropped. A carrier that is attached stays so. `None` where no carrier helps: the session has ended (send
    /// the new carrier [`Ended::record`] in place of the ATTACH), or has begun and has no key yet. If the peer comes
    /// with a new carrier then, it has lost the old one: [`detach`](Self::detach) it.
    pub fn offer(&mut self, now: Duration) -> Option<Bytes> {
        if self.ended().is_some() || self.key.is_none() && self.has_begun() {
            return None;
        }
        let (received, window) = (self.inbound.received(), self.inbound.window_end());
        // An earlier offer may still be on its way, and the peer may take it.
        self.inbound.cap.get_or_insert(Cap { received, since: now });
        self.epoch += 1;
        let mut attach = Attach { session: self.id(), epoch: self.epoch, received, window, tag: NO_TAG };
        if let Some(key) = &self.key {
            attach.tag = key.tag(self.role(), &attach);
        }
        self.offer = Some(Offer { received, window });
        Some(attach.encode())
    }

    /// Takes the peer's ATTACH from the front of what has come on the carrier of the last [`offer`](Self::offer);
    /// `None` where it is not complete yet. With it the carrier is attached, and the one before, if any, is to be
    /// dropped.
    ///
    /// # Errors
    /// A fault: drop the new carrier; one that is attached goes on.
    /// The end of the session: its [`record`](Ended::record) is for the new carrier, and for one that is attached.
    pub fn accept(&mut self, input: &mut BytesMut, now: Duration) -> Result<Option<Attached>, Break> {
        self.still_open()?;
        match self.read_attach(input, now) {
            Ok(attached) => Ok(attached),
            Err(Break::Fault(fault)) => {
                self.offer = None;
                self.counters.faults += 1;
                Err(fault.into())
            }
            Err(Break::Ended(ended)) => Err(self.end(ended)),
        }
    }

    fn read_attach(&mut self, input: &mut BytesMut, now: Duration) -> Result<Option<Attached>, Break> {
        let offer = self.offer.ok_or(Fault::Detached)?;
        let Some((attach, len)) = first_record(input)? else { return Ok(None) };
        self.check(&attach)?;
        input.advance(len);
        let again = self.outbound.sent() - attach.received;
        if self.key.is_some() {
            self.peer_epoch = attach.epoch;
        }
        self.inbound.attach(offer.received, offer.window);
        self.outbound.attach(attach.received, attach.window, now);
        self.attach(now);
        Ok(Some(Attached { first: self.counters.attaches == 1, again }))
    }

    fn check(&self, attach: &Attach) -> Result<(), Break> {
        if attach.session != self.id() {
            return Err(Fault::ForeignSession.into());
        }
        match &self.key {
            None if attach.tag == NO_TAG && attach.received == 0 && !self.has_begun() => {}
            Some(key) if attach.tag != NO_TAG => {
                if !is_same(&key.tag(self.role().peer(), attach), &attach.tag) {
                    return Err(Fault::WrongTag.into());
                }
            }
            // The peer can do without this carrier no better: there is no way on, and it must not seek one for ever.
            None if attach.tag != NO_TAG && !self.is_attached() => {
                let text = "the peer has the session's key and this end has not";
                return Err(Break::Ended(Ended::here(Reason::Unverified, text)));
            }
            _ => return Err(Fault::Unverified.into()),
        }
        if attach.epoch <= self.peer_epoch {
            return Err(Fault::StaleEpoch { epoch: attach.epoch, newest: self.peer_epoch }.into());
        }
        if attach.window < attach.received {
            return Err(Fault::WindowBackward.into());
        }
        let (sent, held) = (self.outbound.sent(), self.outbound.acknowledged());
        if attach.received > sent {
            return Err(Fault::FutureOffset { offset: attach.received, sent }.into());
        }
        if attach.received < held {
            let text = format!("the stream is held from offset {held}, {} is asked for", attach.received);
            return Err(Break::Ended(Ended::here(Reason::RewindImpossible, &text)));
        }
        Ok(())
    }
}

/// The ATTACH that a carrier begins with, and its length.
fn first_record(input: &[u8]) -> Result<Option<(Attach, usize)>, Break> {
    match input.first() {
        Some(kind) if !matches!(*kind, ATTACH | CLOSE) => return Err(Fault::NotAttach(*kind).into()),
        _ => {}
    }
    match Record::parse(input)? {
        Some((Record::Attach(attach), len)) => Ok(Some((attach, len))),
        Some((Record::Close(reason, text), _)) => {
            Err(Break::Ended(Ended { reason, text: text.into(), by: By::Peer }))
        }
        _ => Ok(None),
    }
}
