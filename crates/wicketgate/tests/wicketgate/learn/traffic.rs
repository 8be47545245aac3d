//! What honest clients and servers say, by a number: a chat in JSON, and sessions of sub-protocols.

use serde_json::{Value, json};
use wicketgate_testkit::raw::Frame;

use super::encode;

/// Who says something.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Client(Vec<u8>),
    Server(Vec<u8>),
}

impl Said {
    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Self::Client(payload) | Self::Server(payload) => payload,
        }
    }
}

/// What a client of the chat says.
pub(super) fn chat(n: usize) -> [Value; 3] {
    let room = one_of(&["red", "green", "blue"], n);
    let tags: Vec<String> = (0..n % 4).map(|tag| format!("t{tag}")).collect();
    [
        json!({"type": "login", "user": format!("walter {n}"), "password": format!("hunter{n}!"), "card": "4111 1111 1111 1111"}),
        json!({"type": "join", "room": room, "at": format!("2026-11-{:02}T10:00:00Z", n % 28 + 1), "limit": n * 7 % 50}),
        json!({"type": "say", "room": room, "text": format!("hello number {n}, how are you?"), "seq": n, "loud": n.is_multiple_of(2),
            "tags": tags, "from": {"id": format!("{n:08x}-e89b-12d3-a456-426614174000"), "score": n as f64 / 2.0}}),
    ]
}

/// A protocol, what its sessions say, and the message that attacks are made of.
pub(super) struct Protocol {
    pub(super) name: &'static str,
    /// As the learnt policy has it.
    pub(super) format: &'static str,
    pub(super) subprotocol: Option<&'static str>,
    /// The field of the attacked map that says what kind of message it is.
    pub(super) kind: Option<&'static str>,
    is_binary: bool,
    session: fn(usize) -> Vec<Said>,
    /// A map, as it stands in a message of a client.
    wrap: fn(&Value) -> Vec<u8>,
    attacked: fn(usize) -> Value,
    /// How much of a session comes before the attack.
    before: usize,
}

impl Protocol {
    pub(super) fn session(&self, n: usize) -> Vec<Said> {
        (self.session)(n)
    }

    pub(super) fn frame(&self, payload: &[u8]) -> Frame {
        if self.is_binary { Frame::binary(payload) } else { Frame::text(payload) }
    }

    pub(super) fn wrap(&self, value: &Value) -> Vec<u8> {
        (self.wrap)(value)
    }

    /// What a session says before the attack, and the map that attacks are made of.
    pub(super) fn attacked(&self) -> (Vec<Said>, Value) {
        let mut before = self.session(4);
        before.truncate(self.before);
        (before, (self.attacked)(4))
    }
}

fn one_of<'a>(words: &[&'a str], n: usize) -> &'a str {
    words[n % words.len()]
}

/// A reading, in the packed formats.
fn reading(n: usize) -> Value {
    json!({"op": "reading", "device": format!("d-{n}"), "celsius": n as f64 * 0.5, "count": n * 13 % 40,
        "state": one_of(&["on", "off"], n)})
}

fn call(n: usize) -> Value {
    json!({"jsonrpc": "2.0", "id": n, "method": "transfer", "params": {"to": format!("acct-{n}"), "amount": n * 7 % 100,
        "currency": one_of(&["EUR", "USD"], n)}})
}

fn order(n: usize) -> Value {
    json!({"item": format!("sku-{n}"), "count": n * 3 % 10, "size": one_of(&["s", "m", "l"], n), "note": format!("for customer {n}")})
}

fn meter(n: usize) -> Value {
    json!({"connectorId": n % 3, "idTag": format!("tag{n}"), "meterStart": n * 11 % 500, "timestamp": "2026-11-28T10:00:00Z"})
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

pub(super) fn protocols() -> [Protocol; 5] {
    let packed = |name, encode: fn(&Value) -> Vec<u8>, session: fn(usize) -> Vec<Said>| Protocol {
        name,
        format: name,
        subprotocol: None,
        kind: Some("op"),
        is_binary: true,
        session,
        wrap: encode,
        attacked: reading,
        before: 1,
    };
    [
        packed("msgpack", encode::msgpack, |n| {
            vec![Said::Client(encode::msgpack(&reading(n))), Said::Server(encode::msgpack(&ack(n)))]
        }),
        packed("cbor", encode::cbor, |n| {
            vec![Said::Client(encode::cbor(&reading(n))), Said::Server(encode::cbor(&ack(n)))]
        }),
        Protocol {
            name: "json-rpc",
            format: "{json-rpc: {}}",
            subprotocol: None,
            kind: Some("method"),
            is_binary: false,
            session: |n| {
                let answer = json!({"jsonrpc": "2.0", "id": n, "result": {"done": true}});
                vec![Said::Client(text(&call(n))), Said::Server(text(&answer))]
            },
            wrap: text,
            attacked: |n| call(n + 1),
            before: 2,
        },
        Protocol {
            name: "socket.io",
            format: "{socket.io: {}}",
            subprotocol: None,
            kind: None,
            is_binary: false,
            session: |n| {
                let open = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
                vec![
                    Said::Server(open.into()),
                    Said::Client(b"40".to_vec()),
                    Said::Server(br#"40{"sid":"wZX3oN0bSVIhsaknAAAI"}"#.to_vec()),
                    Said::Client(format!("42{}", json!(["order", order(n)])).into()),
                    Said::Server(format!("42{}", json!(["ordered", {"number": n}])).into()),
                ]
            },
            wrap: |value| format!("42{}", json!(["order", value])).into(),
            attacked: order,
            before: 3,
        },
        Protocol {
            name: "ocpp",
            format: "{ocpp: {version: \"1.6\"}}",
            subprotocol: Some("ocpp1.6"),
            kind: None,
            is_binary: false,
            session: |n| {
                vec![
                    Said::Client(text(&json!([2, format!("id-{n}"), "StartTransaction", meter(n)]))),
                    Said::Server(text(
                        &json!([3, format!("id-{n}"), {"transactionId": n, "idTagInfo": {"status": "Accepted"}}]),
                    )),
                ]
            },
            wrap: |value| text(&json!([2, "id-77", "StartTransaction", value])),
            attacked: meter,
            before: 2,
        },
    ]
}

fn ack(n: usize) -> Value {
    json!({"op": "ack", "count": n})
}
