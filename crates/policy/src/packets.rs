//! Messages of packs: each of their packets is judged, and the message goes on if all of them may.

use crate::fields::Tree;
use crate::format::pack::{Breach, Pack, Packets};
use crate::message::{Direction, Message};
use crate::policy::{Rules, Session};
use crate::step::Step;
use crate::verdict::{Forward, Keep, Outcome, Pictures, Verdict};

impl Rules {
    /// Judges the packets of a message in their order. One that does not go on takes the message with it, and what the others
    /// said is forgotten. What a message holds of a packet that is not whole waits for the next one.
    pub(crate) fn judge_packets(
        &self,
        pack: &Pack,
        steps: &[Step],
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
    ) -> Outcome {
        let talk = session.talk.get_or_insert_default();
        if let Err(breach) = talk.speak(pack.name()) {
            return self.breach(breach);
        }
        let mut waited = talk.take_held(direction);
        let payload = if waited.is_empty() {
            message.payload
        } else {
            waited.extend_from_slice(message.payload);
            &waited
        };
        let mut packets = Packets::new(payload.len(), self.limits.packets);
        if let Err(breach) = pack.split(talk, direction, message.kind, payload, &mut packets) {
            return self.breach(breach);
        }
        let Some((whole, rest)) = payload.split_at_checked(packets.end) else {
            return self.breach(Breach::Partial);
        };
        if rest.len() > self.limits.packet {
            return self.breach(Breach::PacketSize);
        }
        let is_as_it_came = waited.is_empty() && rest.is_empty();
        let state = session.state.clone();
        let message = Message { payload: whole, ..message };
        let mut outcome = match packets.list.is_empty() {
            // Heart-beats and parts of packets: they count as any message does.
            true => self.count(steps, tree, session, direction, message),
            false => self.judge_all(&packets, steps, tree, session, direction, message),
        };
        let talk = session.talk.get_or_insert_default();
        match outcome.verdict {
            Verdict::Forward(_) | Verdict::Rewrite(..) | Verdict::Mark(_) => talk.keep(),
            Verdict::Close(_) | Verdict::Drop | Verdict::Reply(_) => {
                talk.back(0);
                session.state = state;
            }
        }
        if let Verdict::Forward(forward) = outcome.verdict {
            outcome.verdict = match whole {
                _ if is_as_it_came => Verdict::Forward(forward),
                [] => Verdict::Drop,
                whole => Verdict::Rewrite(whole.to_vec(), forward),
            };
        }
        // A packet that comes byte by byte is not copied for each of them.
        let part = match waited.is_empty() {
            true => rest.to_vec(),
            false => {
                waited.drain(..packets.end);
                waited
            }
        };
        talk.hold(direction, part);
        outcome
    }

    fn judge_all(
        &self,
        packets: &Packets,
        steps: &[Step],
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
    ) -> Outcome {
        let mut all = Outcome::pass();
        let (mut rewritten, mut done) = (None::<Vec<u8>>, 0);
        let mut marked = None::<Box<Pictures>>;
        for packet in &packets.list {
            let Some(payload) = message.payload.get(packet.clone()) else {
                return self.breach(Breach::Partial);
            };
            let one = Message { payload, ..message };
            let Outcome { verdict, findings, keep, kind } =
                self.judge_one(steps, tree, session, direction, one);
            if keep.is_some() || !findings.is_empty() {
                all.kind = kind;
            }
            all.findings.extend(findings);
            all.keep = both(all.keep.take(), keep);
            match verdict {
                Verdict::Forward(_) => {}
                Verdict::Rewrite(new, _) => {
                    // What stands between packets goes on as it came.
                    let out = rewritten.get_or_insert_default();
                    out.extend_from_slice(message.payload.get(done..packet.start).unwrap_or_default());
                    out.extend_from_slice(&new);
                    done = packet.end;
                }
                Verdict::Mark(mut pictures) => {
                    let mut before = rewritten.take().unwrap_or_default();
                    before.extend_from_slice(message.payload.get(done..packet.start).unwrap_or_default());
                    pictures.put_before(before);
                    match &mut marked {
                        Some(marked) => marked.append(*pictures),
                        None => marked = Some(pictures),
                    }
                    done = packet.end;
                }
                verdict => return Outcome { verdict, ..all },
            }
        }
        if let Some(mut pictures) = marked {
            pictures.behind = rewritten.unwrap_or_default();
            pictures.behind.extend_from_slice(message.payload.get(done..).unwrap_or_default());
            all.verdict = Verdict::Mark(pictures);
        } else if let Some(mut out) = rewritten {
            out.extend_from_slice(message.payload.get(done..).unwrap_or_default());
            all.verdict = Verdict::Rewrite(out, Forward(()));
        }
        all
    }
}

/// What is to be recorded of two packets of one message.
fn both(one: Option<Keep>, other: Option<Keep>) -> Option<Keep> {
    match (one, other) {
        (Some(Keep::Excerpt(one)), Some(Keep::Excerpt(other))) => Some(Keep::Excerpt(one + "\n" + &other)),
        (Some(Keep::Whole(mut one)), Some(Keep::Whole(other))) => {
            one.extend(other);
            Some(Keep::Whole(one))
        }
        (one, other) => one.max(other),
    }
}
