//! Socket.IO 5 over Engine.IO 4: namespaces, events, acknowledgements and their attachments.

mod packet;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use self::packet::FORMAT;
use super::breach::{Feature, Named};
use super::names::{Names, listed};
use super::talk::{Key, Phase, other};
use super::{Breach, Heard, Kind, Protocol, Talk, is_list, is_map, malformed, named, whole};
use crate::fields::{Builder, Field};
use crate::message::Direction;

/// Socket.IO 5, that of its version 3 and later.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSocketIo {
    /// The namespaces that clients may connect to. `*` at the end stands for any rest; `{sub}` for who the client is, `{NAME}` for a
    /// claim. Default: `/` alone.
    namespaces: Option<At<OneOrMany<At<String>>>>,
    /// The events that clients may send, whatever the namespace. Default: all but those that the libraries keep for themselves.
    events: Option<At<OneOrMany<At<String>>>>,
    /// Binary messages that may belong to one event, 0 to 100. Default: 10.
    attachments: Option<At<u8>>,
    /// Whether sessions may begin with HTTP and go on as a WebSocket: what was said before is not known then, and a namespace counts
    /// as connected if it is allowed. Default: `false`; clients set `transports: ["websocket"]`.
    dangerous_upgrades: At<bool>,
}

/// Socket.IO.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketIo {
    namespaces: Option<Names>,
    events: Option<Names>,
    attachments: u8,
    upgrades: bool,
}

impl RawSocketIo {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> SocketIo {
        if self.dangerous_upgrades.value {
            let what = "what sessions say by HTTP before they go on as a WebSocket is not judged";
            let help = "have clients set `transports: [\"websocket\"]`, and take it out";
            problems.warning(self.dangerous_upgrades.place, what, help);
        }
        SocketIo {
            namespaces: Names::optional(self.namespaces, problems),
            events: Names::optional(self.events, problems),
            attachments: match self.attachments {
                Some(at) => problems.in_range("attachments", &at, 0..=100),
                None => 10,
            },
            upgrades: self.dangerous_upgrades.value,
        }
    }
}

/// Events that the libraries raise themselves: who sends one lies.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

// What an id is an id of.
const NAMESPACE: u8 = 0;
const ACK: u8 = 1;
// What became of a namespace.
const ASKED: u8 = 0;
const CONNECTED: u8 = 1;
/// What was settled: the session began with HTTP.
const UPGRADED: u8 = 1;

impl Protocol for SocketIo {
    fn name(&self) -> &'static str {
        "socket.io"
    }

    fn types(&self) -> &'static [DataKind] {
        &[DataKind::Text, DataKind::Binary]
    }

    fn is_json(&self) -> bool {
        false
    }

    fn decode(
        &self,
        _: &Talk,
        _: Direction,
        data: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        match data {
            DataKind::Text => packet::decode(builder),
            DataKind::Binary => packet::attachment(builder),
        }
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().ok_or(malformed(FORMAT))?;
        let kind = packet.get("type").and_then(|kind| kind.text()).ok_or(malformed(FORMAT))?;
        let side = usize::from(heard.direction == Direction::ToClient);
        let awaited = talk.now().attachments[side];
        if heard.data == DataKind::Binary {
            let left = awaited.checked_sub(1).ok_or(Breach::Order)?;
            talk.change(|now| now.attachments[side] = left);
            return Ok("attachment".into());
        }
        if awaited > 0 {
            return Err(Breach::Order);
        }
        match kind {
            "open" | "close" | "ping" | "pong" | "probe" | "upgrade" | "noop" => {
                self.engine(kind, heard, talk)?
            }
            kind => return self.socket(kind, &packet, heard, talk),
        }
        Ok(kind.to_owned().into())
    }
}

impl SocketIo {
    /// Packets of Engine.IO, which carries those of Socket.IO.
    fn engine(&self, kind: &str, heard: &Heard<'_>, talk: &mut Talk) -> Result<(), Breach> {
        let client = heard.direction == Direction::ToUpstream;
        let is_side = match kind {
            "open" | "ping" | "noop" => !client,
            "pong" | "upgrade" => client,
            _ => true,
        };
        match (kind, talk.phase()) {
            _ if !is_side => Err(Breach::Side),
            // What a server had on its way when the client said goodbye.
            ("ping" | "noop" | "close", Phase::Ended) if !client => Ok(()),
            (_, Phase::Ended) => Err(Breach::Ended),
            ("open", Phase::New) => {
                talk.enter(Phase::Open);
                Ok(())
            }
            ("open", _) => Err(Breach::Handshake),
            ("probe" | "upgrade", _) if !self.upgrades => Err(Breach::Off(Feature::Upgrade)),
            // A session that began with HTTP: `2probe`, `3probe`, `5`.
            ("probe", Phase::New) if client => {
                talk.change(|now| (now.phase, now.settled) = (Phase::Opening, UPGRADED));
                Ok(())
            }
            ("probe", Phase::Opening) if !client => Ok(()),
            ("upgrade", Phase::Opening) => {
                talk.enter(Phase::Open);
                Ok(())
            }
            ("probe" | "upgrade", _) => Err(Breach::Order),
            (_, Phase::New) => Err(Breach::Early),
            ("close", _) => {
                talk.enter(Phase::Ended);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn socket(
        &self,
        kind: &str,
        packet: &Field<'_>,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<Kind, Breach> {
        match talk.phase() {
            Phase::Open => {}
            Phase::New | Phase::Opening => return Err(Breach::Early),
            Phase::Ended if heard.direction == Direction::ToClient => {}
            Phase::Ended => return Err(Breach::Ended),
        }
        let client = heard.direction == Direction::ToUpstream;
        let name = packet.get("namespace").and_then(|name| name.text()).unwrap_or("/");
        let namespace = Key::of(NAMESPACE, name);
        let asker = Direction::ToUpstream;
        let state = talk.tag(asker, namespace);
        let data = packet.get("data");
        match kind {
            "connect" if client => {
                let allowed = match &self.namespaces {
                    Some(names) => names.list(name, heard.facts),
                    None => name == "/",
                };
                if !allowed {
                    return Err(Breach::Unlisted(Named::Namespace));
                }
                if data.is_some_and(|data| !is_map(&data)) {
                    return Err(malformed(FORMAT));
                }
                talk.open(asker, namespace, ASKED, heard.limits.pending).map_err(|breach| match breach {
                    Breach::DuplicateId => Breach::Handshake,
                    breach => breach,
                })?;
            }
            "connect" if state == Some(ASKED) => talk.retag(asker, namespace, CONNECTED),
            "connect_error" if client => return Err(Breach::Side),
            "connect_error" if state == Some(ASKED) => drop(talk.close(asker, namespace)?),
            "connect" | "connect_error" => return Err(Breach::UnknownId),
            _ => {
                let was_before = talk.now().settled == UPGRADED
                    && self.namespaces.as_ref().map_or(name == "/", |names| names.list(name, heard.facts));
                // What was on its way when the namespace was left may come still.
                let was_lately = state.is_none() && talk.expects(asker, namespace).is_ok();
                if state != Some(CONNECTED) && !was_lately && !was_before {
                    return Err(Breach::Early);
                }
                if kind == "disconnect" {
                    if state.is_some() {
                        talk.abandon(asker, namespace)?;
                    }
                    return Ok("disconnect".into());
                }
                return self.event(kind, name, packet, heard, talk);
            }
        }
        Ok(kind.to_owned().into())
    }

    /// Events and acknowledgements.
    fn event(
        &self,
        kind: &str,
        namespace: &str,
        packet: &Field<'_>,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<Kind, Breach> {
        let data = packet.get("data").filter(is_list).ok_or(malformed(FORMAT))?;
        let count = packet.get("attachments").and_then(|count| whole(&count)).unwrap_or_default();
        if count > self.attachments.into() {
            return Err(Breach::Off(Feature::Attachment));
        }
        if count > 0 {
            let side = usize::from(heard.direction == Direction::ToClient);
            talk.change(|now| now.attachments[side] = u8::try_from(count).unwrap_or(u8::MAX));
        }
        let id = packet.get("id").and_then(|id| whole(&id));
        let key = id.map(|id| Key::of(ACK, (namespace, id)));
        if kind == "ack" {
            talk.close(other(heard.direction), key.ok_or(malformed(FORMAT))?)?;
            return Ok("ack".into());
        }
        let event = data.nth(0).and_then(|event| event.text()).ok_or(malformed(FORMAT))?;
        if RESERVED.contains(&event) {
            return Err(Breach::Unlisted(Named::Event));
        }
        if heard.direction == Direction::ToUpstream {
            listed(self.events.as_ref(), event, heard.facts, Named::Event)?;
        }
        if let Some(key) = key {
            talk.open(heard.direction, key, 0, heard.limits.pending)?;
        }
        Ok(named("event", event))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::format::pack::testing::{Session, decoded};
    use crate::message::Direction::{ToClient, ToUpstream};

    fn policy(settings: &str) -> String {
        format!(
            "name: p\nformat: {{socket.io: {{{settings}}}}}\nbounds: {{pending: 4}}\nto_upstream: [{{name: words, then: drop, kinds: ['event:say'], when: 'message.data[1] == \"bad\"'}}]\nto_client: []\n"
        )
    }

    fn opened(settings: &str) -> Session {
        let mut session = Session::of(&policy(settings), "ann");
        for (direction, text) in [
            (ToClient, r#"0{"sid":"x","pingInterval":1}"#),
            (ToUpstream, "40"),
            (ToClient, r#"40{"sid":"y"}"#),
        ] {
            assert_eq!(session.say(direction, text), "passed");
        }
        session
    }

    #[test]
    fn a_namespace_is_connected_before_anything_is_said_in_it() {
        for (said, expected) in [
            (&[(ToUpstream, "40")][..], "before_handshake 1008"),
            (&[(ToUpstream, "2probe")], "transport_upgrade 1008"),
            (&[(ToUpstream, "0{}")], "wrong_side 1008"),
            (&[(ToClient, "0{}"), (ToClient, "0{}")], "second_handshake 1008"),
            (&[(ToClient, "0{}"), (ToUpstream, r#"42["say"]"#)], "before_handshake 1008"),
            (&[(ToClient, "0{}"), (ToUpstream, "40"), (ToUpstream, r#"42["say"]"#)], "before_handshake 1008"),
            (&[(ToClient, "0{}"), (ToClient, "40{}")], "unknown_id 1008"),
            (&[(ToClient, "0{}"), (ToUpstream, "40/admin,")], "namespace_not_allowed 1008"),
            (&[(ToClient, "0{}"), (ToUpstream, "40"), (ToUpstream, "40")], "second_handshake 1008"),
            (
                &[
                    (ToClient, "0{}"),
                    (ToUpstream, "40"),
                    (ToClient, r#"44{"message":"no"}"#),
                    (ToUpstream, "40{}"),
                ],
                "passed",
            ),
            (&[(ToClient, "0{}"), (ToClient, "2"), (ToUpstream, "3")], "passed"),
            (&[(ToClient, "0{}"), (ToUpstream, "2")], "wrong_side 1008"),
            (&[(ToClient, "0{}"), (ToUpstream, "1"), (ToUpstream, "40")], "after_end 1008"),
        ] {
            let mut session = Session::of(&policy(""), "ann");
            let told: Vec<String> =
                said.iter().map(|(direction, text)| session.say(*direction, text)).collect();
            assert_eq!(told.last().map(String::as_str), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn events_acks_and_attachments_are_followed() {
        let settings = "events: ['say', 'room.{sub}.*'], attachments: 2, namespaces: ['/', '/{sub}']";
        let mut session = opened(settings);
        for (direction, text, expected) in [
            (ToUpstream, r#"42["say","hi"]"#, "passed"),
            (ToUpstream, r#"42["say","bad"]"#, "words dropped"),
            (ToUpstream, r#"42["other"]"#, "event_not_allowed 1008"),
            (ToUpstream, r#"42["room.ann.x"]"#, "passed"),
            (ToUpstream, r#"42["room.bob.x"]"#, "event_not_allowed 1008"),
            (ToUpstream, r#"42["disconnect"]"#, "event_not_allowed 1008"),
            (ToUpstream, r#"42[1]"#, "malformed 1007"),
            (ToUpstream, r#"42{}"#, "malformed 1007"),
            (ToUpstream, r#"42["say","a"]x"#, "trailing_data 1007"),
            (ToUpstream, r#"42/ann,["say","a"]"#, "before_handshake 1008"),
            (ToUpstream, "40/ann,", "passed"),
            (ToClient, r#"40/ann,{"sid":"z"}"#, "passed"),
            (ToUpstream, r#"42/ann,7["say","a"]"#, "passed"),
            (ToClient, r#"437["x"]"#, "unknown_id 1008"),
            (ToClient, r#"43/ann,7["x"]"#, "passed"),
            (ToClient, r#"43/ann,7["x"]"#, "unknown_id 1008"),
            (ToClient, r#"421["anything"]"#, "passed"),
            (ToUpstream, r#"431[]"#, "passed"),
            (ToUpstream, r#"453-["say",{"_placeholder":true,"num":0}]"#, "attachment 1008"),
            (ToUpstream, r#"451-["say",{"_placeholder":true,"num":0}]"#, "passed"),
            (ToUpstream, r#"42["say","a"]"#, "out_of_order 1008"),
        ] {
            assert_eq!(session.say(direction, text), expected, "{text}");
        }
        assert_eq!(session.send(ToUpstream, b"\0\x01"), "passed");
        assert_eq!(session.send(ToUpstream, b"\0\x01"), "out_of_order 1008");
        assert_eq!(session.say(ToUpstream, r#"42["say","a"]"#), "passed");
        // What was on its way passes still, and the namespace may be connected again.
        assert_eq!(session.say(ToClient, "41"), "passed");
        assert_eq!(session.say(ToUpstream, r#"42["say","a"]"#), "passed");
        assert_eq!(session.say(ToUpstream, "40"), "passed");
        assert_eq!(session.say(ToUpstream, r#"42["say","a"]"#), "before_handshake 1008");
    }

    #[test]
    fn a_session_may_begin_with_http_where_that_is_said() {
        let mut session = Session::of(&policy("dangerous_upgrades: true"), "ann");
        for (direction, text, expected) in [
            (ToUpstream, "2probe", "passed"),
            (ToClient, "3probe", "passed"),
            (ToUpstream, "5", "passed"),
            (ToUpstream, r#"42["say","a"]"#, "passed"),
            (ToUpstream, r#"42/admin,["say","a"]"#, "before_handshake 1008"),
        ] {
            assert_eq!(session.say(direction, text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_said_is_read(name in "[a-z]{0,8}", id in prop::option::of(any::<u32>()), said in ".{0,20}") {
            let namespace = format!("/{name}");
            let written = if name.is_empty() { String::new() } else { format!("{namespace},") };
            let data = json!(["say", said]);
            let text = format!("42{written}{}{data}", id.map(|id| id.to_string()).unwrap_or_default());
            let mut expected = json!({"type": "event", "namespace": namespace, "data": data});
            if let Some(id) = id {
                expected["id"] = json!(id);
            }
            prop_assert_eq!(decoded("socket.io: {}", text.as_bytes()), expected);
        }

        #[test]
        fn no_text_panics(texts in prop::collection::vec("[0-6][0-7]?([0-9]{0,4}-)?(/[a-z]{0,3},)?[0-9]{0,22}[\\[{\"a-z0-9,\\]}]{0,12}", 0..6)) {
            let mut session = opened("");
            for text in &texts {
                session.say(ToUpstream, text);
                session.say(ToClient, text);
            }
        }
    }
}
