//! SignalR's hub protocol, in JSON and in MessagePack: the handshake, invocations, streams, and what answers them.

mod record;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use self::record::{FORMAT, Record};
use super::breach::Named;
use super::names::{Names, listed};
use super::talk::{Key, Phase, other};
use super::{Breach, Heard, Kind, Packets, Protocol, Talk, is_map, malformed, named, only};
use crate::fields::{Builder, Field, Undecodable};
use crate::format::{json, msgpack};
use crate::message::Direction;

/// SignalR's hub protocol, version 1.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSignalr {
    /// The methods of the hub that clients may invoke and stream from. `*` at the end stands for any rest; `{sub}` for who the client
    /// is, `{NAME}` for a claim. Default: all.
    targets: Option<At<OneOrMany<At<String>>>>,
    /// The encodings that clients may choose: `json` and `messagepack`. Messages can be rewritten where it is `json` alone. Default:
    /// `json`.
    encodings: OneOrMany<RawEncoding>,
}

/// An encoding of the hub protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawEncoding {
    /// JSON in text messages, each record ended by U+001E.
    Json,
    /// MessagePack in binary messages, each record behind its length.
    MessagePack,
}

/// SignalR.
#[derive(Clone, Debug, PartialEq)]
pub struct Signalr {
    targets: Option<Names>,
    encodings: Vec<RawEncoding>,
}

impl RawSignalr {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Signalr {
        Signalr {
            targets: Names::optional(self.targets, problems),
            encodings: if self.encodings.is_empty() { vec![RawEncoding::Json] } else { self.encodings.0 },
        }
    }
}

/// What ends a record of JSON, and of the handshake.
const END: u8 = 0x1e;
/// What was settled: MessagePack.
const PACKED: u8 = 1;

// What an id is an id of.
const INVOCATION: u8 = 0;
const STREAM: u8 = 1;

/// Whether the next record of this direction is its half of the handshake.
fn opens(talk: &Talk, direction: Direction) -> bool {
    match direction {
        Direction::ToUpstream => talk.phase() == Phase::New,
        Direction::ToClient => talk.phase() == Phase::Opening,
    }
}

impl Protocol for Signalr {
    fn name(&self) -> &'static str {
        "signalr"
    }

    fn types(&self) -> &'static [DataKind] {
        &[DataKind::Text, DataKind::Binary]
    }

    fn is_json(&self) -> bool {
        self.encodings == [RawEncoding::Json]
    }

    fn split(
        &self,
        talk: &Talk,
        direction: Direction,
        data: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        let mut at = 0;
        if opens(talk, direction) {
            let end = memchr::memchr(END, payload).ok_or(Breach::Partial)?;
            out.push(0..end)?;
            at = end + 1;
        } else if talk.phase() == Phase::New || talk.phase() == Phase::Opening {
            return Err(Breach::Early);
        }
        if direction == Direction::ToUpstream && at > 0 && at < payload.len() {
            return Err(Breach::Early);
        }
        let packed = talk.now().settled == PACKED;
        if at < payload.len() && (data == DataKind::Binary) != packed {
            return Err(Breach::Type);
        }
        while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
            let (start, end, next) = if packed {
                let (head, length) = record::length(rest)?;
                (head, head + length, head + length)
            } else {
                let end = memchr::memchr(END, rest).ok_or(Breach::Partial)?;
                (0, end, end + 1)
            };
            if end > rest.len() {
                return Err(Breach::Partial);
            }
            out.push(at + start..at + end)?;
            at += next;
        }
        if payload.is_empty() { Err(malformed(FORMAT)) } else { Ok(()) }
    }

    fn decode(
        &self,
        talk: &Talk,
        direction: Direction,
        _: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        let read: Result<(), Undecodable> = match talk.now().settled == PACKED && !opens(talk, direction) {
            true => msgpack::decode(builder),
            false => json::decode(builder),
        };
        Ok(read?)
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().ok_or(malformed(FORMAT))?;
        if opens(talk, heard.direction) {
            return self.handshake(&packet, heard.direction, talk);
        }
        match talk.phase() {
            Phase::Open => {}
            // What a server had on its way when the client said goodbye.
            Phase::Ended if heard.direction == Direction::ToClient => {}
            Phase::Ended => return Err(Breach::Ended),
            Phase::New | Phase::Opening => return Err(Breach::Early),
        }
        self.follow(&Record::read(&packet, talk.now().settled == PACKED)?, heard, talk)
    }
}

impl Signalr {
    fn handshake(&self, packet: &Field<'_>, direction: Direction, talk: &mut Talk) -> Result<Kind, Breach> {
        if !is_map(packet) {
            return Err(malformed(FORMAT));
        }
        if direction == Direction::ToClient {
            if !only(packet, &["error", "minorVersion"]) {
                return Err(malformed(FORMAT));
            }
            talk.enter(if packet.get("error").is_some() { Phase::Ended } else { Phase::Open });
            return Ok("handshake".into());
        }
        if !only(packet, &["protocol", "version"]) {
            return Err(malformed(FORMAT));
        }
        let encoding = match packet.get("protocol").and_then(|protocol| protocol.text()) {
            Some("json") => RawEncoding::Json,
            Some("messagepack") => RawEncoding::MessagePack,
            _ => return Err(Breach::Unlisted(Named::Version)),
        };
        let version = packet.get("version").and_then(|version| super::whole(&version));
        if !self.encodings.contains(&encoding) || !matches!(version, Some(1 | 2)) {
            return Err(Breach::Unlisted(Named::Version));
        }
        talk.change(|now| {
            now.phase = Phase::Opening;
            now.settled = if encoding == RawEncoding::MessagePack { PACKED } else { 0 };
        });
        Ok("handshake".into())
    }

    fn follow(&self, record: &Record<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let (direction, most) = (heard.direction, heard.limits.pending);
        let client = direction == Direction::ToUpstream;
        let id = record.id.map(|id| Key::of(INVOCATION, id));
        let stream = record.id.map(|id| Key::of(STREAM, id));
        match record.number {
            1 | 4 => {
                let target = record.target.ok_or(malformed(FORMAT))?;
                if record.number == 4 && !client {
                    return Err(Breach::Side);
                }
                if client {
                    listed(self.targets.as_ref(), target, heard.facts, Named::Target)?;
                }
                match id {
                    Some(id) => talk.open(direction, id, 0, most)?,
                    None if record.number == 4 => return Err(malformed(FORMAT)),
                    None => {}
                }
                for stream in record.streams.iter().flat_map(|list| list.children()) {
                    let stream = stream.text().ok_or(malformed(FORMAT))?;
                    talk.open(direction, Key::of(STREAM, stream), 0, most)?;
                }
                return Ok(named(if record.number == 1 { "invoke" } else { "stream" }, target));
            }
            2 | 3 => {
                // Those of a stream that this side sends, or what answers the other one.
                let (id, stream) = id.zip(stream).ok_or(malformed(FORMAT))?;
                let is_own = talk.tag(direction, stream).is_some();
                match (record.number, is_own) {
                    (2, true) => {}
                    (2, false) => talk.expects(other(direction), id)?,
                    (_, true) => drop(talk.close(direction, stream)?),
                    (_, false) => talk.finish(other(direction), id)?,
                }
                return Ok(if record.number == 2 { "item" } else { "completion" }.into());
            }
            5 if !client => return Err(Breach::Side),
            5 => {
                // It may be done at the same time; until it says so, its items come.
                let id = id.ok_or(malformed(FORMAT))?;
                if talk.tag(direction, id).is_some() {
                    talk.abandon(direction, id)?;
                }
            }
            7 => talk.enter(Phase::Ended),
            _ => {}
        }
        Ok(record.kind().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::format::pack::testing::Session;
    use crate::message::Direction::{self, ToClient, ToUpstream};

    fn policy(encodings: &str, steps: &str) -> String {
        format!(
            "name: p\nformat: {{signalr: {{targets: [Send, 'Chat*'], encodings: {encodings}}}}}\nbounds: {{pending: 3, packets: 3}}\nto_upstream: [{steps}]\nto_client: []\n"
        )
    }

    fn opened(encodings: &str, protocol: &str, steps: &str) -> Session {
        let mut session = Session::of(&policy(encodings, steps), "ann");
        let hello = format!("{{\"protocol\":\"{protocol}\",\"version\":1}}\x1e");
        assert_eq!(session.say(ToUpstream, &hello), "passed");
        assert_eq!(session.say(ToClient, "{}\x1e"), "passed");
        session
    }

    #[test]
    fn the_handshake_comes_first_and_alone() {
        for (said, expected) in [
            (&[(ToUpstream, "{\"type\":1,\"target\":\"Send\",\"arguments\":[]}\x1e")][..], "malformed 1007"),
            (&[(ToUpstream, "{\"protocol\":\"messagepack\",\"version\":1}\x1e")], "version_not_allowed 1008"),
            (
                &[(ToUpstream, "{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e")],
                "before_handshake 1008",
            ),
            (&[(ToUpstream, "{\"protocol\":\"json\",\"version\":1}")], "partial_packet 1007"),
            (&[(ToClient, "{}\x1e")], "before_handshake 1008"),
            (
                &[
                    (ToUpstream, "{\"protocol\":\"json\",\"version\":1}\x1e"),
                    (ToUpstream, "{\"type\":6}\x1e"),
                ],
                "before_handshake 1008",
            ),
            (
                &[
                    (ToUpstream, "{\"protocol\":\"json\",\"version\":1}\x1e"),
                    (ToClient, "{}\x1e{\"type\":6}\x1e"),
                ],
                "passed",
            ),
            (
                &[
                    (ToUpstream, "{\"protocol\":\"json\",\"version\":1}\x1e"),
                    (ToClient, "{\"error\":\"no\"}\x1e"),
                    (ToUpstream, "{\"type\":6}\x1e"),
                ],
                "after_end 1008",
            ),
        ] {
            let mut session = Session::of(&policy("json", ""), "ann");
            let told: Vec<String> =
                said.iter().map(|(direction, text)| session.say(*direction, text)).collect();
            assert_eq!(told.last().map(String::as_str), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn records_are_judged_each_and_answers_are_to_what_was_asked() {
        let words = "{name: words, then: drop, kinds: ['invoke:*'], when: 'message.arguments.size() > 1'}";
        let mut session = opened("json", "json", words);
        for (direction, record, expected) in [
            (ToUpstream, json!({"type": 1, "target": "Send", "arguments": ["a"]}), "passed"),
            (ToUpstream, json!({"type": 1, "target": "Send", "arguments": ["a", "b"]}), "words dropped"),
            (ToUpstream, json!({"type": 1, "target": "Delete", "arguments": []}), "target_not_allowed 1008"),
            (
                ToUpstream,
                json!({"type": 1, "invocationId": "1", "target": "ChatAll", "arguments": []}),
                "passed",
            ),
            (
                ToUpstream,
                json!({"type": 4, "invocationId": "1", "target": "Chat", "arguments": []}),
                "duplicate_id 1008",
            ),
            (ToClient, json!({"type": 3, "invocationId": "2"}), "unknown_id 1008"),
            (ToClient, json!({"type": 3, "invocationId": "1", "result": 1}), "passed"),
            (ToClient, json!({"type": 3, "invocationId": "1", "result": 1}), "unknown_id 1008"),
            (
                ToUpstream,
                json!({"type": 4, "invocationId": "2", "target": "Chat", "arguments": []}),
                "passed",
            ),
            (ToClient, json!({"type": 2, "invocationId": "2", "item": 1}), "passed"),
            (ToUpstream, json!({"type": 5, "invocationId": "2"}), "passed"),
            (ToClient, json!({"type": 2, "invocationId": "2", "item": 1}), "passed"),
            (ToClient, json!({"type": 3, "invocationId": "2"}), "passed"),
            (ToUpstream, json!({"type": 1, "target": "Send", "arguments": [], "streamIds": ["s"]}), "passed"),
            (ToUpstream, json!({"type": 2, "invocationId": "s", "item": 1}), "passed"),
            (ToUpstream, json!({"type": 3, "invocationId": "s"}), "passed"),
            (ToUpstream, json!({"type": 2, "invocationId": "s", "item": 1}), "unknown_id 1008"),
            (
                ToClient,
                json!({"type": 4, "invocationId": "9", "target": "x", "arguments": []}),
                "wrong_side 1008",
            ),
            (ToClient, json!({"type": 1, "target": "anything", "arguments": []}), "passed"),
            (ToUpstream, json!({"type": 12}), "malformed 1007"),
            (ToUpstream, json!([6]), "malformed 1007"),
            (ToUpstream, json!({"type": 6}), "passed"),
            (ToClient, json!({"type": 7}), "passed"),
            (ToUpstream, json!({"type": 6}), "after_end 1008"),
        ] {
            assert_eq!(session.say(direction, &format!("{record}\x1e")), expected, "{record}");
        }
        let mut session = opened("json", "json", words);
        let record =
            |target: &str| format!("{}\x1e", json!({"type": 1, "target": target, "arguments": ["a"]}));
        assert_eq!(session.say(ToUpstream, &(record("Send") + &record("Delete"))), "target_not_allowed 1008");
        assert_eq!(session.say(ToUpstream, &record("Send").repeat(4)), "too_many_packets 1008");
        assert_eq!(session.say(ToUpstream, &(record("Send") + "{}")), "partial_packet 1007");
        assert_eq!(session.send(ToUpstream, record("Send").as_bytes()), "wrong_type 1003");
        assert_eq!(session.say(ToUpstream, ""), "malformed 1007");
    }

    #[test]
    fn json_is_rewritten_record_by_record() {
        let covers = "{redact: {paths: ['arguments[0].password'], with: remove}}";
        let mut session = opened("json", "json", covers);
        let said =
            "{\"type\":6}\x1e{\"type\":1,\"target\":\"Send\",\"arguments\":[{\"password\":\"x\"}]}\x1e";
        assert_eq!(session.say(ToUpstream, said), said.replace("\"password\":\"x\"", ""));
    }

    fn packed(value: &serde_json::Value) -> Vec<u8> {
        let record = rmp_serde::to_vec(value).unwrap_or_default();
        [&[record.len() as u8][..], &record].concat()
    }

    fn sent(session: &mut Session, direction: Direction, value: &serde_json::Value) -> String {
        session.send(direction, &packed(value))
    }

    #[test]
    fn messagepack_says_the_same() {
        let words = "{name: words, then: drop, kinds: ['invoke:Send'], when: 'message[4].size() > 1'}";
        let mut session = opened("messagepack", "messagepack", words);
        for (direction, record, expected) in [
            (ToUpstream, json!([1, {}, null, "Send", ["a"]]), "passed"),
            (ToUpstream, json!([1, {}, null, "Send", ["a", "b"], []]), "words dropped"),
            (ToUpstream, json!([1, {}, null, "Delete", [], []]), "target_not_allowed 1008"),
            (ToUpstream, json!([1, {}, "1", "Send", [], []]), "passed"),
            (ToClient, json!([3, {}, "1", 3, "x"]), "passed"),
            (ToClient, json!([3, {}, "1", 2]), "unknown_id 1008"),
            (ToUpstream, json!([1, {}]), "malformed 1007"),
            (ToUpstream, json!({"type": 6}), "malformed 1007"),
            (ToUpstream, json!([6]), "passed"),
        ] {
            assert_eq!(sent(&mut session, direction, &record), expected, "{record}");
        }
        let both = [packed(&json!([6])), packed(&json!([1, {}, null, "Delete", []]))].concat();
        assert_eq!(session.send(ToUpstream, &both), "target_not_allowed 1008");
        assert_eq!(session.send(ToUpstream, &[5, 1]), "partial_packet 1007");
        assert_eq!(session.say(ToUpstream, "{\"type\":6}\x1e"), "wrong_type 1003");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6)) {
            let mut session = opened("messagepack", "messagepack", "");
            for message in &messages {
                session.send(ToUpstream, message);
                session.send(ToClient, message);
            }
        }
    }
}
