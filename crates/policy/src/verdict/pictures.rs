//! A message whose pictures are to be marked before it goes on. That takes milliseconds: whoever has a thread for it does it.

use wicketgate_watermark::Watch;

use super::{Forward, Outcome, Verdict};
use crate::fields::{Fields, Tree};
use crate::finding::{Enforcement, Hit};
use crate::format::Format;
use crate::rewrite::{Change, Edits};
use crate::step::{Marking, Step};

/// A message that every step let pass, once its pictures are marked.
#[derive(Debug)]
pub struct Pictures {
    step: Step,
    format: Format,
    packets: Vec<Packet>,
    /// What stands behind the last packet that has pictures.
    pub(crate) behind: Vec<u8>,
}

/// A message, or a packet of one.
#[derive(Debug)]
struct Packet {
    /// What stands before it.
    before: Vec<u8>,
    payload: Vec<u8>,
    tree: Tree,
    marking: Marking,
}

/// Why a message's pictures were not marked.
type Refused = (Box<str>, &'static str, String);

impl Pictures {
    pub(crate) fn new(step: &Step, format: &Format, payload: Vec<u8>, tree: Tree, marking: Marking) -> Self {
        let packet = Packet { before: Vec::new(), payload, tree, marking };
        Self { step: step.clone(), format: format.clone(), packets: vec![packet], behind: Vec::new() }
    }

    /// Puts what stands before the first of them in its place.
    pub(crate) fn put_before(&mut self, bytes: Vec<u8>) {
        if let Some(first) = self.packets.first_mut() {
            first.before = bytes;
        }
    }

    /// Adds those of a later packet of the message.
    pub(crate) fn append(&mut self, later: Self) {
        self.packets.extend(later.packets);
    }

    /// Bytes that marking them takes at most, with all that is held for it.
    pub fn memory(&self) -> usize {
        let packet = |packet: &Packet| {
            packet.marking.memory() + 2 * (packet.payload.len() + packet.before.len()) as u64
        };
        let all = self.packets.iter().map(packet).sum::<u64>() + self.behind.len() as u64;
        usize::try_from(all).unwrap_or(usize::MAX)
    }

    /// Marks them: what becomes of the message. `is_time_left` is asked now and then.
    pub fn mark(&self, is_time_left: &(dyn Fn() -> bool + Sync)) -> Outcome {
        match self.marked(&Watch(is_time_left)) {
            Ok(payload) => Outcome::of(Verdict::Rewrite(payload, Forward(())), Vec::new()),
            Err(refused) => self.refuse(refused),
        }
    }

    /// What becomes of the message where they cannot be marked for want of room.
    pub fn find_no_room(&self) -> Outcome {
        self.refuse(("$".into(), "picture_no_room", "too many pictures are being marked".into()))
    }

    /// What becomes of the message where marking them takes too long.
    pub fn run_late(&self) -> Outcome {
        self.refuse(("$".into(), "picture_slow", "marking its pictures took too long".into()))
    }

    /// What becomes of the message where marking them failed in a way that nobody foresaw.
    pub fn fail(&self) -> Outcome {
        self.refuse(("$".into(), "picture_malformed", "marking its pictures failed".into()))
    }

    fn marked(&self, watch: &Watch<'_>) -> Result<Vec<u8>, Refused> {
        let mut message = Vec::new();
        for Packet { before, payload, tree, marking } in &self.packets {
            let (mut edits, mut growth) = (Edits::default(), 0);
            for picture in &marking.pictures {
                let marked = marking.mark(picture, watch);
                let marked = marked.map_err(|why| (picture.path.clone(), why.label(), why.to_string()))?;
                growth += marked.len() / 3 * 4 + 4;
                edits.push(picture.field, Change::Replace(picture.carried.instead(marked)));
            }
            let marked = edits.apply_within(growth, &self.format, &Fields::new(tree, payload));
            message.extend_from_slice(before);
            message.extend(marked.map_err(|why| ("$".into(), "unwritable", why.to_string()))?);
        }
        message.extend_from_slice(&self.behind);
        Ok(message)
    }

    /// What the step's `then` makes of the message: where it only records, that goes on without marks.
    fn refuse(&self, (path, class, why): Refused) -> Outcome {
        debug_assert_eq!(self.step.enforcement, Enforcement::Enforce);
        let hit = Hit { path, ..Hit::whole(class, why) };
        let found = hit.found_by(&self.step, self.step.then.action());
        let verdict = self.step.then.verdict().unwrap_or_else(|| {
            let mut message = Vec::new();
            for packet in &self.packets {
                message.extend_from_slice(&packet.before);
                message.extend_from_slice(&packet.payload);
            }
            message.extend_from_slice(&self.behind);
            Verdict::Rewrite(message, Forward(()))
        });
        Outcome::of(verdict, vec![found])
    }
}
