//! A record: one flat list of typed fields, the same for the store, its export, and whoever else gets it.

use std::net::IpAddr;
use std::time::Duration;

use crate::cell::{Cell, Field, Kind, Timestamp};
use crate::payload::Payload;

/// What is to be known of a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// Its name, as a column and as a key of JSON. Names do not change.
    pub name: &'static str,
    /// Of which kind its values are.
    pub kind: Kind,
    /// What it says.
    pub about: &'static str,
}

macro_rules! record {
    ($($(#[doc = $doc:literal])+ $column:literal $name:ident: $type:ty,)+) => {
        /// Something that an auditor asks for, on its way to where it is kept.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Record {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// The fields of a record, in the order of columns and keys. New ones come at the end.
        pub const FIELDS: &[FieldInfo] = &[$(FieldInfo {
            name: $column,
            kind: <$type as Field>::KIND,
            about: concat!($($doc),+),
        },)+];

        impl Record {
            /// What the fields hold, in the order of [`FIELDS`].
            pub fn cells(&self) -> [Cell<'_>; FIELDS.len()] {
                [$(self.$name.cell(),)+]
            }

            /// What it takes in memory while it waits, in bytes.
            pub fn size(&self) -> usize {
                let texts: usize = [$(Owned::owned(&self.$name),)+].iter().sum();
                size_of::<Self>() + texts
            }
        }
    };
}

/// What a field holds beside its own place in the record, in bytes.
trait Owned {
    fn owned(&self) -> usize {
        0
    }
}

impl Owned for Option<u16> {}
impl Owned for Option<u64> {}
impl Owned for &'static str {}
impl Owned for Option<&'static str> {}
impl Owned for Option<IpAddr> {}
impl Owned for Timestamp {}
impl Owned for Option<String> {
    fn owned(&self) -> usize {
        self.as_ref().map_or(0, String::capacity)
    }
}
impl Owned for Payload {
    fn owned(&self) -> usize {
        self.len()
    }
}

record! {
    /// When it happened, in UTC.
    "timestamp" timestamp: Timestamp,
    /// What happened.
    "event" event: &'static str,
    /// The process that it happened in: a random word of each start.
    "process" process: Option<String>,
    /// The record's number in its process, from 0. Records of several threads may be kept in another order.
    "serial" serial: Option<u64>,
    /// The listener that the client came through.
    "listener" listener: Option<String>,
    /// The client's address.
    "client" client: Option<IpAddr>,
    /// The route.
    "route" route: Option<String>,
    /// The session's number, unique in its process.
    "session" session: Option<u64>,
    /// Who the client proved to be.
    "subject" subject: Option<String>,
    /// The method of authentication that vouches for it.
    "method" method: Option<String>,
    /// The credential, by a name that gives nothing away.
    "token_id" token_id: Option<String>,
    /// Why, in a stable word.
    "reason" reason: Option<String>,
    /// The status that answered the request.
    "status" status: Option<u16>,
    /// The close code.
    "code" code: Option<u16>,
    /// Whose doing it was: `client`, `upstream` or `gateway`.
    "by" by: Option<String>,
    /// How long it lasted, in microseconds.
    "duration_us" duration_us: Option<u64>,
    /// What an operator picked by: `subject`, `address`, `token_id`, `session` or `route`; of the relay `private_session`, `agent` or
    /// `client`.
    "selector" selector: Option<String>,
    /// The value of what was picked by.
    "value" value: Option<String>,
    /// How many sessions there were.
    "sessions" sessions: Option<u64>,
    /// Which way the message went: `to_upstream` or `to_client`.
    "direction" direction: Option<String>,
    /// The message's kind in its format: a method, operation, topic or event.
    "kind" kind: Option<String>,
    /// The message's type: `text` or `binary`.
    "type" message_type: Option<&'static str>,
    /// The length of the message's payload, in bytes.
    "size" size: Option<u64>,
    /// What became of the message: `forwarded`, `dropped`, `rewritten`, `replied` or `closed`.
    "verdict" verdict: Option<&'static str>,
    /// The step of the route's policy.
    "step" step: Option<String>,
    /// The rule of that step, or of the route's admission.
    "rule" rule: Option<String>,
    /// What the finding is about, such as `sqli`.
    "class" class: Option<String>,
    /// Where in the message it was found: the path of a field; `$` for the whole message. In a request, the value as rules name it.
    "path" path: Option<String>,
    /// More about the finding, without anything that the message or request says.
    "detail" detail: Option<String>,
    /// A part of the message or request, masked.
    "excerpt" excerpt: Option<String>,
    /// What became of the message or request on account of the finding: `recorded`, `rewritten`, `dropped`, `replied`, `closed` or
    /// `refused`.
    "action" action: Option<String>,
    /// Whether the step, or admission, changes what becomes of messages, or requests: `enforce` or `observe`.
    "mode" mode: Option<&'static str>,
    /// The whole payload, encrypted to the auditor's key.
    "payload" payload: Payload,
    /// The key that the payload is encrypted to, by its short name.
    "recipient" recipient: Option<String>,
    /// How it went: `done` or `refused`.
    "outcome" outcome: Option<&'static str>,
    /// The version of Wicketgate.
    "version" version: Option<String>,
    /// How many records.
    "count" count: Option<u64>,
    /// A row of the store and its hash: `SEQUENCE:HASH`.
    "anchor" anchor: Option<String>,
    /// The private session, by the name that both its ends log too.
    "private_session" private_session: Option<String>,
    /// The agent of the private session.
    "agent" agent: Option<String>,
    /// The services of the agent, with commas between them.
    "services" services: Option<String>,
    /// The agent's address.
    "agent_address" agent_address: Option<IpAddr>,
    /// The kind of the carrier: `tls` or `websocket`.
    "carrier" carrier: Option<&'static str>,
    /// The kind of the agent's carrier.
    "agent_carrier" agent_carrier: Option<&'static str>,
    /// Bytes from the client to the agent.
    "sent" sent: Option<u64>,
    /// Bytes from the agent to the client.
    "received" received: Option<u64>,
    /// How often the session was without a carrier.
    "breaks" breaks: Option<u64>,
    /// The trace of the request, in 32 hexadecimal digits, where requests are traced.
    "trace_id" trace_id: Option<String>,
}

/// The longest text in a record, in bytes; what is longer is cut.
pub const TEXT_MAX: usize = 2048;

/// A length of time as a record holds it.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A text as a record holds it.
pub(crate) fn text(text: &str) -> Option<String> {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "é".repeat(TEXT_MAX);
        assert_eq!(text(&long).unwrap().len(), TEXT_MAX);
        let odd = format!("a{long}");
        assert_eq!(text(&odd).unwrap().len(), TEXT_MAX - 1);
    }

    #[test]
    fn a_payload_in_clear_is_in_no_cell_and_no_debug_text() {
        let record = Record { payload: Payload::Clear("hunter2".into()), ..Record::default() };
        assert!(!format!("{record:?}{:?}", record.cells()).contains("hunter2"));
        assert!(record.size() >= size_of::<Record>() + 7);
    }
}
