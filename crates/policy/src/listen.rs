//! Listening: what a message says is told, packet by packet, and nothing is judged. Who learns from traffic goes by the very
//! decoders that will judge it.

use wicketgate_wire::DataKind;

use crate::fields::{Fields, Tree};
use crate::format::pack::{Breach, Pack, Packets};
use crate::format::{Format, pack};
use crate::message::{Direction, Message};
use crate::policy::{Policy, Rules, Session};

/// A message, or a packet of one.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'m> {
    /// What kind of message it is; empty where it has none.
    pub kind: &'m str,
    /// What it says.
    pub fields: Fields<'m>,
    /// Text or binary.
    pub data: DataKind,
    /// Where it begins in the message; none for a packet of which a part came before.
    pub at: Option<usize>,
}

impl Policy {
    /// Tells `heard` of a session's next message, of each packet where it holds several. The steps of the policy are not asked.
    ///
    /// # Errors
    /// What the policy's format does not let pass; packets before it were told.
    pub fn listen(
        &self,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> Result<(), Breach> {
        let Some(rules) = self.rules() else { return Ok(()) };
        let mut tree = Tree::default();
        if !rules.format.types().contains(&message.kind) {
            return Err(Breach::Type);
        }
        if !rules.takes_subprotocol(session) {
            return Err(Breach::Subprotocol);
        }
        match &rules.format {
            Format::Pack(pack) => {
                rules.listen_to_packets(pack, &mut tree, session, direction, message, heard)
            }
            _ => rules.listen_to_one(&mut tree, session, direction, message, &mut |one| {
                heard(Heard { at: Some(0), ..one })
            }),
        }
    }
}

impl Rules {
    fn listen_to_one(
        &self,
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> Result<(), Breach> {
        let known = self.understand(tree, session, direction, message)?;
        let fields = Fields::new(tree, message.payload);
        let mut number = String::new();
        let kind = self.kind(known.as_deref(), &fields, &mut number);
        heard(Heard { kind, fields, data: message.kind, at: None });
        Ok(())
    }

    /// The packets of a message, as [`Rules::judge_packets`] takes them apart.
    fn listen_to_packets(
        &self,
        pack: &Pack,
        tree: &mut Tree,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> Result<(), Breach> {
        let talk = session.talk.get_or_insert_default();
        talk.speak(pack.name())?;
        let mut payload = talk.take_held(direction);
        let is_whole = payload.is_empty();
        payload.extend_from_slice(message.payload);
        let mut packets = Packets::new(payload.len(), self.limits.packets);
        pack.split(talk, direction, message.kind, &payload, &mut packets)?;
        let (whole, rest) = payload.split_at_checked(packets.end).ok_or(Breach::Partial)?;
        if rest.len() > self.limits.packet {
            return Err(Breach::PacketSize);
        }
        for packet in &packets.list {
            let one = whole.get(packet.clone()).ok_or(Breach::Partial)?;
            let one = Message { payload: one, ..message };
            let at = is_whole.then_some(packet.start);
            let mut heard = |one: Heard<'_>| heard(Heard { at, ..one });
            if let Err(breach) = self.listen_to_one(tree, session, direction, one, &mut heard) {
                forget(session.talk.as_deref_mut());
                return Err(breach);
            }
        }
        let talk = session.talk.get_or_insert_default();
        talk.keep();
        talk.hold(direction, rest.to_vec());
        Ok(())
    }
}

/// What a message said that does not count.
fn forget(talk: Option<&mut pack::Talk>) {
    if let Some(talk) = talk {
        talk.back(0);
    }
}
