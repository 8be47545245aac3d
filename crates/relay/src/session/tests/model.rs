//! Two ends over carriers that are cut, replaced, doubled, replayed and forged, in any order: what was written is
//! read, each byte once, and once the cuts stop everything gets through.
//!
//! `RELAY_SESSION_SEEDS=100000` runs as many seeds, each of some hundred steps; `RELAY_SESSION_SEED=7` that one.

use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::session::{Ended, Reason, record};

/// A carrier: bytes on their way to either end, and whether more get in.
#[derive(Default)]
struct Carrier {
    flight: [VecDeque<u8>; 2],
    /// Which ends have taken part: none comes again.
    joined: [bool; 2],
    cut: bool,
}

struct End {
    session: Session,
    /// What it wrote and read.
    written: u64,
    read: u64,
    current: Option<usize>,
    candidate: Option<usize>,
    /// What came on these and is not taken yet.
    input: BytesMut,
    first: BytesMut,
    /// Every ATTACH it has sent.
    attaches: Vec<Bytes>,
}

struct World {
    random: Random,
    ends: [End; 2],
    carriers: Vec<Carrier>,
    now: Duration,
    limits: Limits,
    /// Whether someone on the way forges records, and still does.
    forging: bool,
    calm: bool,
}

const GRACE: Duration = Duration::from_secs(1 << 20);
/// Bytes after which the client, and then the agent, has its key.
const HELLO: u64 = 200;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limits = Limits {
            replay: 1 + random.below(6000) as u32,
            ahead: 1 + random.below(6000) as u32,
            window: 1 + random.below(6000) as u32,
            chunk: 1 + random.below(900) as u32,
            record: 1000,
            ack_every: random.below(2000) as u32,
            ping_interval: Duration::from_millis(200),
            pong_timeout: Duration::from_millis(100),
            attach_timeout: Duration::from_millis(300),
            grace: GRACE,
            ..Limits::default()
        };
        let keyed = random.one_in(2);
        let ends = [Role::Client, Role::Agent].map(|role| {
            let mut session = Session::new(role, ID, limits.clone(), random.next(), Duration::ZERO);
            if keyed {
                session.set_key(Box::new(KEY));
            }
            End {
                session,
                written: 0,
                read: 0,
                current: None,
                candidate: None,
                input: BytesMut::new(),
                first: BytesMut::new(),
                attaches: Vec::new(),
            }
        });
        let forging = random.one_in(2);
        Self { random, ends, carriers: Vec::new(), now: Duration::ZERO, limits, forging, calm: false }
    }

    fn step(&mut self) {
        let at = self.random.below(2) as usize;
        match self.random.below(40) {
            0..6 => {
                let most = self.random.below(3000);
                self.write(at, most as usize);
            }
            6..12 => {
                let most = self.random.below(3000);
                self.read(at, most as usize);
            }
            12..22 => {
                let limit = self.random.below(3000);
                self.transmit(at, limit as usize);
            }
            22..32 => {
                let most = self.random.below(3000) as usize;
                let current = self.random.one_in(2);
                self.deliver(at, current, most);
            }
            32 => self.cut(),
            33 => self.join(at, false),
            34 => {
                self.join(0, true);
                self.join(1, false);
            }
            35 if self.random.one_in(4) => self.replay(at),
            36 if self.forging => self.forge(at),
            37 if self.random.one_in(4) => {
                self.ends[at].session.detach(self.now);
                self.lost(at);
            }
            _ => {
                let most = if self.random.one_in(20) { 100 } else { 5 };
                let pass = Duration::from_millis(self.random.below(most));
                self.pass(pass);
            }
        }
        self.check(at);
    }

    fn check(&self, at: usize) {
        let end = &self.ends[at];
        let bound = self.limits.replay as usize + self.limits.window as usize + (3 << 16);
        assert!(end.session.memory() <= bound);
        let counters = end.session.counters();
        assert_eq!((counters.written, counters.read), (end.written, end.read));
        assert!(
            counters.received <= self.ends[1 - at].written.max(counters.received * u64::from(self.forging))
        );
    }

    fn write(&mut self, at: usize, most: usize) {
        let end = &mut self.ends[at];
        let data = stream(at, end.written, most);
        let len = if self.random.one_in(2) {
            end.session.write(&data)
        } else {
            end.session.write_shared(&mut Bytes::from(data))
        };
        end.written += len as u64;
    }

    fn read(&mut self, at: usize, most: usize) {
        let end = &mut self.ends[at];
        let bytes = if self.random.one_in(2) {
            end.session.read(most)
        } else {
            let peeked = end.session.peek();
            let bytes = Bytes::copy_from_slice(&peeked[..peeked.len().min(most)]);
            end.session.consume(bytes.len());
            bytes
        };
        assert_eq!(bytes, stream(1 - at, end.read, bytes.len()));
        end.read += bytes.len() as u64;
        assert!(end.read <= self.ends[1 - at].written);
        // What the TLS session inside would do.
        let agent_may = self.ends[0].session.has_key();
        let end = &mut self.ends[at];
        let due = at == 0 && end.read >= HELLO || at == 1 && end.read >= 2 * HELLO && agent_may;
        if due && end.session.ended().is_none() {
            end.session.set_key(Box::new(KEY));
        }
    }

    fn transmit(&mut self, at: usize, limit: usize) {
        let end = &mut self.ends[at];
        let Some(carrier) = end.current else { return };
        let mut out = BytesMut::new();
        let len = if self.random.one_in(2) {
            end.session.transmit(&mut out, limit, self.now)
        } else {
            let mut pieces = Vec::<Bytes>::new();
            let len = end.session.transmit_pieces(&mut pieces, limit, self.now);
            out.extend_from_slice(&pieces.concat());
            len
        };
        assert!(len == out.len() && len <= limit);
        self.send(carrier, at, &out);
    }

    fn send(&mut self, carrier: usize, from: usize, bytes: &[u8]) {
        let carrier = &mut self.carriers[carrier];
        if !carrier.cut {
            carrier.flight[1 - from].extend(bytes);
        }
    }

    /// Some bytes arrive at an end on the one carrier or the other; a cut one is seen to be when it is empty.
    fn deliver(&mut self, at: usize, current: bool, most: usize) {
        let end = &mut self.ends[at];
        let Some(number) = (if current { end.current } else { end.candidate }) else { return };
        let carrier = &mut self.carriers[number];
        let len = most.min(carrier.flight[at].len());
        let come = carrier.flight[at].drain(..len);
        if current {
            end.input.extend(come);
            self.receive(at);
        } else {
            end.first.extend(come);
            self.accept(at);
        }
        let end = &mut self.ends[at];
        let carrier = &self.carriers[number];
        if carrier.cut && carrier.flight[at].is_empty() && self.random.one_in(3) {
            if end.current == Some(number) {
                end.session.detach(self.now);
                self.lost(at);
            } else if end.candidate == Some(number) {
                end.candidate = None;
                end.first.clear();
            }
        }
    }

    fn receive(&mut self, at: usize) {
        let end = &mut self.ends[at];
        match end.session.receive(&mut end.input, self.now) {
            Ok(()) => assert!(end.input.len() < record::LONGEST),
            Err(broken) => self.broken(at, &broken),
        }
    }

    fn accept(&mut self, at: usize) {
        let end = &mut self.ends[at];
        match end.session.accept(&mut end.first, self.now) {
            Ok(None) => assert!(end.first.len() < record::LONGEST),
            Ok(Some(_)) => {
                let candidate = end.candidate.take();
                end.input = std::mem::take(&mut end.first);
                if let Some(old) = std::mem::replace(&mut end.current, candidate) {
                    self.carriers[old].cut = true;
                }
                self.receive(at);
            }
            Err(broken) => {
                let candidate = end.candidate.take();
                end.first.clear();
                if let (Break::Ended(ended), Some(candidate)) = (&broken, candidate) {
                    self.may_end(at, ended);
                    self.send(candidate, at, &ended.record());
                }
                if let Some(candidate) = candidate {
                    self.carriers[candidate].cut = true;
                }
            }
        }
    }

    fn broken(&mut self, at: usize, broken: &Break) {
        match broken {
            Break::Fault(fault) => {
                let honest = matches!(fault, Fault::Dead | Fault::Unanswered | Fault::Detached);
                assert!(honest || self.forging, "{fault} without a forger");
                self.lost(at);
            }
            Break::Ended(ended) => self.may_end(at, ended),
        }
    }

    /// An end's carrier is gone.
    fn lost(&mut self, at: usize) {
        let end = &mut self.ends[at];
        end.input.clear();
        if let Some(carrier) = end.current.take() {
            self.carriers[carrier].cut = true;
        }
        assert!(!end.session.is_attached());
        if let Some(ended) = end.session.ended().cloned() {
            self.may_end(at, &ended);
        }
    }

    fn may_end(&self, at: usize, ended: &Ended) {
        match ended.reason {
            Reason::Unverified => {
                assert!(self.ends.iter().any(|end| !end.session.has_key()), "{ended}, with both keys");
            }
            Reason::RewindImpossible => assert!(self.forging, "{ended}, without a forger"),
            _ => panic!("end {at}: {ended}"),
        }
    }

    fn cut(&mut self) {
        let number = self.random.below(self.carriers.len() as u64) as usize;
        let Some(carrier) = self.carriers.get_mut(number) else { return };
        carrier.cut = true;
        for flight in &mut carrier.flight {
            flight.truncate(self.random.below(flight.len() as u64 + 1) as usize);
        }
    }

    /// An end takes part in the newest carrier, or in one of its own making.
    fn join(&mut self, at: usize, new: bool) {
        if new || self.carriers.is_empty() {
            self.carriers.push(Carrier::default());
        }
        let number = self.carriers.len() - 1;
        if std::mem::replace(&mut self.carriers[number].joined[at], true) {
            return;
        }
        let end = &mut self.ends[at];
        let Some(attach) = end.session.offer(self.now) else {
            // An ended session still tells whoever comes.
            if let Some(ended) = end.session.ended() {
                let record = ended.record();
                self.send(number, at, &record);
            }
            return;
        };
        end.attaches.push(attach.clone());
        end.first.clear();
        if let Some(old) = end.candidate.replace(number) {
            self.carriers[old].cut = true;
        }
        let mut attach = BytesMut::from(&attach[..]);
        if self.forging && !self.calm && self.random.one_in(10) {
            let bit = self.random.below(attach.len() as u64 * 8) as usize;
            attach[bit / 8] ^= 1 << (bit % 8);
        }
        self.send(number, at, &attach);
    }

    /// A carrier to nobody, on which an old ATTACH of the peer comes.
    fn replay(&mut self, at: usize) {
        let old = &self.ends[1 - at].attaches;
        let Some(old) = old.get(self.random.below(old.len() as u64) as usize).cloned() else { return };
        self.join(at, true);
        let carrier = self.carriers.len() - 1;
        self.carriers[carrier].flight = [old.iter().copied().collect(), old.iter().copied().collect()];
        self.carriers[carrier].cut = true;
    }

    /// A record that the peer has not sent, behind those that it has.
    fn forge(&mut self, at: usize) {
        let Some(carrier) = self.ends[at].current else { return };
        let near = self.ends[1 - at].read + self.random.below(3000);
        let number =
            [near, near.saturating_sub(2000), self.random.next(), u64::MAX][self.random.below(4) as usize];
        let window = [near + 2000, self.random.next(), u64::MAX][self.random.below(3) as usize];
        let record = match self.random.below(6) {
            0..3 => record::ack_record(number, window).to_vec(),
            3 => record::number_record(record::PING + self.random.below(2) as u8, number).to_vec(),
            4 => vec![self.random.next() as u8 | 8; 20],
            _ => {
                Attach { session: ID, epoch: number, received: near, window, tag: [1; 32] }.encode().to_vec()
            }
        };
        self.send(carrier, at, &record);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for at in 0..2 {
            let session = &mut self.ends[at].session;
            while session.poll_timeout().is_some_and(|due| due <= self.now) {
                if let Err(broken) = session.handle_timeout(self.now) {
                    self.broken(at, &broken);
                    break;
                }
            }
        }
    }

    /// No more cuts and no forger: everything gets through, or both ends know why not.
    fn settle(&mut self) {
        self.calm = true;
        // Whoever has its carrier to itself finds out by its PINGs, unless it is told before.
        for at in 0..2 {
            self.ends[at].session.finish();
        }
        self.renew();
        for round in 0.. {
            assert!(
                round < 20_000,
                "it does not get through: {:#?}",
                self.ends.each_ref().map(|end| &end.session)
            );
            for at in 0..2 {
                self.transmit(at, 4096);
                self.deliver(at, true, usize::MAX);
                self.deliver(at, false, usize::MAX);
                self.read(at, usize::MAX);
            }
            self.pass(Duration::from_millis(5));
            let ended = self.ends.each_ref().map(|end| end.session.ended().is_some());
            if ended == [true; 2] {
                return;
            }
            if ended == [false; 2]
                && self.ends.iter().all(|end| end.session.is_at_end() && end.session.is_flushed())
            {
                break;
            }
            if self.ends.iter().any(|end| end.current.is_none() && end.candidate.is_none()) {
                self.renew();
            }
        }
        assert_eq!(self.ends[0].written, self.ends[1].read);
        assert_eq!(self.ends[1].written, self.ends[0].read);
    }

    fn renew(&mut self) {
        self.join(0, true);
        self.join(1, false);
    }
}

struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

#[test]
fn whatever_happens_to_carriers_the_bytes_get_through() {
    let seeds = match number("RELAY_SESSION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RELAY_SESSION_SEEDS").unwrap_or(300),
    };
    let many = seeds.end - seeds.start >= 300;
    let (mut through, mut moved, mut resent, mut repeated, mut attaches) = (0, 0, 0, 0, 0);
    for seed in seeds {
        let _told = Told(seed);
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.step();
        }
        world.settle();
        let [client, agent] = world.ends.each_ref().map(|end| end.session.counters());
        through += usize::from(world.ends[0].session.ended().is_none());
        moved += client.read + agent.read;
        resent += client.resent + agent.resent;
        repeated += client.repeated + agent.repeated;
        attaches += client.attaches;
    }
    eprintln!(
        "{through} through, {attaches} attaches, bytes: {moved} moved, {resent} resent, {repeated} repeated"
    );
    assert!(!many || through > 100 && resent > 0 && repeated > 0);
}
