//! Two ends joined, without sockets and with a clock of their own.
#![allow(clippy::unwrap_used)]

mod keepalive;
mod model;
mod pace;
mod refusals;
mod stream;

use std::time::Duration;

use bytes::BytesMut;

use super::{Attached, Authenticator, Break, Fault, Limits, Role, Session, SessionId, record::Attach};

const ID: SessionId = SessionId([7; 16]);

/// No MAC, but nothing in these tests tries to break it.
#[derive(Clone, Copy)]
struct TestKey(u64);

impl Authenticator for TestKey {
    fn tag(&self, data: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        for (lane, out) in tag.chunks_mut(8).enumerate() {
            let start = self.0.wrapping_add(lane as u64) ^ 0xcbf2_9ce4_8422_2325;
            let hash = data.iter().fold(start, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(7)
            });
            out.copy_from_slice(&hash.to_be_bytes());
        }
        tag
    }
}

const KEY: TestKey = TestKey(99);

/// The tag that the peer of that role would make.
fn tagged(sender: Role, mut attach: Attach, key: TestKey) -> Attach {
    attach.tag = super::attach::Key(Box::new(key)).tag(sender, &attach);
    attach
}

/// Byte `at` of the stream of one direction.
fn byte_at(direction: usize, at: u64) -> u8 {
    let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    mixed as u8 ^ (direction as u8).wrapping_mul(0x55)
}

fn stream(direction: usize, from: u64, len: usize) -> Vec<u8> {
    (from..from + len as u64).map(|at| byte_at(direction, at)).collect()
}

/// Takes the first `len` bytes of what was sent.
fn bytes(sent: &[u8]) -> BytesMut {
    BytesMut::from(sent)
}

fn fault<T: std::fmt::Debug>(outcome: Result<T, Break>) -> Fault {
    match outcome {
        Err(Break::Fault(fault)) => fault,
        other => panic!("no fault but {other:?}"),
    }
}

/// Both ends and a carrier that loses nothing.
struct Pair {
    client: Session,
    agent: Session,
    now: Duration,
}

impl Pair {
    /// Attached, with the key on both sides.
    fn new(limits: &Limits) -> Self {
        let mut pair = Self::without_key(limits);
        pair.client.set_key(Box::new(KEY));
        pair.agent.set_key(Box::new(KEY));
        pair.attach();
        pair
    }

    fn without_key(limits: &Limits) -> Self {
        let new = |role| Session::new(role, ID, limits.clone(), 3, Duration::ZERO);
        Self { client: new(Role::Client), agent: new(Role::Agent), now: Duration::ZERO }
    }

    fn attach(&mut self) -> (Attached, Attached) {
        let from_client = self.client.offer(self.now).unwrap();
        let from_agent = self.agent.offer(self.now).unwrap();
        let agent = self.agent.accept(&mut bytes(&from_client), self.now).unwrap().unwrap();
        (self.client.accept(&mut bytes(&from_agent), self.now).unwrap().unwrap(), agent)
    }

    fn detach(&mut self) {
        self.client.detach(self.now);
        self.agent.detach(self.now);
    }

    /// Carries bytes until neither end has any.
    fn pump(&mut self) {
        let mut carried = 1;
        while carried > 0 {
            carried = carry(&mut self.client, &mut self.agent, self.now)
                + carry(&mut self.agent, &mut self.client, self.now);
        }
    }
}

fn carry(from: &mut Session, to: &mut Session, now: Duration) -> usize {
    let mut out = BytesMut::new();
    let len = from.transmit(&mut out, 1 << 20, now);
    if len > 0 {
        to.receive(&mut out, now).unwrap();
        assert!(out.is_empty());
    }
    len
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
