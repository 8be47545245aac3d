//! What a session said so far in its protocol: how far it came, and which ids are open. It follows only what goes on.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

use super::breach::Breach;
use crate::message::Direction;

/// How far a session came in its protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was said.
    #[default]
    New,
    /// The client asked for the protocol's session, and the server has not answered.
    Opening,
    /// The server agreed.
    Open,
    /// Either said that it is over.
    Ended,
}

/// What a session said so far. Ids are kept as hashes under a key that nobody knows: at most 32 bytes each.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Whose it is, from the first message on.
    protocol: Option<&'static str>,
    now: Now,
    open: [HashMap<u64, u8>; 2],
    /// Those that the side that asked ended lately: what answers them may be on its way.
    late: [VecDeque<u64>; 2],
    /// How to take back what the message at hand changed.
    undo: Vec<Undo>,
    /// Parts of packets that wait for the rest.
    held: [Vec<u8>; 2],
}

/// The plain part of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    pub(crate) phase: Phase,
    /// A version, an encoding: what the handshake settled.
    pub(crate) settled: u8,
    /// Binary messages that are to come, by direction.
    pub(crate) attachments: [u8; 2],
}

#[derive(Debug)]
enum Undo {
    Now(Now),
    /// The id had this tag, or was not open.
    Id(usize, u64, Option<u8>),
    /// The id was noted as ended.
    Late(usize),
}

/// An id of a protocol, by what it is an id of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u64);

/// Ids that ended lately which are remembered, for each direction.
const MAX_LATE: usize = 64;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Key {
    /// The id `id` of the kind of things `space`.
    pub(crate) fn of(space: u8, id: impl Hash) -> Self {
        Self(HASHER.hash_one((space, id)))
    }
}

const fn side(asker: Direction) -> usize {
    match asker {
        Direction::ToUpstream => 0,
        Direction::ToClient => 1,
    }
}

impl Talk {
    /// The talk goes on in this protocol.
    pub(crate) fn speak(&mut self, protocol: &'static str) -> Result<(), Breach> {
        if *self.protocol.get_or_insert(protocol) == protocol { Ok(()) } else { Err(Breach::Protocol) }
    }

    /// How far it came.
    pub(crate) const fn now(&self) -> Now {
        self.now
    }

    /// How far it came.
    pub(crate) const fn phase(&self) -> Phase {
        self.now.phase
    }

    /// It comes to another phase.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.change(|now| now.phase = phase);
    }

    /// What was settled changes.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Now)) {
        self.undo.push(Undo::Now(self.now));
        change(&mut self.now);
    }

    /// An id is open from now on, one of at most so many of this side's.
    pub(crate) fn open(&mut self, asker: Direction, key: Key, tag: u8, most: usize) -> Result<(), Breach> {
        let ids = &self.open[side(asker)];
        if ids.contains_key(&key.0) {
            return Err(Breach::DuplicateId);
        }
        if ids.len() >= most {
            return Err(Breach::Pending);
        }
        self.set(asker, key, Some(tag));
        Ok(())
    }

    /// What an open id was tagged with.
    pub(crate) fn tag(&self, asker: Direction, key: Key) -> Option<u8> {
        self.open[side(asker)].get(&key.0).copied()
    }

    /// An open id is tagged anew.
    pub(crate) fn retag(&mut self, asker: Direction, key: Key, tag: u8) {
        self.set(asker, key, Some(tag));
    }

    /// The id is answered or done with; what it was tagged with.
    pub(crate) fn close(&mut self, asker: Direction, key: Key) -> Result<u8, Breach> {
        let tag = self.tag(asker, key).ok_or(Breach::UnknownId)?;
        self.set(asker, key, None);
        Ok(tag)
    }

    /// Whoever asked wants no more of it: what was on its way may come still.
    pub(crate) fn abandon(&mut self, asker: Direction, key: Key) -> Result<u8, Breach> {
        let tag = self.close(asker, key)?;
        self.late[side(asker)].push_back(key.0);
        self.undo.push(Undo::Late(side(asker)));
        Ok(tag)
    }

    /// Whether something may come that belongs to this id.
    pub(crate) fn expects(&self, asker: Direction, key: Key) -> Result<(), Breach> {
        let side = side(asker);
        match self.open[side].contains_key(&key.0) || self.late[side].contains(&key.0) {
            true => Ok(()),
            false => Err(Breach::UnknownId),
        }
    }

    /// The id is done with, or was lately.
    pub(crate) fn finish(&mut self, asker: Direction, key: Key) -> Result<(), Breach> {
        self.expects(asker, key)?;
        if self.tag(asker, key).is_some() {
            self.set(asker, key, None);
        }
        Ok(())
    }

    fn set(&mut self, asker: Direction, key: Key, tag: Option<u8>) {
        let ids = &mut self.open[side(asker)];
        let before = match tag {
            Some(tag) => ids.insert(key.0, tag),
            None => ids.remove(&key.0),
        };
        self.undo.push(Undo::Id(side(asker), key.0, before));
    }

    /// A place to go back to.
    pub(crate) const fn mark(&self) -> usize {
        self.undo.len()
    }

    /// What was said since `mark` did not go on.
    pub(crate) fn back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Now(now)) => self.now = now,
                Some(Undo::Id(side, key, Some(tag))) => drop(self.open[side].insert(key, tag)),
                Some(Undo::Id(side, key, None)) => drop(self.open[side].remove(&key)),
                Some(Undo::Late(side)) => drop(self.late[side].pop_back()),
                None => {}
            }
        }
    }

    /// What was said went on.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
        for late in &mut self.late {
            while late.len() > MAX_LATE {
                late.pop_front();
            }
        }
    }

    /// The part of a packet that waits for the rest, of this direction; it waits no more.
    pub(crate) fn take_held(&mut self, direction: Direction) -> Vec<u8> {
        std::mem::take(&mut self.held[side(direction)])
    }

    /// A part of a packet waits for the rest. It keeps room to grow, and none that a longer message took.
    pub(crate) fn hold(&mut self, direction: Direction, mut part: Vec<u8>) {
        part.shrink_to(part.len() * 2);
        self.held[side(direction)] = part;
    }
}

/// Who asked, where this one answers.
pub(crate) const fn other(direction: Direction) -> Direction {
    match direction {
        Direction::ToUpstream => Direction::ToClient,
        Direction::ToClient => Direction::ToUpstream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::ToUpstream;

    #[test]
    fn what_does_not_go_on_leaves_nothing_behind() {
        let mut talk = Talk::default();
        let (one, two) = (Key::of(0, "1"), Key::of(0, "2"));
        assert_eq!(talk.open(ToUpstream, one, 7, 2), Ok(()));
        talk.keep();
        talk.enter(Phase::Open);
        assert_eq!(talk.abandon(ToUpstream, one), Ok(7));
        assert_eq!(talk.open(ToUpstream, two, 1, 2), Ok(()));
        assert_eq!((talk.phase(), talk.expects(ToUpstream, one)), (Phase::Open, Ok(())));
        talk.back(0);
        assert_eq!((talk.phase(), talk.tag(ToUpstream, one)), (Phase::New, Some(7)));
        assert_eq!(talk.close(ToUpstream, two), Err(Breach::UnknownId));
        assert!(talk.late[0].is_empty());
    }

    #[test]
    fn ids_are_bounded_and_used_once() {
        let mut talk = Talk::default();
        for id in 0..3 {
            assert_eq!(talk.open(ToUpstream, Key::of(0, id), 0, 3), Ok(()));
        }
        assert_eq!(talk.open(ToUpstream, Key::of(0, 3), 0, 3), Err(Breach::Pending));
        assert_eq!(talk.open(ToUpstream, Key::of(0, 2), 0, 3), Err(Breach::DuplicateId));
        for id in 0..1000 {
            let key = Key::of(1, id);
            let _ = talk.close(ToUpstream, Key::of(0, 0));
            assert_eq!(talk.open(ToUpstream, key, 0, 3), Ok(()));
            assert_eq!(talk.abandon(ToUpstream, key), Ok(0));
            talk.keep();
        }
        assert_eq!(talk.late[0].len(), MAX_LATE);
        assert_eq!(talk.expects(ToUpstream, Key::of(1, 1)), Err(Breach::UnknownId));
    }
}
