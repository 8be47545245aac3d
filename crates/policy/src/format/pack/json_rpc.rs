//! JSON-RPC 2.0: requests, notifications and batches, and answers only to what was asked.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use super::breach::{Feature, Named};
use super::names::{Names, listed};
use super::talk::{Key, other};
use super::{Breach, Heard, Kind, Packets, Protocol, Talk, is_list, is_map, malformed, named, only};
use crate::fields::{Field, Shown};
use crate::message::Direction;

const FORMAT: &str = "JSON-RPC 2.0";

/// JSON-RPC 2.0 in text messages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawJsonRpc {
    /// The methods that clients may call or notify. `*` at the end stands for any rest; `{sub}` for who the client is, `{NAME}` for
    /// a claim. Default: all.
    methods: Option<At<OneOrMany<At<String>>>>,
    /// The methods that servers may notify clients of. Default: all.
    notifications: Option<At<OneOrMany<At<String>>>>,
    /// Whether servers may call methods of clients, and which. Default: none.
    server_methods: Option<At<OneOrMany<At<String>>>>,
    /// Whether a message may be a batch, of as many requests as `bounds` of the policy has `packets`. Default: `true`.
    batches: Option<bool>,
}

/// JSON-RPC 2.0.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonRpc {
    methods: Option<Names>,
    notifications: Option<Names>,
    server_methods: Option<Names>,
    batches: bool,
}

impl RawJsonRpc {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> JsonRpc {
        JsonRpc {
            methods: Names::optional(self.methods, problems),
            notifications: Names::optional(self.notifications, problems),
            server_methods: Names::optional(self.server_methods, problems),
            batches: self.batches.unwrap_or(true),
        }
    }
}

impl Protocol for JsonRpc {
    fn name(&self) -> &'static str {
        "json-rpc"
    }

    fn is_json(&self) -> bool {
        true
    }

    /// Each entry of a batch is judged by itself.
    fn split(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        if payload.trim_ascii_start().first() != Some(&b'[') {
            return out.push(0..payload.len());
        }
        if !self.batches {
            return Err(Breach::Off(Feature::Batch));
        }
        let text = std::str::from_utf8(payload).map_err(|_| malformed(FORMAT))?;
        let mut json = serde_json::Deserializer::from_str(text);
        let mut breach = malformed(FORMAT);
        let read = Entries { payload, out, breach: &mut breach }.deserialize(&mut json);
        if read.and_then(|()| json.end()).is_err() || out.list.is_empty() {
            return Err(breach);
        }
        Ok(())
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().filter(is_map).ok_or(malformed(FORMAT))?;
        if packet.get("jsonrpc").and_then(|version| version.text()) != Some("2.0") {
            return Err(malformed(FORMAT));
        }
        match packet.get("method") {
            Some(method) => self.asked(&packet, method.text().ok_or(malformed(FORMAT))?, heard, talk),
            None => answered(&packet, heard, talk),
        }
    }
}

/// Finds the entries of a batch, and stops where there are too many. Why it stops is left in `breach`.
struct Entries<'a, 'o> {
    payload: &'a [u8],
    out: &'o mut Packets,
    breach: &'o mut Breach,
}

impl<'a> DeserializeSeed<'a> for Entries<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Entries<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(entry) = seq.next_element::<&'a RawValue>()? {
            let start = (entry.get().as_ptr() as usize).saturating_sub(self.payload.as_ptr() as usize);
            if let Err(breach) = self.out.push(start..start + entry.get().len()) {
                *self.breach = breach;
                return Err(A::Error::custom(breach));
            }
        }
        Ok(())
    }
}

impl JsonRpc {
    fn asked(
        &self,
        packet: &Field<'_>,
        method: &str,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<Kind, Breach> {
        let params = packet.get("params");
        if !only(packet, &["jsonrpc", "method", "params", "id"])
            || params.is_some_and(|params| !is_map(&params) && !is_list(&params))
        {
            return Err(malformed(FORMAT));
        }
        let id = packet.get("id");
        match (heard.direction, id) {
            (Direction::ToUpstream, _) => {
                listed(self.methods.as_ref(), method, heard.facts, Named::Target)?;
            }
            (Direction::ToClient, None) => {
                listed(self.notifications.as_ref(), method, heard.facts, Named::Target)?;
            }
            (Direction::ToClient, Some(_)) => match &self.server_methods {
                None => return Err(Breach::Off(Feature::ServerCalls)),
                names => listed(names.as_ref(), method, heard.facts, Named::Target)?,
            },
        }
        let Some(id) = id else { return Ok(named("notification", method)) };
        talk.open(heard.direction, key(&id)?, 0, heard.limits.pending)?;
        Ok(named("request", method))
    }
}

fn answered(packet: &Field<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
    if !only(packet, &["jsonrpc", "result", "error", "id"]) {
        return Err(malformed(FORMAT));
    }
    let id = packet.get("id").ok_or(malformed(FORMAT))?;
    let error = match (packet.get("result"), packet.get("error")) {
        (Some(_), None) => None,
        (None, Some(error)) => Some(error),
        _ => return Err(malformed(FORMAT)),
    };
    if let Some(error) = error {
        let is_code = matches!(error.get("code").map(|code| code.show()), Some(Shown::Int(_)));
        let is_said = error.get("message").is_some_and(|message| message.text().is_some());
        if !is_code || !is_said || !only(&error, &["code", "message", "data"]) {
            return Err(malformed(FORMAT));
        }
        // What could not be read had no id that the answer could name.
        if id.show() == Shown::Null {
            return Ok("error".into());
        }
    }
    talk.close(other(heard.direction), key(&id)?)?;
    Ok(if error.is_some() { "error" } else { "result" }.into())
}

/// `1` and `"1"` are different ids.
fn key(id: &Field<'_>) -> Result<Key, Breach> {
    match id.show() {
        Shown::Text(id) => Ok(Key::of(0, id)),
        Shown::Int(id) => Ok(Key::of(1, id)),
        Shown::Uint(id) => Ok(Key::of(2, id)),
        _ => Err(malformed(FORMAT)),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::pack::testing::Session;
    use crate::message::Direction::{ToClient, ToUpstream};

    const POLICY: &str = "
name: p
format: {json-rpc: {methods: ['chat.*', 'user.{sub}'], server_methods: [ask]}}
bounds: {pending: 2, packets: 3}
to_upstream: [{name: words, then: drop, when: 'has(message.params) && has(message.params.bad)'}, {name: kinds, deny: [{kinds: ['request:chat.close']}]}]
to_client: []
";

    #[test]
    fn calls_are_answered_once_and_by_whom_they_were_asked() {
        let mut session = Session::of(POLICY, "ann");
        for (direction, message, expected) in [
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","params":{"a":1},"id":1}"#, "passed"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","id":"1"}"#, "passed"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","params":{},"id":1}"#, "duplicate_id 1008"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","id":3}"#, "too_many_pending 1008"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"user.ann"}"#, "passed"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"user.bob"}"#, "target_not_allowed 1008"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.close","id":9}"#, "too_many_pending 1008"),
            (ToClient, r#"{"jsonrpc":"2.0","result":1,"id":1}"#, "passed"),
            (ToClient, r#"{"jsonrpc":"2.0","result":1,"id":1}"#, "unknown_id 1008"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.close","id":9}"#, "denied 1008"),
            (ToClient, r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"no"},"id":"1"}"#, "passed"),
            (ToClient, r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"no"},"id":null}"#, "passed"),
            (ToClient, r#"{"jsonrpc":"2.0","method":"ask","id":1}"#, "passed"),
            (ToClient, r#"{"jsonrpc":"2.0","method":"other","id":2}"#, "target_not_allowed 1008"),
            (ToUpstream, r#"{"jsonrpc":"2.0","result":null,"id":1}"#, "passed"),
            (ToUpstream, r#"{"jsonrpc":"1.0","method":"chat.say"}"#, "malformed 1007"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","id":1.5}"#, "malformed 1007"),
            (ToUpstream, r#"{"jsonrpc":"2.0","method":"chat.say","x":1}"#, "malformed 1007"),
            (ToClient, r#"{"jsonrpc":"2.0","result":1,"error":{},"id":1}"#, "malformed 1007"),
        ] {
            assert_eq!(session.say(direction, message), expected, "{message}");
        }
    }

    #[test]
    fn every_entry_of_a_batch_is_judged_and_none_hides_behind_another() {
        let mut session = Session::of(POLICY, "ann");
        let call = |method: &str, id: u32| format!(r#"{{"jsonrpc":"2.0","method":"{method}","id":{id}}}"#);
        for (batch, expected) in [
            (format!("[{}, {}]", call("chat.a", 1), call("root", 2)), "target_not_allowed 1008"),
            (format!("[{}, {}]", call("chat.a", 1), call("chat.a", 1)), "duplicate_id 1008"),
            (format!("[{}, [{}]]", call("chat.a", 1), call("chat.a", 2)), "malformed 1007"),
            ("[]".into(), "malformed 1007"),
            ("[1]".into(), "malformed 1007"),
            (format!("[{0},{0},{0},{0}]", call("chat.a", 1)), "too_many_packets 1008"),
            (
                format!(
                    r#"[{},{{"jsonrpc":"2.0","method":"chat.a","params":{{"bad":1}}}}]"#,
                    call("chat.a", 1)
                ),
                "words dropped",
            ),
            // Nothing of the batches before is remembered.
            (format!(" [ {} , {} ] ", call("chat.a", 1), call("chat.b", 2)), "passed"),
        ] {
            assert_eq!(session.say(ToUpstream, &batch), expected, "{batch}");
        }
        let answers = r#"[{"jsonrpc":"2.0","result":1,"id":2},{"jsonrpc":"2.0","result":1,"id":1}]"#;
        assert_eq!(session.say(ToClient, answers), "passed");
    }

    #[test]
    fn a_batch_is_rewritten_entry_by_entry() {
        let policy = "
name: p
format: {json-rpc: {}}
to_upstream: [{redact: {paths: ['**.password'], with: remove}}]
to_client: []
";
        let mut session = Session::of(policy, "ann");
        let batch = r#"[ {"jsonrpc":"2.0","method":"a","params":{"password":"x","n": 1}} , {"jsonrpc":"2.0","method":"b"}]"#;
        let expected =
            r#"[ {"jsonrpc":"2.0","method":"a","params":{"n": 1}} , {"jsonrpc":"2.0","method":"b"}]"#;
        assert_eq!(session.say(ToUpstream, batch), expected);
    }
}
