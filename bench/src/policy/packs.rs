//! One conversation a sub-protocol: what it costs to decode its messages, to follow what the session says, and to ask the pack's own rules.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use wicketgate_config::Problems;
use wicketgate_policy::DataKind::{self, Binary, Text};
use wicketgate_policy::Direction::{self, ToClient, ToUpstream};
use wicketgate_policy::{Facts, Identity, Message, Policy, RawPolicy, Session, Verdict};

use super::messages::{CHAT, filled};
use crate::admission::{cost, read};

/// Rounds that one session says.
const ROUNDS: usize = 200;
/// About so many bytes of text in what a client sends.
const TEXT: usize = 160;

type Said = (Direction, DataKind, Vec<u8>);

/// What two ends say to each other: how they begin, and then, over and over, something new and its answer.
struct Conversation {
    what: &'static str,
    format: &'static str,
    opening: Vec<Said>,
    round: fn(usize, &str) -> Vec<Said>,
}

fn text(direction: Direction, text: impl Into<String>) -> Said {
    (direction, Text, text.into().into_bytes())
}

fn conversations() -> Vec<Conversation> {
    vec![
        Conversation {
            what: "`json-rpc`",
            format: "{json-rpc: {methods: [post]}}",
            opening: Vec::new(),
            round: |n, line| {
                vec![
                    text(
                        ToUpstream,
                        format!(
                            r#"{{"jsonrpc":"2.0","id":{n},"method":"post","params":{{"room":7,"text":"{line}"}}}}"#
                        ),
                    ),
                    text(ToClient, format!(r#"{{"jsonrpc":"2.0","id":{n},"result":{{"at":1764360000}}}}"#)),
                ]
            },
        },
        Conversation {
            what: "`graphql-transport-ws`",
            format: "{graphql-transport-ws: {}}",
            opening: vec![
                text(ToUpstream, r#"{"type":"connection_init"}"#),
                text(ToClient, r#"{"type":"connection_ack"}"#),
            ],
            round: |n, line| {
                let query = "query Room($text: String!) { room(id: 7) { title members { name } found(text: $text) { id sent } } }";
                vec![
                    text(
                        ToUpstream,
                        format!(
                            r#"{{"id":"{n}","type":"subscribe","payload":{{"query":"{query}","variables":{{"text":"{line}"}}}}}}"#
                        ),
                    ),
                    text(
                        ToClient,
                        format!(
                            r#"{{"id":"{n}","type":"next","payload":{{"data":{{"room":{{"title":"a"}}}}}}}}"#
                        ),
                    ),
                    text(ToClient, format!(r#"{{"id":"{n}","type":"complete"}}"#)),
                ]
            },
        },
        Conversation {
            what: "`mqtt` 5, QoS 1",
            format: "{mqtt: {publish: ['room/+']}}",
            opening: vec![
                (ToUpstream, Binary, b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03ann".to_vec()),
                (ToClient, Binary, vec![0x20, 3, 0, 0, 0]),
            ],
            round: |n, line| {
                let id = (n as u16 + 1).to_be_bytes();
                let body = [b"\x00\x06room/7", &id[..], &[0], line.as_bytes()].concat();
                // Up to 16,383 bytes the length takes two.
                let length = [(body.len() & 127) as u8 | 128, (body.len() >> 7) as u8];
                vec![
                    (ToUpstream, Binary, [&[0x32], &length[..], &body].concat()),
                    (ToClient, Binary, [&[0x40, 2], &id[..]].concat()),
                ]
            },
        },
        Conversation {
            what: "`stomp`",
            format: "{stomp: {send: ['/app/*'], subscribe: ['/topic/*']}}",
            opening: vec![
                text(ToUpstream, "CONNECT\naccept-version:1.2\nhost:h\n\n\0"),
                text(ToClient, "CONNECTED\nversion:1.2\n\n\0"),
            ],
            round: |n, line| {
                vec![
                    text(
                        ToUpstream,
                        format!(
                            "SEND\ndestination:/app/room\nreceipt:{n}\ncontent-type:text/plain\n\n{line}\0"
                        ),
                    ),
                    text(ToClient, format!("RECEIPT\nreceipt-id:{n}\n\n\0")),
                ]
            },
        },
        Conversation {
            what: "`socket.io`",
            format: "{socket.io: {}}",
            opening: vec![
                text(ToClient, r#"0{"sid":"x","pingInterval":25000}"#),
                text(ToUpstream, "40"),
                text(ToClient, r#"40{"sid":"y"}"#),
            ],
            round: |n, line| {
                vec![
                    text(ToUpstream, format!(r#"42{n}["say",{{"room":7,"text":"{line}"}}]"#)),
                    text(ToClient, format!(r#"43{n}["taken"]"#)),
                ]
            },
        },
        Conversation {
            what: "`signalr` in JSON",
            format: "{signalr: {targets: [Send]}}",
            opening: vec![
                text(ToUpstream, "{\"protocol\":\"json\",\"version\":1}\x1e"),
                text(ToClient, "{}\x1e"),
            ],
            round: |n, line| {
                vec![
                    text(
                        ToUpstream,
                        format!(
                            "{{\"type\":1,\"invocationId\":\"{n}\",\"target\":\"Send\",\"arguments\":[7,\"{line}\"]}}\x1e"
                        ),
                    ),
                    text(ToClient, format!("{{\"type\":3,\"invocationId\":\"{n}\",\"result\":null}}\x1e")),
                ]
            },
        },
        Conversation {
            what: "`wamp`",
            format: "{wamp: {realms: [site], call: ['room.*']}}",
            opening: vec![
                text(ToUpstream, r#"[1,"site",{"roles":{"caller":{}}}]"#),
                text(ToClient, r#"[2,1,{"roles":{}}]"#),
            ],
            round: |n, line| {
                let id = n + 1;
                vec![
                    text(ToUpstream, format!(r#"[48,{id},{{}},"room.post",[7,"{line}"]]"#)),
                    text(ToClient, format!(r#"[50,{id},{{}},[true]]"#)),
                ]
            },
        },
        Conversation {
            what: "`ocpp` 1.6",
            format: "{ocpp: {version: \"1.6\"}}",
            opening: Vec::new(),
            round: |n, line| {
                vec![
                    text(
                        ToUpstream,
                        format!(r#"[2,"{n}","DataTransfer",{{"vendorId":"site","data":"{line}"}}]"#),
                    ),
                    text(ToClient, format!(r#"[3,"{n}",{{"status":"Accepted"}}]"#)),
                ]
            },
        },
        Conversation {
            what: "`realtime`",
            format: "{realtime: {}}",
            opening: vec![text(ToClient, r#"{"type":"session.created","session":{}}"#)],
            round: |n, line| {
                vec![
                    text(
                        ToUpstream,
                        format!(
                            r#"{{"type":"conversation.item.create","event_id":"{n}","item":{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{line}"}}]}}}}"#
                        ),
                    ),
                    text(ToClient, r#"{"type":"response.output_text.delta","delta":"well"}"#),
                ]
            },
        },
    ]
}

/// Measures all conversations, and gives the table.
pub(super) fn run() -> Result<String> {
    let line = filled(CHAT, TEXT);
    let mut table = String::from(
        "| format | messages a round | bytes a message | ns a message | ns a byte |\n|---|---:|---:|---:|---:|\n",
    );
    for Conversation { what, format, opening, round } in conversations() {
        let policy = policy(format).with_context(|| what)?;
        let rounds: Vec<Said> = (0..ROUNDS).flat_map(|number| round(number, &line)).collect();
        let mut session = begin(&policy);
        for said in opening.iter().chain(&rounds) {
            let shown = String::from_utf8_lossy(&said.2);
            ensure!(passes(&policy, &mut session, said), "{what}: {shown} does not pass");
        }
        let bytes: usize = rounds.iter().map(|(_, _, payload)| payload.len()).sum();
        let mut at = rounds.len();
        let nanos = cost(|_| {
            if at == rounds.len() {
                // A session that has said all is followed by another, which begins as it does.
                (session, at) = (begin(&policy), 0);
                opening.iter().for_each(|said| _ = black_box(passes(&policy, &mut session, said)));
            }
            black_box(passes(&policy, &mut session, &rounds[at]));
            at += 1;
        })?;
        let each = bytes as f64 / rounds.len() as f64;
        writeln!(
            table,
            "| {what} | {} | {each:.0} | {nanos:.0} | {:.1} |",
            rounds.len() / ROUNDS,
            nanos / each
        )?;
    }
    Ok(table)
}

fn passes(policy: &Policy, session: &mut Session, (direction, kind, payload): &Said) -> bool {
    let outcome = policy.judge(session, *direction, Message { kind: *kind, payload });
    matches!(outcome.verdict, Verdict::Forward(_))
}

fn begin(policy: &Policy) -> Session {
    let identity = Identity { subject: "ann".into(), method: "people".into(), ..Identity::default() };
    let subprotocol = policy.subprotocols().first().cloned();
    Session::new(Arc::new(Facts { identity: Some(identity), subprotocol, ..Facts::default() }))
}

fn policy(format: &str) -> Result<Policy> {
    let raw: RawPolicy = read(&format!("name: pack\nformat: {format}\nto_upstream: []\nto_client: []\n"))?;
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems).filter(|_| !problems.has_errors());
    policy.with_context(|| format!("{:?}", problems.iter().map(|problem| &problem.what).collect::<Vec<_>>()))
}
