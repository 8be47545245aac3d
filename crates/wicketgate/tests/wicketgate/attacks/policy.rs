//! Messages that a policy lets not pass, in every dress that they could come in: the verdict is the same each time.

use wicketgate_testkit::attack::{AttackProof, Rejected};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Answer, Frame, RawClient, Upgrade, opcode};

use super::compression::{OFFER, RSV1, agreeing, deflated};
use super::upstream_frames::attack_from_upstream;
use super::{KEY, LISTENER, Stage, UPSTREAM, bytes};
use crate::cli::wicketgate;

const HONEST: &str = r#"{"type":"chat","text":"hello"}"#;
const ATTACK: &str = r#"{"type":"chat","text":"say drop table"}"#;

/// Chat passes unless it says what it must not; whoever says it is told 4400.
fn config() -> String {
    let words = "{name: words, then: {close: 4400}, when: 'has(message.text) && message.text.contains(\"drop table\")'}";
    format!(
        "{LISTENER}{UPSTREAM}policies:
  - name: chat
    format: json
    kind: type
    to_upstream: [{words}, {{name: kinds, allow: [{{kinds: [chat]}}]}}]
    to_client: [{words}]
routes: [{{name: chat, upstream: backend, policy: chat}}]
"
    )
}

fn proof(stage: &Stage) -> AttackProof<'_> {
    stage.proof("/chat").saying(HONEST)
}

/// A message in two fragments, cut at this byte.
pub(super) fn cut(payload: &[u8], at: usize, rsv: u8) -> [Frame; 2] {
    let (first, last) = payload.split_at(at);
    [Frame::text(first).rsv(rsv).unfinished(), Frame::new(opcode::CONTINUATION, last)]
}

async fn is_closed(proof: &AttackProof<'_>, frames: &[Frame], code: u16) {
    let masked: Vec<Frame> = frames.iter().cloned().map(|frame| frame.masked(KEY)).collect();
    let proven = proof.session(&bytes(&masked), Rejected::Closed(code), &[]).await;
    proven.unwrap_or_else(|error| panic!("{frames:?}: {error:#}"));
}

#[tokio::test]
async fn fragments_hide_nothing() {
    let stage = Stage::start(&config()).await;
    let proof = proof(&stage);
    is_closed(&proof, &[Frame::text(ATTACK)], 4400).await;
    for at in 0..=ATTACK.len() {
        is_closed(&proof, &cut(ATTACK.as_bytes(), at, 0), 4400).await;
    }
    let mut single: Vec<Frame> =
        ATTACK.bytes().map(|byte| Frame::new(opcode::CONTINUATION, [byte]).unfinished()).collect();
    single[0] = Frame::text(&ATTACK[..1]).unfinished();
    single.push(Frame::new(opcode::CONTINUATION, ""));
    is_closed(&proof, &single, 4400).await;
    let between: Vec<Frame> = single.iter().flat_map(|frame| [frame.clone(), Frame::ping("x")]).collect();
    is_closed(&proof, &between, 4400).await;
}

#[tokio::test]
async fn compression_hides_nothing() {
    let stage = Stage::start(&config()).await;
    let proof = proof(&stage).offering(OFFER);
    let compressed = deflated(ATTACK.as_bytes());
    is_closed(&proof, &[Frame::text(compressed.clone()).rsv(RSV1)], 4400).await;
    for at in 0..=compressed.len() {
        is_closed(&proof, &cut(&compressed, at, RSV1), 4400).await;
    }
    is_closed(&proof, &[Frame::text(ATTACK)], 4400).await;
}

#[tokio::test]
async fn another_spelling_hides_nothing() {
    let stage = Stage::start(&config()).await;
    let proof = proof(&stage);
    for (message, code) in [
        (r#"{"type":"chat","text":"say \u0064rop table"}"#, 4400),
        (r#"{"type":"chat","te\u0078t":"say drop table"}"#, 4400),
        ("\n { \"text\" : \"drop table\" ,\t\"type\":\"chat\" }", 4400),
        (r#"{"type":"chat","text":["drop table"]}"#, 4400),
        (r#"{"type":"chat","text":"a","text":"drop table"}"#, 1007),
        (r#"{"type":"chat","text":"a"}{"type":"chat","text":"drop table"}"#, 1007),
        (r#"{"type":"other","text":"a"}"#, 1008),
        (r#"{"TYPE":"chat"}"#, 1008),
        (r#"{"type":["chat"]}"#, 1008),
        ("chat", 1007),
        ("", 1007),
        ("null", 4400),
    ] {
        is_closed(&proof, &[Frame::text(message)], code).await;
    }
    is_closed(&proof, &[Frame::binary(HONEST)], 1003).await;
    let deep = format!(r#"{{"type":"chat","text":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    is_closed(&proof, &[Frame::text(deep)], 1008).await;
    let long = format!(r#"{{"type":"chat","{}":1}}"#, "k".repeat(1 << 20));
    is_closed(&proof, &[Frame::text(long)], 1008).await;
    let many = format!(r#"{{"type":"chat","text":[{}1]}}"#, "1,".repeat(20_000));
    is_closed(&proof, &[Frame::text(many)], 1008).await;
}

/// What an upstream says is judged too.
#[tokio::test]
async fn upstreams_are_judged_too() {
    let stage = Stage::answering(&config(), agreeing).await;
    let attacks = [Frame::text(ATTACK), Frame::text(deflated(ATTACK.as_bytes())).rsv(RSV1)];
    for (number, attack) in attacks.iter().enumerate() {
        let upgrade =
            Upgrade::new(&format!("/chat?attacker={number}")).with("Sec-WebSocket-Extensions", OFFER);
        attack_from_upstream(&stage, &upgrade, &attack.bytes(), 4400, &[]).await;
    }
}

/// A reload puts a changed policy in force for sessions that are open; those it has nothing against go on.
#[tokio::test]
async fn a_reload_changes_what_open_sessions_may_say() {
    let stage = Stage::answering(&config(), |_| Answer::Echo).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = RawClient::open(&stage.listener(0), "/chat").await.unwrap();
        client.echoes(HONEST).await.unwrap();
        clients.push(client);
    }
    let text = std::fs::read_to_string(stage.gateway.config()).unwrap();
    let stricter = text.replacen("drop table", "hello", 1);
    stage.gateway.reload(&stricter, "configuration reloaded").await.unwrap();
    let [mut one, mut two, mut three]: [RawClient; 3] = clients.try_into().ok().unwrap();
    one.send_frame(&Frame::text(HONEST).masked(KEY)).await.unwrap();
    assert_eq!(one.ended().await.unwrap(), wicketgate_testkit::raw::Ended::Closed(Some(4400)));
    for client in [&mut two, &mut three] {
        client.echoes(r#"{"type":"chat","text":"goodbye"}"#).await.unwrap();
    }
    let found = stage.gateway.log("message.finding").await.unwrap();
    assert!(found.contains("words") && !found.contains("hello"), "{found}");
}

/// Where records are guaranteed, whoever gets a message finds its record in the store.
#[tokio::test]
async fn a_message_goes_on_only_behind_its_record() {
    let folder = Dir::new().unwrap();
    let store = folder.join("audit.db");
    let audit = "{name: record, audit: {content: excerpt, show: [type]}}";
    let config = format!(
        "{LISTENER}{UPSTREAM}audit: {{store: {{path: '{}', mode: guaranteed}}}}\nlog: {{audit: off}}\npolicies:
- {{name: chat, format: json, kind: type, to_upstream: [{audit}]}}
routes: [{{name: chat, upstream: backend, policy: chat}}]
",
        store.display()
    );
    let stage = Stage::start(&config).await;
    let mut client = RawClient::open(&stage.listener(0), "/chat").await.unwrap();
    for said in 1..=20 {
        client.echoes(HONEST).await.unwrap();
        let store = store.display().to_string();
        let query = ["audit", "query", "--store", &store, "--event", "message.recorded", "--json"];
        let (code, records, told) = wicketgate(folder.path(), &query);
        assert_eq!((code, records.lines().count()), (0, said), "{told}");
        assert!(records.contains(r#"type=chat text=xxxxx"#) && !records.contains("hello"), "{records}");
    }
}
