//! What is learnt passes what was seen, refuses what was changed, and says nothing that is secret.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wicketgate_policy::{DataKind, Direction, Facts, Message, Policy, Session, Verdict};

use crate::learn::read;
use crate::line::Line;
use crate::{Error, Learned, Settings, learn};

/// A number for the session, none for its subprotocol, and the message.
pub(crate) fn line(session: u64, direction: Direction, kind: DataKind, payload: impl Into<Vec<u8>>) -> Line {
    let time = Some(Duration::from_millis(1_700_000_000_000 + 137 * session));
    let (name, subprotocol, expect) = (None, Some(String::new()), None);
    Line {
        name,
        session,
        time,
        subprotocol,
        direction,
        kind,
        payload: payload.into(),
        covered: Vec::new(),
        expect,
    }
}

fn said(session: u64, direction: Direction, value: &Value) -> Line {
    line(session, direction, DataKind::Text, value.to_string())
}

const ROOMS: [&str; 3] = ["red", "green", "blue"];

/// What clients of a chat say: an example of each kind, by a number.
fn chat(n: u64) -> [Value; 3] {
    let room = ROOMS[n as usize % 3];
    [
        json!({"type": "login", "user": format!("user {n}"), "password": format!("hunter{n}!"), "card": "4111 1111 1111 1111"}),
        json!({"type": "join", "room": room, "at": format!("2026-11-{:02}T10:00:00Z", n % 28 + 1), "limit": n % 50}),
        json!({"type": "say", "room": room, "text": format!("hello, it's number {n}"), "seq": n, "loud": n.is_multiple_of(2),
            "tags": (0..n % 4).map(|tag| format!("t{tag}")).collect::<Vec<_>>(), "from": {"id": format!("{n:08x}-e89b-12d3-a456-426614174000"), "score": n as f64 / 2.0}}),
    ]
}

fn traffic(count: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    for n in 0..count {
        lines.extend(chat(n).iter().map(|value| said(n, Direction::ToUpstream, value)));
        lines.push(said(
            n,
            Direction::ToClient,
            &json!({"type": "said", "seq": n, "by": {"1001": 1, "1002": n}}),
        ));
    }
    lines
}

fn learned(lines: &[Line]) -> (Learned, Policy) {
    let learned = learn(lines, &Settings::default()).unwrap();
    assert!(learned.refused.is_empty() && learned.unread.is_empty(), "{learned:?}");
    let policy = read(&learned.text).unwrap();
    (learned, policy)
}

fn passes(policy: &Policy, direction: Direction, kind: DataKind, payload: &[u8]) -> bool {
    let mut session = Session::new(Arc::new(Facts::default()));
    let outcome = policy.judge(&mut session, direction, Message { kind, payload });
    matches!(outcome.verdict, Verdict::Forward(_))
}

/// What somebody could make of a message, each with what was done.
pub(crate) fn mutations(value: &Value) -> Vec<(String, String)> {
    let mut made = Vec::new();
    let mut change = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = value.clone();
        change(&mut changed);
        made.push((what.to_owned(), changed.to_string()));
    };
    let fields: Vec<(String, Value)> =
        value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    change("another field", &|v| v["admin"] = json!(true));
    change("an unknown kind", &|v| v["type"] = json!("drop"));
    change("a kind that begins so", &|v| v["type"] = json!(format!("{}2", value["type"].as_str().unwrap())));
    change("a kind in a list", &|v| v["type"] = json!([value["type"]]));
    change("no kind", &|v| drop(v.as_object_mut().unwrap().remove("type")));
    change("a list around it", &|v| *v = json!([v.clone()]));
    for (name, old) in &fields {
        change(&format!("{name} is missing"), &|v| drop(v.as_object_mut().unwrap().remove(name)));
        change(&format!("{name} is null"), &|v| v[name] = Value::Null);
        change(&format!("{name} is of another type"), &|v| {
            v[name] = if old.is_string() { json!(7) } else { json!("7") };
        });
        change(&format!("{name} is a map of operators"), &|v| v[name] = json!({"$gt": ""}));
        change(&format!("{name} is nested deep"), &|v| {
            for _ in 0..40 {
                v[name] = json!([v[name]]);
            }
        });
        match old {
            Value::String(_) => {
                change(&format!("{name} is long"), &|v| v[name] = json!("a".repeat(5_000)));
                change(&format!("{name} injects"), &|v| v[name] = json!("' OR 1=1; DROP TABLE users--"));
            }
            Value::Number(_) => {
                change(&format!("{name} is huge"), &|v| v[name] = json!(9_007_199_254_740_993_i64));
                change(&format!("{name} is negative"), &|v| v[name] = json!(-1));
                change(&format!("{name} is broken"), &|v| v[name] = json!(1e300));
            }
            Value::Array(_) => {
                change(&format!("{name} has many"), &|v| v[name] = vec!["t1"; 500].into());
                change(&format!("{name} has others"), &|v| v[name] = json!([{"a": 1}]));
            }
            Value::Object(_) => {
                change(&format!("{name} has another field"), &|v| v[name]["admin"] = json!(1))
            }
            _ => {}
        }
    }
    let text = value.to_string();
    made.push(("a name that stands twice".into(), text.replacen('{', "{\"type\":\"x\",", 1)));
    made.push(("something behind it".into(), format!("{text}{text}")));
    made.push(("half of it".into(), text[..text.len() / 2].into()));
    made.push(("much space".into(), format!("{text}{}", " ".repeat(100_000))));
    made
}

#[test]
fn what_was_seen_passes_and_what_was_changed_does_not() {
    let lines = traffic(60);
    let (learned, policy) = learned(&lines);
    assert!(learned.text.contains("format: json") && learned.text.contains("kind: type"), "{}", learned.text);
    for value in chat(7) {
        let text = value.to_string();
        assert!(passes(&policy, Direction::ToUpstream, DataKind::Text, text.as_bytes()), "{text}");
        let mutations = mutations(&value);
        assert!(mutations.len() >= 12);
        for (what, mutation) in mutations {
            let passed = passes(&policy, Direction::ToUpstream, DataKind::Text, mutation.as_bytes());
            assert!(!passed, "{what}: {mutation}\n{}", learned.text);
        }
        assert!(!passes(&policy, Direction::ToUpstream, DataKind::Binary, text.as_bytes()));
        assert!(!passes(&policy, Direction::ToClient, DataKind::Text, text.as_bytes()));
    }
    // A message like them that was not seen.
    let other = json!({"type": "join", "room": "green", "at": "2027-01-01T00:00:00.5+02:00", "limit": 60});
    assert!(passes(&policy, Direction::ToUpstream, DataKind::Text, other.to_string().as_bytes()));
}

#[test]
fn nothing_secret_is_written() {
    let mut lines = traffic(30);
    for n in 0..30 {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLWl0";
        lines.push(said(
            1,
            Direction::ToUpstream,
            &json!({"type": "auth.check", "note": format!("Bearer {token}"),
            "number": 4_111_111_111_111_111_u64, "mine": "violet", "x_api_key": {"violetta": n}}),
        ));
    }
    let settings = Settings { secret: vec!["mine".parse().unwrap()], ..Settings::default() };
    let learned = learn(&lines, &settings).unwrap();
    for word in ["hunter", "4111", "8222", "eyJ", "violet"] {
        assert!(!learned.text.contains(word), "{word}: {}", learned.text);
    }
    for name in ["password", "card", "note", "number", "mine", "x_api_key"] {
        let line =
            learned.text.lines().find(|line| line.trim_start().starts_with(&format!("{name}:"))).unwrap();
        assert!(line.contains("looks secret"), "{line}");
    }
    // Ids of people and things are no names of fields.
    assert!(!learned.text.contains("1001"), "{}", learned.text);
}

/// What a capture covered has the look of its cover, and is not judged by it.
#[test]
fn what_a_capture_covered_is_open() {
    let lines = (0..20).map(|n| {
        let value = json!({"type": "sign", "who": {"names": ["****", "***"]}, "code": 0, "n": n});
        let covered = vec!["who.names[0]".into(), "who.names[1]".into(), "code".into()];
        Line { covered, ..said(n, Direction::ToUpstream, &value) }
    });
    let (_, policy) = learned(&lines.collect::<Vec<_>>());
    let real = json!({"type": "sign", "who": {"names": ["Anna", "Bob"]}, "code": 4711, "n": 3}).to_string();
    assert!(passes(&policy, Direction::ToUpstream, DataKind::Text, real.as_bytes()));
}

#[test]
fn what_was_seen_once_is_to_be_reviewed() {
    let mut lines = traffic(20);
    lines.push(said(3, Direction::ToUpstream, &json!({"type": "quit", "why": "tired"})));
    let (learned, policy) = learned(&lines);
    assert!(learned.text.contains("REVIEW, seen rarely: quit (1)"), "{}", learned.text);
    assert!(learned.rows.iter().any(|row| row.kind == "quit" && row.is_rare && row.seen == 1));
    let open = r#"{"type":"quit","why":"bored","more":1}"#;
    assert!(passes(&policy, Direction::ToUpstream, DataKind::Text, open.as_bytes()));
}

#[test]
fn a_direction_in_which_nothing_came_is_shut() {
    let lines: Vec<Line> =
        traffic(20).into_iter().filter(|line| line.direction == Direction::ToUpstream).collect();
    let (_, policy) = learned(&lines);
    assert!(!passes(&policy, Direction::ToClient, DataKind::Text, b"{}"));
}

#[test]
fn formats_are_found() {
    let rpc = |n: u64| json!({"jsonrpc": "2.0", "id": n, "method": "add", "params": [n, n + 1]}).to_string();
    let answer = |n: u64| json!({"jsonrpc": "2.0", "id": n, "result": 2 * n + 1}).to_string();
    let (up, down) = (Direction::ToUpstream, Direction::ToClient);
    let talk = |ask: &dyn Fn(u64) -> Vec<u8>, say: &dyn Fn(u64) -> Vec<u8>, kind| -> Vec<Line> {
        (1..40).flat_map(|n| [line(1, up, kind, ask(n)), line(1, down, kind, say(n))]).collect()
    };
    let packed =
        |n: u64| rmp_serde::to_vec_named(&json!({"op": "move", "x": n, "y": -1.5, "who": "ann"})).unwrap();
    let cases = [
        ("{json-rpc: {}}", talk(&|n| rpc(n).into(), &|n| answer(n).into(), DataKind::Text)),
        ("msgpack", talk(&packed, &packed, DataKind::Binary)),
        ("text", talk(&|n| format!("hello {n}").into(), &|_| b"ok".into(), DataKind::Text)),
        ("binary", talk(&|n| vec![0xff, n as u8], &|_| vec![0xc1], DataKind::Binary)),
    ];
    for (format, lines) in cases {
        let (learned, _) = learned(&lines);
        assert!(learned.text.contains(&format!("format: {format}\n")), "{format}: {}", learned.text);
    }
    let calls = (1..30).flat_map(|n: u64| {
        let call = json!([2, format!("id{n}"), "Heartbeat", {}]);
        let answer = json!([3, format!("id{n}"), {"currentTime": "2026-11-28T10:00:00Z"}]);
        [said(1, up, &call), said(1, down, &answer)]
    });
    let calls: Vec<Line> = calls.map(|line| Line { subprotocol: Some("ocpp1.6".into()), ..line }).collect();
    let (learned, _) = learned(&calls);
    assert!(learned.text.contains("format: {ocpp: {version: \"1.6\"}}"), "{}", learned.text);
}

#[test]
fn what_cannot_be_learnt_is_told() {
    assert!(matches!(learn(&[], &Settings::default()), Err(Error::Empty)));
    let mut lines = traffic(20);
    lines.push(line(1, Direction::ToUpstream, DataKind::Text, "{"));
    let learned = learn(&lines, &Settings::default()).unwrap();
    assert_eq!(learned.unread.get("malformed"), Some(&1));
    assert!(learned.text.contains("NOT LEARNED: 1 messages"), "{}", learned.text);
    let settings = Settings { format: Some("no-format".into()), ..Settings::default() };
    assert!(matches!(learn(&lines, &settings), Err(Error::Format { .. })));
}

/// Maps of many names, and lists of many shapes, end at bounds.
#[test]
fn memory_is_bounded_and_what_was_left_out_still_passes() {
    let mut lines = Vec::new();
    for n in 0..300_u64 {
        let names =
            (0..200).map(|name| (format!("name_{}_{}", letters(n), letters(name)), json!({"a": [n, "x"]})));
        lines.push(said(
            1,
            Direction::ToUpstream,
            &json!({"type": "bulk", "all": Value::Object(names.collect())}),
        ));
        lines.push(said(1, Direction::ToUpstream, &json!({"type": format!("kind{}", letters(n)), "all": 1})));
    }
    let (learned, _) = learned(&lines);
    assert!(learned.text.len() < 1 << 20, "{} bytes", learned.text.len());
}

fn letters(n: u64) -> String {
    n.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
}
