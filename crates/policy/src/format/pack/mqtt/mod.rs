//! MQTT 3.1.1 and 5 over WebSocket (section 6): packets, however messages cut them, and who may publish and subscribe to what.

mod packet;
mod topic;
mod wire;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use self::topic::{Topics, is_filter, is_topic};
use self::wire::{FORMAT, extent};
use super::breach::Named;
use super::names::{Names, listed};
use super::talk::{Key, Phase, other};
use super::{Breach, Heard, Kind, Packets, Protocol, Talk, malformed, named, whole};
use crate::fields::{Builder, Field, Shown};
use crate::message::Direction;

/// MQTT 3.1.1 and 5 in binary messages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMqtt {
    /// The topics that clients may publish on, as topic filters; a will and a response topic among them. `{sub}` stands for who the
    /// client is, `{NAME}` for a claim: where it has none, or one with `/`, `+`, `#` or the like, the filter allows nothing. Default:
    /// all but those that begin with `$`.
    publish: Option<At<OneOrMany<At<String>>>>,
    /// The topic filters that clients may subscribe to: all that one may bring has to be in the list. Default: all but those that
    /// begin with `$`.
    subscribe: Option<At<OneOrMany<At<String>>>>,
    /// The client ids that clients may give themselves, with placeholders, and `*` at the end for any rest. Default: any.
    client_ids: Option<At<OneOrMany<At<String>>>>,
    /// The versions that are spoken: `3.1.1` and `5`. Default: both.
    versions: OneOrMany<RawVersion>,
    /// What is published: `auto`, `json`, `text` or `binary`. Default: `auto`.
    payload: RawPayload,
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum RawVersion {
    /// 3.1.1.
    #[serde(rename = "3.1.1")]
    Four,
    /// 5.
    #[serde(rename = "5")]
    Five,
}

/// What is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawPayload {
    /// JSON where the content type says so, and else text where it is UTF-8, and else bytes.
    #[default]
    Auto,
    /// JSON, and nothing else.
    Json,
    /// UTF-8, and nothing else.
    Text,
    /// Bytes.
    Binary,
}

/// MQTT.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    publish: Topics,
    subscribe: Topics,
    client_ids: Option<Names>,
    versions: Vec<u8>,
    payload: RawPayload,
}

impl RawMqtt {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Mqtt {
        let mut topics = |raw: Option<_>| raw.map_or_else(Topics::all, |raw| Topics::check(raw, problems));
        let (publish, subscribe) = (topics(self.publish), topics(self.subscribe));
        let versions = self.versions.iter().map(|version| match version {
            RawVersion::Four => 4,
            RawVersion::Five => 5,
        });
        let versions: Vec<u8> = versions.collect();
        Mqtt {
            publish,
            subscribe,
            client_ids: Names::optional(self.client_ids, problems),
            versions: if versions.is_empty() { vec![4, 5] } else { versions },
            payload: self.payload,
        }
    }
}

// What an id is waiting for.
const ACK: u8 = 1;
const RECEIVED: u8 = 2;
const COMPLETE: u8 = 3;
const SUBACK: u8 = 4;
const UNSUBACK: u8 = 5;
/// What was settled: the version, and that the session goes on from an earlier connection.
const RESUMED: u8 = 0x80;

impl Protocol for Mqtt {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn types(&self) -> &'static [DataKind] {
        &[DataKind::Binary]
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        &["mqtt"]
    }

    fn is_json(&self) -> bool {
        false
    }

    /// A message may hold several packets and parts of them (section 6.0): the part waits for its rest.
    fn split(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        if payload.is_empty() {
            return Err(malformed(FORMAT));
        }
        let mut at = 0;
        while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
            match extent(rest)? {
                Some(length) if length <= rest.len() => out.push(at..at + length)?,
                _ => break,
            }
            at = out.list.last().map_or(at, |packet| packet.end);
        }
        out.end = at;
        Ok(())
    }

    fn decode(
        &self,
        talk: &Talk,
        _: Direction,
        _: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        packet::decode(talk.now().settled & !RESUMED, self.payload, builder)
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().ok_or(malformed(FORMAT))?;
        let kind = packet.get("packet").and_then(|kind| kind.text()).ok_or(malformed(FORMAT))?;
        self.order(kind, heard, talk)?;
        let five = talk.now().settled & !RESUMED == 5;
        match kind {
            "connect" => return self.connect(&packet, heard, talk),
            "connack" => talk.enter(if code(&packet) == 0 { Phase::Open } else { Phase::Ended }),
            "disconnect" => talk.enter(Phase::Ended),
            "publish" => return self.publish(&packet, heard, talk),
            "subscribe" | "unsubscribe" => return self.subscribe(kind, &packet, heard, talk),
            "puback" | "pubrec" | "pubrel" | "pubcomp" | "suback" | "unsuback" => {
                answer(kind, five, &packet, heard, talk)?;
            }
            _ => {}
        }
        Ok(kind.to_owned().into())
    }
}

impl Mqtt {
    /// What may come in which phase, and from whom.
    fn order(&self, kind: &str, heard: &Heard<'_>, talk: &Talk) -> Result<(), Breach> {
        let client = heard.direction == Direction::ToUpstream;
        let five = talk.now().settled & !RESUMED == 5;
        let is_side = match kind {
            "connect" | "subscribe" | "unsubscribe" | "pingreq" => client,
            "connack" | "suback" | "unsuback" | "pingresp" => !client,
            "disconnect" => client || five,
            _ => true,
        };
        if !is_side {
            return Err(Breach::Side);
        }
        match (talk.phase(), kind) {
            (Phase::New, "connect") => Ok(()),
            (Phase::New, _) => Err(Breach::Early),
            (_, "connect") => Err(Breach::Handshake),
            (Phase::Opening, "connack" | "auth") => Ok(()),
            // A server that refuses may say why.
            (Phase::Opening, "disconnect") => Ok(()),
            (Phase::Opening, _) => Err(Breach::Early),
            (Phase::Open, "connack") => Err(Breach::Handshake),
            (Phase::Open, _) => Ok(()),
            // What a server had on its way when the client said goodbye.
            (Phase::Ended, _) if !client && kind != "connack" => Ok(()),
            (Phase::Ended, _) => Err(Breach::Ended),
        }
    }

    fn connect(&self, packet: &Field<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let version = packet.get("version").and_then(|version| whole(&version)).unwrap_or_default();
        let version = u8::try_from(version).unwrap_or_default();
        if !self.versions.contains(&version) {
            return Err(Breach::Unlisted(Named::Version));
        }
        let client_id = packet.get("client_id").and_then(|id| id.text()).unwrap_or_default();
        listed(self.client_ids.as_ref(), client_id, heard.facts, Named::ClientId)?;
        if let Some(will) = packet.get("will") {
            let topic = will.get("topic").and_then(|topic| topic.text()).unwrap_or_default();
            self.may_publish(topic, heard)?;
            self.may_be_answered(&will, heard)?;
        }
        let clean = packet.get("clean").map(|clean| clean.show()) == Some(Shown::Bool(true));
        talk.change(|now| {
            now.settled = version | if clean { 0 } else { RESUMED };
            now.phase = Phase::Opening;
        });
        Ok("connect".into())
    }

    fn publish(&self, packet: &Field<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let topic = packet.get("topic").and_then(|topic| topic.text()).unwrap_or_default();
        if !is_topic(topic) {
            return Err(malformed(FORMAT));
        }
        if heard.direction == Direction::ToUpstream {
            self.may_publish(topic, heard)?;
            self.may_be_answered(packet, heard)?;
        }
        let qos = packet.get("qos").and_then(|qos| whole(&qos)).unwrap_or_default();
        if qos > 0 {
            let key = key(packet)?;
            let again = packet.get("dup").map(|dup| dup.show()) == Some(Shown::Bool(true));
            let tag = if qos == 1 { ACK } else { RECEIVED };
            // One that is sent again has the id that it had.
            if !(again && talk.tag(heard.direction, key) == Some(tag)) {
                talk.open(heard.direction, key, tag, heard.limits.pending)?;
            }
        }
        Ok(named("publish", topic))
    }

    fn may_publish(&self, topic: &str, heard: &Heard<'_>) -> Result<(), Breach> {
        match is_topic(topic) && self.publish.list(topic, heard.facts) {
            true => Ok(()),
            false => Err(Breach::Unlisted(Named::Topic)),
        }
    }

    /// Whoever answers publishes on the response topic: a client names none that it could not publish on itself or subscribe to.
    fn may_be_answered(&self, packet: &Field<'_>, heard: &Heard<'_>) -> Result<(), Breach> {
        let topic = packet.get("properties").and_then(|properties| properties.get("response_topic"));
        let Some(topic) = topic else { return Ok(()) };
        let topic = topic.text().unwrap_or_default();
        let may = self.publish.list(topic, heard.facts) || self.subscribe.list(topic, heard.facts);
        if is_topic(topic) && may { Ok(()) } else { Err(Breach::Unlisted(Named::Topic)) }
    }

    fn subscribe(
        &self,
        kind: &str,
        packet: &Field<'_>,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<Kind, Breach> {
        let adds = kind == "subscribe";
        for entry in packet.get("filters").into_iter().flat_map(|filters| filters.children()) {
            let filter = if adds { entry.get("filter") } else { Some(entry) };
            let filter = filter.and_then(|filter| filter.text()).unwrap_or_default();
            if !is_filter(filter) {
                return Err(malformed(FORMAT));
            }
            if adds && !self.subscribe.list(filter, heard.facts) {
                return Err(Breach::Unlisted(Named::Topic));
            }
        }
        let tag = if adds { SUBACK } else { UNSUBACK };
        talk.open(heard.direction, key(packet)?, tag, heard.limits.pending)?;
        Ok(kind.to_owned().into())
    }
}

/// An answer to what was sent (section 4.3), or the second half of one.
fn answer(
    kind: &str,
    five: bool,
    packet: &Field<'_>,
    heard: &Heard<'_>,
    talk: &mut Talk,
) -> Result<(), Breach> {
    let key = key(packet)?;
    if kind == "pubrel" {
        let tag = talk.tag(heard.direction, key);
        return match tag {
            Some(COMPLETE) => Ok(()),
            // It goes on from an earlier connection.
            None if talk.now().settled & RESUMED != 0 => {
                talk.open(heard.direction, key, COMPLETE, heard.limits.pending)
            }
            _ => Err(Breach::UnknownId),
        };
    }
    let asker = other(heard.direction);
    let expected = match kind {
        "puback" => ACK,
        "pubrec" => RECEIVED,
        "pubcomp" => COMPLETE,
        "suback" => SUBACK,
        _ => UNSUBACK,
    };
    if talk.tag(asker, key) != Some(expected) {
        return Err(Breach::UnknownId);
    }
    match kind {
        "pubrec" if !(five && code(packet) >= 0x80) => talk.retag(asker, key, COMPLETE),
        _ => drop(talk.close(asker, key)?),
    }
    Ok(())
}

fn key(packet: &Field<'_>) -> Result<Key, Breach> {
    let id = packet.get("id").and_then(|id| whole(&id)).ok_or(malformed(FORMAT))?;
    Ok(Key::of(0, id))
}

fn code(packet: &Field<'_>) -> u64 {
    packet.get("code").and_then(|code| whole(&code)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
