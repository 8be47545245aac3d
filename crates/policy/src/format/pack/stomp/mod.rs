//! STOMP 1.2: frames, subscriptions, transactions and receipts, and which destinations clients may use.

mod frame;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use self::frame::{FORMAT, extent};
use super::breach::Named;
use super::names::{Names, listed};
use super::talk::{Key, Phase};
use super::{Breach, Heard, Kind, Packets, Protocol, Talk, malformed, named};
use crate::fields::{Builder, Field};
use crate::message::Direction;

/// STOMP 1.2.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStomp {
    /// The destinations that clients may send to. `*` at the end stands for any rest; `{sub}` for who the client is, `{NAME}` for a
    /// claim: where it has none, or one with `/`, `*` or the like, the entry allows nothing. Default: all.
    send: Option<At<OneOrMany<At<String>>>>,
    /// The destinations that clients may subscribe to, by the text that they ask with: a pattern of the server's is such a text.
    /// Default: all.
    subscribe: Option<At<OneOrMany<At<String>>>>,
    /// What is sent: `auto`, JSON where the content type says so, or `json`, JSON always. Default: `auto`.
    body: RawBody,
}

/// What is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawBody {
    /// JSON where the content type says so, and else text where it is UTF-8, and else bytes.
    #[default]
    Auto,
    /// JSON, and nothing else.
    Json,
}

/// STOMP.
#[derive(Clone, Debug, PartialEq)]
pub struct Stomp {
    send: Option<Names>,
    subscribe: Option<Names>,
    body: RawBody,
}

impl RawStomp {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Stomp {
        Stomp {
            send: Names::optional(self.send, problems),
            subscribe: Names::optional(self.subscribe, problems),
            body: self.body,
        }
    }
}

// What an id is an id of.
const SUBSCRIPTION: u8 = 0;
const TRANSACTION: u8 = 1;
const RECEIPT: u8 = 2;

impl Protocol for Stomp {
    fn name(&self) -> &'static str {
        "stomp"
    }

    fn types(&self) -> &'static [DataKind] {
        &[DataKind::Text, DataKind::Binary]
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        &["v12.stomp"]
    }

    fn is_json(&self) -> bool {
        false
    }

    /// Ends of lines between frames are heart-beats.
    fn split(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        payload: &[u8],
        out: &mut Packets,
    ) -> Result<(), Breach> {
        let mut at = 0;
        while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
            match rest {
                [b'\n', ..] => {
                    out.beat()?;
                    at += 1;
                }
                [b'\r', b'\n', ..] => {
                    out.beat()?;
                    at += 2;
                }
                rest => {
                    let end = at + extent(rest)?;
                    out.push(at..end)?;
                    at = end;
                }
            }
        }
        Ok(())
    }

    fn decode(
        &self,
        _: &Talk,
        _: Direction,
        _: DataKind,
        builder: &mut Builder<'_, '_>,
    ) -> Result<(), Breach> {
        frame::decode(self.body, builder)
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = heard.fields.root().ok_or(malformed(FORMAT))?;
        let command = packet.get("command").and_then(|command| command.text()).unwrap_or_default();
        let headers = Headers(packet.get("headers").ok_or(malformed(FORMAT))?);
        order(command, heard.direction, talk)?;
        match heard.direction {
            Direction::ToUpstream => self.client(command, &headers, heard, talk),
            Direction::ToClient => server(command, &headers, talk),
        }
    }
}

/// The headers of a frame.
struct Headers<'m>(Field<'m>);

impl<'m> Headers<'m> {
    fn get(&self, name: &str) -> Option<&'m str> {
        self.0.get(name)?.text()
    }

    fn need(&self, name: &str) -> Result<&'m str, Breach> {
        self.get(name).ok_or(malformed(FORMAT))
    }
}

/// What may come in which phase, and from whom.
fn order(command: &str, direction: Direction, talk: &Talk) -> Result<(), Breach> {
    let side = match command {
        "CONNECT" | "STOMP" | "SEND" | "SUBSCRIBE" | "UNSUBSCRIBE" | "ACK" | "NACK" | "BEGIN" | "COMMIT"
        | "ABORT" | "DISCONNECT" => Direction::ToUpstream,
        "CONNECTED" | "MESSAGE" | "RECEIPT" | "ERROR" => Direction::ToClient,
        _ => return Err(malformed(FORMAT)),
    };
    if side != direction {
        return Err(Breach::Side);
    }
    match (talk.phase(), command) {
        (Phase::New, "CONNECT" | "STOMP") => Ok(()),
        (_, "CONNECT" | "STOMP") => Err(Breach::Handshake),
        (Phase::New, _) => Err(Breach::Early),
        (Phase::Opening, "CONNECTED" | "ERROR") => Ok(()),
        (Phase::Opening, _) => Err(Breach::Early),
        (Phase::Open, "CONNECTED") => Err(Breach::Handshake),
        (Phase::Open, _) => Ok(()),
        // What a server had on its way when the client said goodbye.
        (Phase::Ended, "MESSAGE" | "RECEIPT" | "ERROR") => Ok(()),
        (Phase::Ended, _) => Err(Breach::Ended),
    }
}

impl Stomp {
    fn client(
        &self,
        command: &str,
        headers: &Headers<'_>,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<Kind, Breach> {
        let asker = Direction::ToUpstream;
        let kind = command.to_ascii_lowercase();
        if let Some(receipt) = headers.get("receipt").filter(|_| !matches!(command, "CONNECT" | "STOMP")) {
            talk.open(asker, Key::of(RECEIPT, receipt), 0, heard.limits.pending)?;
        }
        if let Some(transaction) = headers.get("transaction") {
            let key = Key::of(TRANSACTION, transaction);
            match command {
                "BEGIN" => talk.open(asker, key, 0, heard.limits.pending)?,
                "COMMIT" | "ABORT" => drop(talk.close(asker, key)?),
                _ => talk.tag(asker, key).map(drop).ok_or(Breach::UnknownId)?,
            }
        }
        match command {
            "CONNECT" | "STOMP" => {
                let versions = headers.need("accept-version")?;
                if !versions.split(',').any(|version| version.trim() == "1.2") {
                    return Err(Breach::Unlisted(Named::Version));
                }
                // Clients leave `host` out, and servers do without.
                talk.enter(Phase::Opening);
                return Ok("connect".into());
            }
            "SEND" => {
                let destination = headers.need("destination")?;
                listed(self.send.as_ref(), destination, heard.facts, Named::Destination)?;
                return Ok(named("send", destination));
            }
            "SUBSCRIBE" => {
                let destination = headers.need("destination")?;
                listed(self.subscribe.as_ref(), destination, heard.facts, Named::Destination)?;
                talk.open(asker, Key::of(SUBSCRIPTION, headers.need("id")?), 0, heard.limits.pending)?;
                return Ok(named("subscribe", destination));
            }
            "UNSUBSCRIBE" => drop(talk.abandon(asker, Key::of(SUBSCRIPTION, headers.need("id")?))?),
            "ACK" | "NACK" => drop(headers.need("id")?),
            "BEGIN" | "COMMIT" | "ABORT" => drop(headers.need("transaction")?),
            "DISCONNECT" => talk.enter(Phase::Ended),
            _ => {}
        }
        Ok(kind.into())
    }
}

fn server(command: &str, headers: &Headers<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
    let asker = Direction::ToUpstream;
    match command {
        "CONNECTED" => {
            if headers.need("version")? != "1.2" {
                return Err(Breach::Unlisted(Named::Version));
            }
            talk.enter(Phase::Open);
        }
        "MESSAGE" => {
            talk.expects(asker, Key::of(SUBSCRIPTION, headers.need("subscription")?))?;
            return Ok(named("message", headers.need("destination")?));
        }
        "RECEIPT" => drop(talk.close(asker, Key::of(RECEIPT, headers.need("receipt-id")?))?),
        "ERROR" => talk.enter(Phase::Ended),
        _ => {}
    }
    Ok(command.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::format::pack::testing::{Session, decoded};
    use crate::message::Direction::{ToClient, ToUpstream};

    const POLICY: &str = "
name: p
format: {stomp: {send: ['/app/*', '/user/{sub}/*'], subscribe: ['/topic/hall', '/user/{sub}/*']}}
bounds: {pending: 2, packets: 3}
to_upstream: [{name: words, then: drop, kinds: ['send:/app/x'], when: 'message.body.n > 5'}]
to_client: []
";

    fn opened() -> Session {
        let mut session = Session::of(POLICY, "ann");
        assert_eq!(session.say(ToUpstream, "CONNECT\naccept-version:1.1,1.2\nhost:h\n\n\0"), "passed");
        assert_eq!(session.say(ToClient, "CONNECTED\nversion:1.2\n\n\0\n"), "passed");
        session
    }

    #[test]
    fn connect_comes_first_and_once() {
        for (said, expected) in [
            (&[(ToUpstream, "SEND\ndestination:/app/x\n\nhi\0")][..], "before_handshake 1008"),
            (
                &[(ToUpstream, "CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\ndestination:/app/x\n\n\0")],
                "before_handshake 1008",
            ),
            (&[(ToUpstream, "CONNECT\naccept-version:1.0\nhost:h\n\n\0")], "version_not_allowed 1008"),
            (&[(ToUpstream, "CONNECT\nhost:h\n\n\0")], "malformed 1007"),
            (&[(ToUpstream, "CONNECT\naccept-version:1.2\n\n\0")], "passed"),
            (&[(ToUpstream, "CONNECTED\nversion:1.2\n\n\0")], "wrong_side 1008"),
            (&[(ToClient, "CONNECTED\nversion:1.2\n\n\0")], "before_handshake 1008"),
            (&[(ToClient, "SEND\ndestination:/app/x\n\n\0")], "wrong_side 1008"),
            (
                &[
                    (ToUpstream, "STOMP\naccept-version:1.2\nhost:h\n\n\0"),
                    (ToUpstream, "CONNECT\naccept-version:1.2\nhost:h\n\n\0"),
                ],
                "second_handshake 1008",
            ),
            (&[(ToUpstream, "\n"), (ToClient, "\r\n\n")], "passed"),
        ] {
            let mut session = Session::of(POLICY, "ann");
            let told: Vec<String> =
                said.iter().map(|(direction, text)| session.say(*direction, text)).collect();
            assert_eq!(told.last().map(String::as_str), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn destinations_subscriptions_and_receipts_are_followed() {
        let mut session = opened();
        for (direction, frame, expected) in [
            (ToUpstream, "SEND\ndestination:/app/x\ncontent-type:application/json\n\n{\"n\":1}\0", "passed"),
            (
                ToUpstream,
                "SEND\ndestination:/app/x\ncontent-type:application/json\n\n{\"n\":6}\0",
                "words dropped",
            ),
            (ToUpstream, "SEND\ndestination:/app/x\n\n{\"n\":1}\0", "words dropped"),
            (
                ToUpstream,
                "SEND\ndestination:/app/x\ncontent-type:application/json\n\n{n}\0",
                "malformed 1007",
            ),
            (ToUpstream, "SEND\ndestination:/topic/hall\n\nx\0", "destination_not_allowed 1008"),
            (ToUpstream, "SEND\ndestination:/user/ann/x\n\nx\0", "passed"),
            (ToUpstream, "SEND\ndestination:/user/bob/x\n\nx\0", "destination_not_allowed 1008"),
            (
                ToUpstream,
                "SEND\ndestination:/user/ann/x\ndestination:/user/bob/x\n\nx\0",
                "duplicate_key 1007",
            ),
            (ToUpstream, "SEND\n\nx\0", "malformed 1007"),
            (ToUpstream, "SEND\ndestination:/app/y\ncontent-length:9\n\nx\0", "partial_packet 1007"),
            (ToUpstream, "SEND\ndestination:/app/y\n\nx", "partial_packet 1007"),
            (ToUpstream, "SEND\ndestination:/app/y\ncontent-length:3\n\na\0b\0", "passed"),
            (
                ToUpstream,
                "SEND\ndestination:/app/y\n\na\0SEND\ndestination:/other\n\n\0",
                "destination_not_allowed 1008",
            ),
            (ToUpstream, "SEND\ndestination:/app/\\q\n\na\0", "malformed 1007"),
            (ToUpstream, "SUBSCRIBE\nid:1\ndestination:/topic/*\n\n\0", "destination_not_allowed 1008"),
            (ToUpstream, "SUBSCRIBE\nid:1\ndestination:/topic/hall\n\n\0", "passed"),
            (ToUpstream, "SUBSCRIBE\nid:1\ndestination:/topic/hall\n\n\0", "duplicate_id 1008"),
            (ToUpstream, "SUBSCRIBE\nid:2\ndestination:/topic/hall\n\nx\0", "malformed 1007"),
            (ToClient, "MESSAGE\nsubscription:1\nmessage-id:1\ndestination:/topic/hall\n\nx\0", "passed"),
            (
                ToClient,
                "MESSAGE\nsubscription:2\nmessage-id:1\ndestination:/topic/hall\n\nx\0",
                "unknown_id 1008",
            ),
            (ToUpstream, "UNSUBSCRIBE\nid:1\nreceipt:r\n\n\0", "passed"),
            (ToUpstream, "UNSUBSCRIBE\nid:1\n\n\0", "unknown_id 1008"),
            (ToClient, "MESSAGE\nsubscription:1\nmessage-id:2\ndestination:/topic/hall\n\nx\0", "passed"),
            (ToClient, "RECEIPT\nreceipt-id:r\n\n\0", "passed"),
            (ToClient, "RECEIPT\nreceipt-id:r\n\n\0", "unknown_id 1008"),
            (ToUpstream, "COMMIT\ntransaction:t\n\n\0", "unknown_id 1008"),
            (ToUpstream, "BEGIN\ntransaction:t\n\n\0", "passed"),
            (ToUpstream, "ABORT\ntransaction:t\n\n\0", "passed"),
            (ToUpstream, "PUBLISH\nx:y\n\n\0", "malformed 1007"),
            (ToUpstream, "DISCONNECT\nreceipt:77\n\n\0", "passed"),
            (ToUpstream, "SEND\ndestination:/app/y\n\n\0", "after_end 1008"),
            (ToClient, "RECEIPT\nreceipt-id:77\n\n\0", "passed"),
        ] {
            assert_eq!(session.say(direction, frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn heart_beats_are_counted() {
        let mut session = opened();
        assert_eq!(session.say(ToUpstream, &"\n".repeat(3)), "passed");
        assert_eq!(session.say(ToUpstream, &"\n".repeat(4)), "too_many_packets 1008");
        let policy = POLICY
            .replace("to_upstream: [", "to_upstream: [{name: pace, limit: {per_second: 1, burst: 2}}, ");
        let mut session = Session::of(&policy, "ann");
        let told = [0; 3].map(|_| session.say(ToUpstream, "\n"));
        assert_eq!(told, ["passed", "passed", "rate 1008"]);
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read(value in "[ -~\r\né]{0,20}", body in "[ -~é]{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('\r', "\\r").replace('\n', "\\n").replace(':', "\\c");
            let read = decoded("stomp: {}", format!("SEND\nx:{escaped}\r\n\n{body}\0").as_bytes());
            prop_assert_eq!(read, json!({"command": "SEND", "headers": {"x": value}, "body": body}));
        }

        #[test]
        fn no_text_panics(frames in prop::collection::vec("(SEND|SUBSCRIBE|MESSAGE|X)(\r?\n[a-z-]{0,14}:[a-z0-9\\\\/]{0,9}){0,4}\n\n[ -~]{0,20}\0?", 0..4)) {
            let mut session = opened();
            session.say(ToUpstream, &frames.concat());
            session.say(ToClient, &frames.concat());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut session = opened();
            session.send(ToUpstream, &bytes);
        }
    }
}
