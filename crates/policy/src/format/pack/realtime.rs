//! Realtime events as OpenAI's API has them: what clients may send, and what they may set of a session.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::breach::Named;
use super::names::Names;
use super::talk::{Key, Phase};
use super::{Breach, Heard, Kind, Protocol, Talk, is_map, malformed};
use crate::fields::Field;
use crate::message::Direction;

const FORMAT: &str = "realtime event";

/// Realtime events in text messages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRealtime {
    /// The types of event that clients may send. `*` at the end stands for any rest. Default: those of the API that clients send.
    events: Option<At<OneOrMany<At<String>>>>,
    /// The fields that clients may set, in the `session` of `session.update` and the `response` of `response.create`; `type` among
    /// them or not, as listed. Default: all. A list without `instructions`, `tools` and `model` leaves these to the server.
    fields: Option<At<OneOrMany<At<String>>>>,
}

/// Realtime events.
#[derive(Clone, Debug, PartialEq)]
pub struct Realtime {
    events: Option<Names>,
    fields: Option<Names>,
}

impl RawRealtime {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Realtime {
        Realtime {
            events: Names::optional(self.events, problems),
            fields: Names::optional(self.fields, problems),
        }
    }
}

/// What clients send.
const CLIENT: [&str; 13] = [
    "conversation.item.create",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "input_audio_buffer.append",
    "input_audio_buffer.clear",
    "input_audio_buffer.commit",
    "output_audio_buffer.clear",
    "response.cancel",
    "response.create",
    "session.close",
    "session.update",
    "transcription_session.update",
];

impl Protocol for Realtime {
    fn name(&self) -> &'static str {
        "realtime"
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        &["realtime", ""]
    }

    fn is_json(&self) -> bool {
        true
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().filter(is_map).ok_or(malformed(FORMAT))?;
        let kind = packet.get("type").and_then(|kind| kind.text()).ok_or(malformed(FORMAT))?;
        let is_client = CLIENT.contains(&kind);
        match heard.direction {
            Direction::ToClient if is_client => return Err(Breach::Side),
            Direction::ToClient => server(kind, talk)?,
            Direction::ToUpstream => {
                let listed = self.events.as_ref().map_or(is_client, |names| names.list(kind, heard.facts));
                if !listed {
                    return Err(Breach::Unlisted(Named::Event));
                }
                self.sets(kind, &packet, heard)?;
                once(&packet, heard, talk)?;
            }
        }
        Ok(kind.to_owned().into())
    }
}

/// A server begins with the session, or says why there is none; once.
fn server(kind: &str, talk: &mut Talk) -> Result<(), Breach> {
    match (talk.phase(), kind) {
        (Phase::New, "session.created" | "transcription_session.created") => {
            talk.enter(Phase::Open);
            Ok(())
        }
        (_, "session.created" | "transcription_session.created") => Err(Breach::Handshake),
        (Phase::New, "error") => Ok(()),
        (Phase::New, _) => Err(Breach::Early),
        _ => Ok(()),
    }
}

/// An event id that clients give names one event.
fn once(packet: &Field<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<(), Breach> {
    let Some(id) = packet.get("event_id") else { return Ok(()) };
    let key = Key::of(0, id.text().ok_or(malformed(FORMAT))?);
    if talk.expects(heard.direction, key).is_ok() {
        return Err(Breach::DuplicateId);
    }
    // Events are not answered one by one: those that came lately are remembered.
    talk.open(heard.direction, key, 0, heard.limits.pending)?;
    talk.abandon(heard.direction, key).map(drop)
}

impl Realtime {
    fn sets(&self, kind: &str, packet: &Field<'_>, heard: &Heard<'_>) -> Result<(), Breach> {
        let Some(names) = &self.fields else { return Ok(()) };
        let place = match kind {
            "session.update" | "transcription_session.update" => "session",
            "response.create" => "response",
            _ => return Ok(()),
        };
        let set = packet.get(place).into_iter().flat_map(|set| set.children());
        let mut keys = set.map(|field| field.key().unwrap_or_default());
        match keys.all(|key| names.list(key, heard.facts)) {
            true => Ok(()),
            false => Err(Breach::Unlisted(Named::Field)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::format::pack::testing::Session;
    use crate::message::Direction::{ToClient, ToUpstream};

    const POLICY: &str = "
name: p
format: {realtime: {fields: [type, voice, audio]}}
to_upstream: [{redact: {paths: ['item.content[*].text'], patterns: [email]}}]
to_client: []
";

    #[test]
    fn clients_set_what_is_theirs_and_servers_say_what_is_theirs() {
        let mut session = Session::of(POLICY, "ann");
        for (direction, text, expected) in [
            (ToClient, r#"{"type":"response.created"}"#, "before_handshake 1008"),
            (ToClient, r#"{"type":"error","error":{}}"#, "passed"),
            (ToClient, r#"{"type":"session.created","session":{}}"#, "passed"),
            (ToClient, r#"{"type":"session.created","session":{}}"#, "second_handshake 1008"),
            (ToClient, r#"{"type":"session.update","session":{}}"#, "wrong_side 1008"),
            (ToClient, r#"{"type":"response.output_text.delta","delta":"x"}"#, "passed"),
            (ToUpstream, r#"{"type":"session.update","event_id":"1","session":{"voice":"x"}}"#, "passed"),
            (ToUpstream, r#"{"type":"response.create","event_id":"1"}"#, "duplicate_id 1008"),
            (
                ToUpstream,
                r#"{"type":"session.update","session":{"instructions":"x"}}"#,
                "field_not_allowed 1008",
            ),
            (ToUpstream, r#"{"type":"response.create","response":{"tools":[]}}"#, "field_not_allowed 1008"),
            (ToUpstream, r#"{"type":"session.created"}"#, "event_not_allowed 1008"),
            (ToUpstream, r#"{"type":1}"#, "malformed 1007"),
            (ToUpstream, r#"["response.create"]"#, "malformed 1007"),
            (
                ToUpstream,
                r#"{"type":"conversation.item.create","item":{"content":[{"text":"to a@example.com"}]}}"#,
                r#"{"type":"conversation.item.create","item":{"content":[{"text":"to *************"}]}}"#,
            ),
        ] {
            assert_eq!(session.say(direction, text), expected, "{text}");
        }
    }
}
