//! Packs: formats that know a protocol. Each gives the fields and kinds of its messages, and follows what a session says in it.
//!
//! A `Protocol` splits a WebSocket message into its packets, decodes each into fields, and advances the session's `Talk` by it:
//! whatever may not come now is a [`Breach`]. [`Pack`] closes the list of them. Nothing here remembers a packet that did not go on:
//! the policy takes the talk back to where it was.

mod breach;
mod graphql;
mod json_rpc;
mod mqtt;
mod names;
mod ocpp;
mod realtime;
mod signalr;
mod socket_io;
mod stomp;
mod talk;
mod wamp;

use std::borrow::Cow;
use std::ops::Range;

pub use breach::Breach;
use wicketgate_wire::{CloseCode, DataKind};

use self::graphql::Graphql;
pub(crate) use self::graphql::measure;
pub(super) use self::graphql::{Dialect, RawGraphql};
use self::json_rpc::JsonRpc;
pub(super) use self::json_rpc::RawJsonRpc;
use self::mqtt::Mqtt;
pub(super) use self::mqtt::RawMqtt;
use self::ocpp::Ocpp;
pub(super) use self::ocpp::RawOcpp;
pub(super) use self::realtime::RawRealtime;
use self::realtime::Realtime;
pub(super) use self::signalr::RawSignalr;
use self::signalr::Signalr;
pub(super) use self::socket_io::RawSocketIo;
use self::socket_io::SocketIo;
pub(super) use self::stomp::RawStomp;
use self::stomp::Stomp;
pub(crate) use self::talk::Talk;
pub(super) use self::wamp::RawWamp;
use self::wamp::Wamp;
use super::json;
use crate::facts::Facts;
use crate::fields::{Builder, Field, Fields, Shown, Undecodable};
use crate::message::Direction;

/// A protocol that is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Pack {
    /// JSON-RPC 2.0.
    JsonRpc(JsonRpc),
    /// GraphQL over WebSocket, either protocol.
    Graphql(Graphql),
    /// MQTT 3.1.1 and 5.
    Mqtt(Mqtt),
    /// STOMP 1.2.
    Stomp(Stomp),
    /// Socket.IO 5.
    SocketIo(SocketIo),
    /// OCPP-J 1.6 and 2.0.1.
    Ocpp(Ocpp),
    /// SignalR.
    Signalr(Signalr),
    /// WAMP 2 in JSON.
    Wamp(Wamp),
    /// Realtime events, as OpenAI's API has them.
    Realtime(Realtime),
}

/// How much of a session's talk is remembered, and how many packets one message may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Ids open at once, of each side.
    pub pending: usize,
    /// Packets in one message.
    pub packets: usize,
    /// Bytes of a packet that comes in parts.
    pub packet: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pending: 1_000, packets: 100, packet: 256 << 10 }
    }
}

/// The packets of one message.
#[derive(Debug)]
pub(crate) struct Packets {
    /// Where they stand. What is between them is passed on with them.
    pub(crate) list: Vec<Range<usize>>,
    /// Where a packet begins that goes on in the next message; the message's end where none does.
    pub(crate) end: usize,
    /// Heart-beats between them.
    beats: usize,
    most: usize,
}

impl Packets {
    /// None of them yet, of a message of this length.
    pub(crate) const fn new(length: usize, most: usize) -> Self {
        Self { list: Vec::new(), end: length, beats: 0, most }
    }

    fn push(&mut self, packet: Range<usize>) -> Result<(), Breach> {
        if self.list.len() >= self.most {
            return Err(Breach::Packets);
        }
        self.list.push(packet);
        Ok(())
    }

    /// A heart-beat stands between packets: there are no more of them than packets may be.
    const fn beat(&mut self) -> Result<(), Breach> {
        self.beats += 1;
        if self.beats > self.most { Err(Breach::Packets) } else { Ok(()) }
    }
}

/// A packet, and who sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'m> {
    pub(crate) fields: Fields<'m>,
    pub(crate) data: DataKind,
    pub(crate) direction: Direction,
    pub(crate) facts: &'m Facts,
    pub(crate) limits: &'m Limits,
}

/// What kind of message a packet is: its type, and what it names behind a `:`.
type Kind = Cow<'static, str>;

/// What every protocol does.
trait Protocol {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// The types of message that it comes in.
    fn types(&self) -> &'static [DataKind] {
        &[DataKind::Text]
    }

    /// The subprotocols by which sessions agree on it; none where it has none.
    fn subprotocols(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether its packets are JSON, of which single fields can be changed.
    fn is_json(&self) -> bool;

    /// Finds the packets of a message.
    fn split(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        out.push(0..payload.len())
    }

    /// Fills the tree with what a packet says.
    fn decode(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        Ok(json::decode(builder)?)
    }

    /// Takes the talk on by a packet; what kind of message it is.
    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach>;

    /// The protocol's own close code for a breach.
    fn code(&self, _: Breach) -> Option<CloseCode> {
        None
    }
}

impl Pack {
    fn protocol(&self) -> &dyn Protocol {
        match self {
            Self::JsonRpc(protocol) => protocol,
            Self::Graphql(protocol) => protocol,
            Self::Mqtt(protocol) => protocol,
            Self::Stomp(protocol) => protocol,
            Self::SocketIo(protocol) => protocol,
            Self::Ocpp(protocol) => protocol,
            Self::Signalr(protocol) => protocol,
            Self::Wamp(protocol) => protocol,
            Self::Realtime(protocol) => protocol,
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &'static str {
        self.protocol().name()
    }

    /// The types of message that it comes in.
    pub fn types(&self) -> &'static [DataKind] {
        self.protocol().types()
    }

    /// The subprotocols by which sessions agree on it; none where it has none.
    pub fn subprotocols(&self) -> &'static [&'static str] {
        self.protocol().subprotocols()
    }

    /// Whether its packets are JSON, of which single fields can be changed.
    pub fn is_json(&self) -> bool {
        self.protocol().is_json()
    }

    /// What whoever sent it is told.
    pub fn code(&self, breach: Breach) -> CloseCode {
        self.protocol().code(breach).unwrap_or_else(|| breach.code())
    }

    pub(crate) fn split(
        &self,
        talk: &Talk,
        direction: Direction,
        data: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        self.protocol().split(talk, direction, data, payload, out)
    }

    pub(crate) fn read(
        &self,
        talk: &Talk,
        direction: Direction,
        data: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        self.protocol().decode(talk, direction, data, builder)
    }

    pub(crate) fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        self.protocol().advance(heard, talk)
    }
}

/// A packet that is none of the protocol.
const fn malformed(format: &'static str) -> Breach {
    Breach::Undecodable(Undecodable::Malformed { format, at: None })
}

/// Every name of a map is one of these.
fn only(map: &Field<'_>, names: &[&str]) -> bool {
    map.children().all(|field| field.key().is_some_and(|key| names.contains(&key)))
}

/// Whether it is a map.
fn is_map(field: &Field<'_>) -> bool {
    matches!(field.show(), Shown::Map(_))
}

/// Whether it is a list.
fn is_list(field: &Field<'_>) -> bool {
    matches!(field.show(), Shown::List(_))
}

/// A whole number from 0 on.
fn whole(field: &Field<'_>) -> Option<u64> {
    match field.show() {
        Shown::Int(number) => u64::try_from(number).ok(),
        Shown::Uint(number) => Some(number),
        _ => None,
    }
}

/// `type:name`.
fn named(kind: &str, name: &str) -> Kind {
    format!("{kind}:{name}").into()
}

#[cfg(test)]
mod testing;
