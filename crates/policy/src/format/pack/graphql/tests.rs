//! What the protocols and the rules for documents refuse, and what they let pass.

use serde_json::json;

use crate::format::pack::testing::Session;
use crate::message::Direction::{ToClient, ToUpstream};

fn policy(format: &str, settings: &str) -> String {
    format!(
        "name: p\nformat: {{{format}: {{{settings}}}}}\nto_upstream: [{{kinds: ['subscribe:mutation'], then: drop, when: 'has(message.payload.variables) && has(message.payload.variables.bad)'}}]\nto_client: []\n"
    )
}

fn opened(settings: &str) -> Session {
    let mut session = Session::of(&policy("graphql-transport-ws", settings), "ann");
    assert_eq!(session.say(ToUpstream, r#"{"type":"connection_init"}"#), "passed");
    assert_eq!(session.say(ToClient, r#"{"type":"connection_ack"}"#), "passed");
    session
}

fn asks(id: &str, query: &str) -> String {
    json!({"type": "subscribe", "id": id, "payload": {"query": query}}).to_string()
}

#[test]
fn nothing_comes_before_the_handshake_and_that_comes_once() {
    let policy = policy("graphql-transport-ws", "");
    for (messages, expected) in [
        (&[(ToUpstream, asks("1", "{a}"))][..], "before_handshake 4401"),
        (&[(ToClient, r#"{"type":"connection_ack"}"#.into())], "out_of_order 1008"),
        (&[(ToUpstream, r#"{"type":"connection_ack"}"#.into())], "wrong_side 1008"),
        (&[(ToClient, r#"{"type":"connection_init"}"#.into())], "wrong_side 1008"),
        (
            &[(ToUpstream, r#"{"type":"connection_init"}"#.into()), (ToUpstream, asks("1", "{a}"))],
            "before_handshake 4401",
        ),
        (
            &[
                (ToUpstream, r#"{"type":"connection_init"}"#.into()),
                (ToUpstream, r#"{"type":"connection_init"}"#.into()),
            ],
            "second_handshake 4429",
        ),
        (&[(ToUpstream, r#"{"type":"connection_init","x":1}"#.into())], "malformed 4400"),
        (&[(ToUpstream, r#"{"type":"connection_init","payload":1}"#.into())], "malformed 4400"),
        (&[(ToUpstream, r#"{"type":"other"}"#.into())], "malformed 4400"),
        (&[(ToUpstream, r#"{"type":"ping"}{"#.into())], "trailing_data 4400"),
        (
            &[
                (ToUpstream, r#"{"type":"ping"}"#.into()),
                (ToClient, r#"{"type":"pong","payload":{}}"#.into()),
            ],
            "passed",
        ),
    ] {
        let mut session = Session::of(&policy, "ann");
        let said: Vec<String> =
            messages.iter().map(|(direction, text)| session.say(*direction, text)).collect();
        assert_eq!(said.last().map(String::as_str), Some(expected), "{messages:?}");
    }
}

#[test]
fn ids_are_used_once_and_only_what_was_asked_is_answered() {
    let mut session = opened("");
    for (direction, message, expected) in [
        (ToClient, r#"{"type":"next","id":"1","payload":{}}"#.to_owned(), "unknown_id 1008"),
        (ToUpstream, asks("1", "{a}"), "passed"),
        (ToUpstream, asks("1", "{a}"), "duplicate_id 4409"),
        (ToUpstream, asks("", "{a}"), "malformed 4400"),
        (ToClient, r#"{"type":"next","id":"1","payload":{"data":1}}"#.into(), "passed"),
        (ToClient, r#"{"type":"next","id":"1"}"#.into(), "malformed 4400"),
        (ToClient, r#"{"type":"complete","id":"1"}"#.into(), "passed"),
        (ToClient, r#"{"type":"complete","id":"1"}"#.into(), "unknown_id 1008"),
        (ToUpstream, r#"{"type":"complete","id":"1"}"#.into(), "passed"),
        (ToUpstream, asks("1", "subscription {a}"), "passed"),
        (ToUpstream, r#"{"type":"complete","id":"1"}"#.into(), "passed"),
        // It was on its way.
        (ToClient, r#"{"type":"next","id":"1","payload":{}}"#.into(), "passed"),
        (ToClient, r#"{"type":"error","id":"2","payload":[]}"#.into(), "unknown_id 1008"),
        (
            ToUpstream,
            r#"{"type":"subscribe","id":"3","payload":{"query":"mutation {a}","variables":{"bad":1}}}"#
                .into(),
            "rule-1 dropped",
        ),
        (ToClient, r#"{"type":"next","id":"3","payload":{}}"#.into(), "unknown_id 1008"),
        (ToUpstream, asks("3", "mutation {a}"), "passed"),
    ] {
        assert_eq!(session.say(direction, &message), expected, "{message}");
    }
}

#[test]
fn documents_keep_to_the_rules() {
    let rules =
        "operations: [query, subscription], depth: 3, fields: 5, aliases: 1, directives: 2, tokens: 100";
    for (query, expected) in [
        ("{a{b{c}}}", "passed"),
        ("{a{b{c{d}}}}", "document_depth 1008"),
        ("{a b c d e f}", "document_fields 1008"),
        ("{x: a y: a}", "document_aliases 1008"),
        ("{a @skip(if: $x) b @include(if: $x) c @skip(if: $x)}", "document_directives 1008"),
        ("{a @deprecated}", "directive_not_allowed 1008"),
        ("mutation {a}", "operation_not_allowed 1008"),
        ("{__schema{types{name}}}", "introspection 1008"),
        ("{a{...F}} fragment F on T {__type(name: \"x\"){name}}", "introspection 1008"),
        ("{a __typename}", "passed"),
        ("{a", "malformed 4400"),
        ("{a} {b}", "malformed 4400"),
        ("query A {a} mutation B {b}", "operation_not_allowed 1008"),
    ] {
        assert_eq!(opened(rules).say(ToUpstream, &asks("1", query)), expected, "{query}");
    }
    let tokens = asks("1", &format!("{{a(b: [{}])}}", "1 ".repeat(100)));
    assert_eq!(opened(rules).say(ToUpstream, &tokens), "document_tokens 1008");
    let hashed =
        r#"{"type":"subscribe","id":"1","payload":{"extensions":{"persistedQuery":{"sha256Hash":"x"}}}}"#;
    assert_eq!(opened(rules).say(ToUpstream, hashed), "persisted_query 1008");
    assert_eq!(opened("dangerous_persisted: true").say(ToUpstream, hashed), "passed");
    let beside = hashed.replace(r#""payload":{"#, r#""payload":{"query":"{a}","#);
    assert_eq!(opened("").say(ToUpstream, &beside), "persisted_query 1008");
    assert_eq!(opened("introspection: true").say(ToUpstream, &asks("1", "{__schema{a}}")), "passed");
    let chosen = json!({"type": "subscribe", "id": "1", "payload": {"query": "query A {a} query B {b}", "operationName": "B"}});
    assert_eq!(opened("").say(ToUpstream, &chosen.to_string()), "passed");
}

#[test]
fn the_older_protocol_has_its_own_words() {
    let mut session = Session::of(&policy("graphql-ws", ""), "ann");
    for (direction, message, expected) in [
        (ToUpstream, r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#, "before_handshake 1008"),
        (ToUpstream, r#"{"type":"connection_init","payload":{}}"#, "passed"),
        (ToUpstream, r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#, "passed"),
        (ToUpstream, r#"{"type":"subscribe","id":"2","payload":{"query":"{a}"}}"#, "malformed 1007"),
        (ToClient, r#"{"type":"connection_ack"}"#, "passed"),
        (ToClient, r#"{"type":"ka"}"#, "passed"),
        (ToClient, r#"{"type":"data","id":"1","payload":{}}"#, "passed"),
        (ToUpstream, r#"{"type":"stop","id":"1"}"#, "passed"),
        (ToUpstream, r#"{"type":"connection_terminate"}"#, "passed"),
        (ToUpstream, r#"{"type":"start","id":"2","payload":{"query":"{a}"}}"#, "after_end 1008"),
    ] {
        assert_eq!(session.say(direction, message), expected, "{message}");
    }
}

#[test]
fn a_session_of_another_subprotocol_is_refused() {
    let text = policy("graphql-transport-ws", "");
    for other in [None, Some("graphql-ws"), Some("GRAPHQL-TRANSPORT-WS")] {
        let mut session = Session::of(&text, "ann").negotiated(other);
        assert_eq!(session.say(ToUpstream, r#"{"type":"connection_init"}"#), "wrong_subprotocol 1008");
    }
    let mut any = Session::of(&format!("{text}subprotocols: [chat, '']\n"), "ann").negotiated(None);
    assert_eq!(any.say(ToUpstream, r#"{"type":"connection_init"}"#), "passed");
}
