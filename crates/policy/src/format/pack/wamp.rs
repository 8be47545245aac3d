//! WAMP 2, basic profile, in JSON: sessions, calls, subscriptions and registrations, and which URIs clients may use.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::breach::{Feature, Named};
use super::names::{Names, listed};
use super::talk::{Key, Phase, other};
use super::{Breach, Heard, Kind, Protocol, Talk, is_list, is_map, malformed, named, whole};
use crate::fields::{Field, Shown};
use crate::message::Direction;

const FORMAT: &str = "WAMP message";

/// WAMP 2 in JSON. Every list may have `*` at the end of a name for any rest, `{sub}` for who the client is, `{NAME}` for a claim.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWamp {
    /// The realms that clients may join. Default: all.
    realms: Option<At<OneOrMany<At<String>>>>,
    /// The topics that clients may publish to. Default: all but those that begin with `wamp.`.
    publish: Option<At<OneOrMany<At<String>>>>,
    /// The topics that clients may subscribe to. Default: all but those that begin with `wamp.`.
    subscribe: Option<At<OneOrMany<At<String>>>>,
    /// The procedures that clients may call. Default: all but those that begin with `wamp.`.
    call: Option<At<OneOrMany<At<String>>>>,
    /// The procedures that clients may offer to others. Default: none.
    register: Option<At<OneOrMany<At<String>>>>,
    /// Whether clients may subscribe and register by prefix or wildcard: the lists say nothing of what such a pattern brings.
    /// Default: `false`.
    dangerous_patterns: At<bool>,
}

/// WAMP.
#[derive(Clone, Debug, PartialEq)]
pub struct Wamp {
    realms: Option<Names>,
    publish: Option<Names>,
    subscribe: Option<Names>,
    call: Option<Names>,
    register: Option<Names>,
    patterns: bool,
}

impl RawWamp {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Wamp {
        if self.dangerous_patterns.value {
            let what = "clients may subscribe and register by patterns, which the lists say nothing of";
            problems.warning(self.dangerous_patterns.place, what, "take it out if none does");
        }
        Wamp {
            realms: Names::optional(self.realms, problems),
            publish: Names::optional(self.publish, problems),
            subscribe: Names::optional(self.subscribe, problems),
            call: Names::optional(self.call, problems),
            register: Names::optional(self.register, problems),
            patterns: self.dangerous_patterns.value,
        }
    }
}

// What an id is an id of.
const REQUEST: u8 = 0;
const SUBSCRIPTION: u8 = 1;
const REGISTRATION: u8 = 2;

// The numbers of requests (section 6.5), as tags of what is open.
const PUBLISH: u8 = 16;
const SUBSCRIBE: u8 = 32;
const UNSUBSCRIBE: u8 = 34;
const CALL: u8 = 48;
const REGISTER: u8 = 64;
const UNREGISTER: u8 = 66;
const INVOCATION: u8 = 68;

impl Protocol for Wamp {
    fn name(&self) -> &'static str {
        "wamp"
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        &["wamp.2.json"]
    }

    fn is_json(&self) -> bool {
        true
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let packet = Message(heard.fields.root().filter(is_list).ok_or(malformed(FORMAT))?);
        let number = packet.number(0)?;
        let (kind, side) = word(number).ok_or(malformed(FORMAT))?;
        if side.is_some_and(|side| side != heard.direction) {
            return Err(Breach::Side);
        }
        order(kind, heard.direction, talk)?;
        let may_name = match kind {
            "hello" => {
                let realm = packet.text(1)?;
                listed(self.realms.as_ref(), realm, heard.facts, Named::Realm)?;
                talk.enter(Phase::Opening);
                return Ok(named(kind, realm));
            }
            "welcome" => return entered(kind, Phase::Open, talk),
            "abort" | "goodbye" => return entered(kind, Phase::Ended, talk),
            "challenge" | "authenticate" => return Ok(kind.into()),
            "publish" | "subscribe" | "call" | "register" => Some(self.named(kind, &packet, heard)?),
            _ => None,
        };
        follow(kind, &packet, heard, talk)?;
        Ok(may_name.map_or(kind.into(), |uri| named(kind, uri)))
    }
}

fn entered(kind: &'static str, phase: Phase, talk: &mut Talk) -> Result<Kind, Breach> {
    talk.enter(phase);
    Ok(kind.into())
}

/// What a number means, and who sends it; none where both do.
const fn word(number: u64) -> Option<(&'static str, Option<Direction>)> {
    const UP: Option<Direction> = Some(Direction::ToUpstream);
    const DOWN: Option<Direction> = Some(Direction::ToClient);
    Some(match number {
        1 => ("hello", UP),
        2 => ("welcome", DOWN),
        3 => ("abort", None),
        4 => ("challenge", DOWN),
        5 => ("authenticate", UP),
        6 => ("goodbye", None),
        8 => ("error", None),
        16 => ("publish", UP),
        17 => ("published", DOWN),
        32 => ("subscribe", UP),
        33 => ("subscribed", DOWN),
        34 => ("unsubscribe", UP),
        35 => ("unsubscribed", DOWN),
        36 => ("event", DOWN),
        48 => ("call", UP),
        49 => ("cancel", UP),
        50 => ("result", DOWN),
        64 => ("register", UP),
        65 => ("registered", DOWN),
        66 => ("unregister", UP),
        67 => ("unregistered", DOWN),
        68 => ("invocation", DOWN),
        69 => ("interrupt", DOWN),
        70 => ("yield", UP),
        _ => return None,
    })
}

fn order(kind: &str, direction: Direction, talk: &Talk) -> Result<(), Breach> {
    match (talk.phase(), kind) {
        (Phase::New, "hello") => Ok(()),
        (_, "hello") => Err(Breach::Handshake),
        (Phase::New, _) => Err(Breach::Early),
        (Phase::Opening, "welcome" | "abort" | "challenge" | "authenticate") => Ok(()),
        (Phase::Opening, _) => Err(Breach::Early),
        (Phase::Open, "welcome" | "challenge" | "authenticate") => Err(Breach::Handshake),
        (Phase::Open, _) => Ok(()),
        // The answer to a goodbye, and what a router had on its way.
        (Phase::Ended, "goodbye") => Ok(()),
        (Phase::Ended, _) if direction == Direction::ToClient => Ok(()),
        (Phase::Ended, _) => Err(Breach::Ended),
    }
}

/// The entries of a message.
struct Message<'m>(Field<'m>);

impl<'m> Message<'m> {
    fn number(&self, place: usize) -> Result<u64, Breach> {
        self.0.nth(place).and_then(|number| whole(&number)).ok_or(malformed(FORMAT))
    }

    fn text(&self, place: usize) -> Result<&'m str, Breach> {
        let text = self.0.nth(place).and_then(|text| text.text());
        text.filter(|text| !text.is_empty()).ok_or(malformed(FORMAT))
    }

    fn options(&self, place: usize) -> Result<Field<'m>, Breach> {
        self.0.nth(place).filter(is_map).ok_or(malformed(FORMAT))
    }
}

impl Wamp {
    /// What a client names has to be listed.
    fn named<'m>(&self, kind: &str, packet: &Message<'m>, heard: &Heard<'_>) -> Result<&'m str, Breach> {
        let options = packet.options(2)?;
        let uri = packet.text(3)?;
        let matched = options.get("match").map(|matched| matched.show());
        if !matches!(matched, None | Some(Shown::Text("exact"))) && !self.patterns {
            return Err(Breach::Off(Feature::Patterns));
        }
        let names = match kind {
            "publish" => &self.publish,
            "subscribe" => &self.subscribe,
            "call" => &self.call,
            _ => &self.register,
        };
        let may = match names {
            Some(names) => names.list(uri, heard.facts),
            None => kind != "register" && !uri.starts_with("wamp."),
        };
        if may { Ok(uri) } else { Err(Breach::Unlisted(Named::Uri)) }
    }
}

/// Requests are answered once, and events and calls come to those who asked for them.
fn follow(kind: &str, packet: &Message<'_>, heard: &Heard<'_>, talk: &mut Talk) -> Result<(), Breach> {
    let (client, router) = (Direction::ToUpstream, Direction::ToClient);
    let most = heard.limits.pending;
    let request = |place| Ok::<Key, Breach>(Key::of(REQUEST, packet.number(place)?));
    let answers = |talk: &mut Talk, asker, key, tag| match talk.tag(asker, key) {
        Some(found) if found == tag => talk.close(asker, key).map(drop),
        _ => Err(Breach::UnknownId),
    };
    match kind {
        // Only those that ask for it are answered.
        "publish" => match packet.options(2)?.get("acknowledge").map(|asks| asks.show()) {
            Some(Shown::Bool(true)) => talk.open(client, request(1)?, PUBLISH, most),
            _ => Ok(()),
        },
        "published" => answers(talk, client, request(1)?, PUBLISH),
        "subscribe" => talk.open(client, request(1)?, SUBSCRIBE, most),
        "register" => talk.open(client, request(1)?, REGISTER, most),
        "call" => talk.open(client, request(1)?, CALL, most),
        "subscribed" | "registered" => {
            let (tag, space) =
                if kind == "subscribed" { (SUBSCRIBE, SUBSCRIPTION) } else { (REGISTER, REGISTRATION) };
            answers(talk, client, request(1)?, tag)?;
            let key = Key::of(space, packet.number(2)?);
            // Who subscribes twice has one subscription.
            if talk.tag(client, key).is_none() { talk.open(client, key, 0, most) } else { Ok(()) }
        }
        "unsubscribe" | "unregister" => {
            let (tag, space) =
                if kind == "unsubscribe" { (UNSUBSCRIBE, SUBSCRIPTION) } else { (UNREGISTER, REGISTRATION) };
            talk.abandon(client, Key::of(space, packet.number(2)?))?;
            talk.open(client, request(1)?, tag, most)
        }
        "unsubscribed" => answers(talk, client, request(1)?, UNSUBSCRIBE),
        "unregistered" => answers(talk, client, request(1)?, UNREGISTER),
        "event" => talk.expects(client, Key::of(SUBSCRIPTION, packet.number(1)?)),
        "cancel" => Ok(()),
        "result" => {
            let progress = packet.options(2)?.get("progress").map(|progress| progress.show());
            match progress {
                Some(Shown::Bool(true)) => talk.expects(client, request(1)?),
                _ => answers(talk, client, request(1)?, CALL),
            }
        }
        "invocation" => {
            talk.expects(client, Key::of(REGISTRATION, packet.number(2)?))?;
            talk.open(router, request(1)?, INVOCATION, most)
        }
        "interrupt" => talk.expects(router, request(1)?),
        "yield" => {
            let progress = packet.options(2)?.get("progress").map(|progress| progress.show());
            match progress {
                Some(Shown::Bool(true)) => talk.expects(router, request(1)?),
                _ => answers(talk, router, request(1)?, INVOCATION),
            }
        }
        "error" => {
            let tag = u8::try_from(packet.number(1)?).map_err(|_| malformed(FORMAT))?;
            packet.options(3).and(packet.text(4))?;
            answers(talk, other(heard.direction), request(2)?, tag)
        }
        _ => Err(malformed(FORMAT)),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::pack::testing::Session;
    use crate::message::Direction::{ToClient, ToUpstream};

    const POLICY: &str = "
name: p
format: {wamp: {realms: [site], publish: ['user.{sub}.*'], register: ['user.{sub}.*']}}
bounds: {pending: 5}
to_upstream: [{name: words, then: drop, kinds: ['call:sum'], when: 'message[4][0] > 5'}]
to_client: []
";

    fn opened() -> Session {
        let mut session = Session::of(POLICY, "ann");
        assert_eq!(session.say(ToUpstream, r#"[1,"site",{"roles":{"caller":{}}}]"#), "passed");
        assert_eq!(session.say(ToClient, r#"[2,9007199254740991,{"roles":{}}]"#), "passed");
        session
    }

    #[test]
    fn hello_comes_first_and_once() {
        for (said, expected) in [
            (&[(ToUpstream, r#"[48,1,{},"sum"]"#)][..], "before_handshake 1008"),
            (&[(ToClient, r#"[2,1,{}]"#)], "before_handshake 1008"),
            (&[(ToUpstream, r#"[2,1,{}]"#)], "wrong_side 1008"),
            (&[(ToUpstream, r#"[1,"other",{}]"#)], "realm_not_allowed 1008"),
            (&[(ToUpstream, r#"[1,"site",{}]"#), (ToUpstream, r#"[1,"site",{}]"#)], "second_handshake 1008"),
            (
                &[(ToUpstream, r#"[1,"site",{}]"#), (ToUpstream, r#"[48,1,{},"sum"]"#)],
                "before_handshake 1008",
            ),
            (
                &[
                    (ToUpstream, r#"[1,"site",{}]"#),
                    (ToClient, r#"[3,{},"no"]"#),
                    (ToUpstream, r#"[5,"x",{}]"#),
                ],
                "after_end 1008",
            ),
            (&[(ToUpstream, r#"{"a":1}"#)], "malformed 1007"),
            (&[(ToUpstream, r#"[99]"#)], "malformed 1007"),
        ] {
            let mut session = Session::of(POLICY, "ann");
            let told: Vec<String> =
                said.iter().map(|(direction, text)| session.say(*direction, text)).collect();
            assert_eq!(told.last().map(String::as_str), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn uris_are_listed_and_requests_answered_once() {
        let mut session = opened();
        for (direction, text, expected) in [
            (ToUpstream, r#"[48,1,{},"sum",[1]]"#, "passed"),
            (ToUpstream, r#"[48,1,{},"sum",[1]]"#, "duplicate_id 1008"),
            (ToUpstream, r#"[48,2,{},"sum",[9]]"#, "words dropped"),
            (ToUpstream, r#"[48,2,{},"wamp.session.kill",[9]]"#, "uri_not_allowed 1008"),
            (ToClient, r#"[50,1,{"progress":true},[1]]"#, "passed"),
            (ToClient, r#"[50,1,{},[1]]"#, "passed"),
            (ToClient, r#"[50,1,{},[1]]"#, "unknown_id 1008"),
            (ToUpstream, r#"[16,3,{},"user.ann.x",[1]]"#, "passed"),
            (ToUpstream, r#"[16,3,{},"user.bob.x",[1]]"#, "uri_not_allowed 1008"),
            (ToClient, r#"[17,3,1]"#, "unknown_id 1008"),
            (ToUpstream, r#"[32,4,{},"news"]"#, "passed"),
            (ToUpstream, r#"[32,5,{"match":"prefix"},"new"]"#, "pattern_not_allowed 1008"),
            (ToClient, r#"[36,77,1,{},["x"]]"#, "unknown_id 1008"),
            (ToClient, r#"[33,4,77]"#, "passed"),
            (ToClient, r#"[36,77,1,{},["x"]]"#, "passed"),
            (ToUpstream, r#"[34,6,77]"#, "passed"),
            (ToClient, r#"[36,77,2,{},["x"]]"#, "passed"),
            (ToClient, r#"[35,6]"#, "passed"),
            (ToUpstream, r#"[64,7,{},"other"]"#, "uri_not_allowed 1008"),
            (ToUpstream, r#"[64,7,{},"user.ann.f"]"#, "passed"),
            (ToClient, r#"[68,1,5,{}]"#, "unknown_id 1008"),
            (ToClient, r#"[65,7,5]"#, "passed"),
            (ToClient, r#"[68,1,5,{}]"#, "passed"),
            (ToUpstream, r#"[8,68,1,{},"e"]"#, "passed"),
            (ToUpstream, r#"[70,1,{}]"#, "unknown_id 1008"),
            (ToClient, r#"[8,48,9,{},"e"]"#, "unknown_id 1008"),
            (ToUpstream, r#"[6,{},"bye"]"#, "passed"),
            (ToClient, r#"[6,{},"bye"]"#, "passed"),
            (ToUpstream, r#"[48,8,{},"sum",[1]]"#, "after_end 1008"),
        ] {
            assert_eq!(session.say(direction, text), expected, "{text}");
        }
    }
}
