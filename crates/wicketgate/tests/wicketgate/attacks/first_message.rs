//! Sessions whose first message brings the credential, and sessions that renew theirs in band: what proves nothing goes
//! nowhere.

use std::time::{Duration, SystemTime};

use serde_json::json;
use wicketgate_testkit::issuer::{now, sign_hs256};
use wicketgate_testkit::raw::{Ended, Frame, RawClient, Upgrade, opcode};

use super::{KEY, Stage, UPSTREAM};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn token(subject: &str, life: u64) -> String {
    let claims = json!({"iss": "test", "aud": "chat", "sub": subject, "exp": now() + life});
    sign_hs256(SECRET.as_bytes(), &json!({"alg": "HS256"}), &claims).unwrap()
}

fn first(token: &str) -> String {
    json!({"type": "hello", "token": token}).to_string()
}

async fn stage() -> Stage {
    let config = format!(
        "listeners: [{{name: l, bind: LISTEN}}]\n{UPSTREAM}authentication:
- name: people
  jwt: {{issuer: test, audience: chat, leeway: 0s, keys: {{secret: {{value: {SECRET}}}}}}}
log: {{level: debug, format: json}}
routes:
- {{name: open, match: {{path: /open}}, upstream: backend}}
- name: chat
  match: {{path: /chat}}
  upstream: backend
  websocket: {{mode: messages}}
  admission:
    authorization: 'identity.subject != \"mallory\"'
    authentication:
      any: [people]
      first_message: {{timeout: 2s, max_size: 1KiB, reply: welcome, subprotocols: [chat.v1]}}
      renewal: renew
"
    );
    Stage::start(&config).await
}

async fn silent(stage: &Stage) -> RawClient {
    let mut client = stage.client().await;
    client.upgrade(&Upgrade::new("/chat")).await.unwrap();
    client
}

async fn opened(stage: &Stage, token: &str) -> RawClient {
    let mut client = silent(stage).await;
    client.send_text(&first(token)).await.unwrap();
    assert_eq!(client.message().await.unwrap(), (opcode::TEXT, b"welcome".to_vec()));
    client
}

#[tokio::test]
async fn nothing_goes_upstream_before_the_first_message_is_accepted() {
    let stage = stage().await;
    let mut client = silent(&stage).await;
    client.send_frame(&Frame::ping(b"there?").masked(KEY)).await.unwrap();
    assert_eq!(client.frame().await.unwrap().opcode, opcode::PONG);
    assert!(stage.heads().is_empty());
    let ann = token("ann", 3600);
    // In one write with what follows, in fragments, with a ping between them.
    let text = first(&ann);
    let (one, two) = text.as_bytes().split_at(9);
    let frames = [
        Frame::text(one).unfinished(),
        Frame::ping(b"x"),
        Frame::new(opcode::CONTINUATION, two),
        Frame::text("behind it"),
    ];
    let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.masked(KEY).bytes()).collect();
    client.send(&bytes).await.unwrap();
    assert_eq!(client.frame().await.unwrap().opcode, opcode::PONG);
    assert_eq!(client.message().await.unwrap().1, b"welcome");
    assert_eq!(client.message().await.unwrap().1, b"behind it");
    let heads = stage.heads();
    assert!(heads.len() == 1 && !heads[0].text().contains(&ann), "{heads:?}");
    let (_, recorded) = stage.backend.requested("/chat").await.unwrap();
    assert_eq!(recorded.frames().len(), 1, "the first message goes no further");
    assert!(!stage.gateway.process().output().contains(&ann));
    // Who brings the credential in the handshake is not asked again.
    let mut client = stage.client().await;
    let upgrade = Upgrade::new("/chat").with("Authorization", &format!("Bearer {ann}"));
    client.upgrade(&upgrade).await.unwrap();
    client.echoes("at once").await.unwrap();
}

#[tokio::test]
async fn what_proves_nothing_ends_the_session_and_reaches_nobody() {
    let stage = stage().await;
    let forged = sign_hs256(
        &[b'x'; 32],
        &json!({"alg": "HS256"}),
        &json!({"iss": "test", "aud": "chat", "sub": "ann", "exp": now() + 60}),
    )
    .unwrap();
    let text = |text: &str| Frame::text(text);
    for (attack, code) in [
        (text("hello"), 1008),
        (text("{}"), 1008),
        (text(&first("")), 1008),
        (text(&first("nonsense")), 1008),
        (text(&first(&forged)), 1008),
        (text(&first(&token("ann", 0))), 1008),
        (text(&first(&token("mallory", 60))), 1008),
        (text(&"[".repeat(1000)), 1008),
        (text(&first(&"x".repeat(1100))), 1009),
        (Frame::binary(b"{}"), 1003),
        (text("{}").rsv(4), 1002),
        (Frame::text([0xff, 0xfe]), 1007),
    ] {
        let mut client = silent(&stage).await;
        client.send(&attack.clone().masked(KEY).bytes()).await.unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(code)), "{attack:?}");
        assert!(stage.heads().is_empty(), "{attack:?}");
    }
    // Silence, and a header whose payload does not come.
    for bytes in [&b""[..], &[0x81, 0xfe, 0x01]] {
        let mut client = silent(&stage).await;
        client.send(bytes).await.unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)));
    }
    assert!(stage.heads().is_empty());
    assert!(!stage.gateway.process().output().contains(&forged));
    opened(&stage, &token("ann", 60)).await.echoes("honest").await.unwrap();
}

#[tokio::test]
async fn the_subprotocol_is_chosen_before_the_upstream_is_asked() {
    let stage = stage().await;
    let mut client = stage.client().await;
    let head = client
        .upgrade(&Upgrade::new("/chat").with("Sec-WebSocket-Protocol", "chat.v0, chat.v1"))
        .await
        .unwrap();
    assert_eq!(head.all("sec-websocket-protocol"), ["chat.v1"]);
    client.send_text(&first(&token("ann", 60))).await.unwrap();
    // The backend chooses none: client and backend would not mean the same.
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1011)));
    opened(&stage, &token("ann", 60)).await.echoes("honest").await.unwrap();
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_renewed() {
    let stage = stage().await;
    let mut client = opened(&stage, &token("ann", 5)).await;
    let start = SystemTime::now();
    let renew = |token: &str| json!({ "renew": token }).to_string();
    client.send_text(&format!("{{ \"renew\" : [\"{}\"]}}", token("ann", 60))).await.unwrap();
    assert_eq!(client.message().await.unwrap().1, br#"{"renew":"refused"}"#, "half a token is a secret too");
    for (bad, why) in [
        (token("bob", 60), "another subject"),
        ("nonsense".to_owned(), "no token"),
        (token("ann", 0), "expired"),
    ] {
        client.send_text(&renew(&bad)).await.unwrap();
        assert_eq!(client.message().await.unwrap().1, br#"{"renew":"refused"}"#, "{why}");
    }
    client.echoes("still there").await.unwrap();
    let later = token("ann", 10);
    client.send_text(&renew(&later)).await.unwrap();
    assert_eq!(client.message().await.unwrap().1, br#"{"renew":"renewed"}"#);
    stage.gateway.process().line("session.renewed", Duration::from_secs(5)).await.unwrap();
    while client.echoes("still there").await.is_ok() {
        tokio::task::yield_now().await;
    }
    let took = start.elapsed().unwrap();
    assert!(took > Duration::from_millis(7500) && took < Duration::from_secs(20), "{took:?}");
    let (_, recorded) = stage.backend.requested("/chat").await.unwrap();
    let renewed = recorded.frames().iter().any(|frame| frame.payload.windows(5).any(|part| part == b"renew"));
    assert!(!renewed, "renewals go no further");
    assert!(!stage.gateway.process().output().contains(&later));
    RawClient::open(&stage.listener(0), "/open").await.unwrap().echoes("honest").await.unwrap();
}

#[tokio::test]
async fn who_waits_is_judged_by_the_configuration_of_the_moment() {
    let stage = stage().await;
    let mut waiting = silent(&stage).await;
    let running = std::fs::read_to_string(stage.gateway.config()).unwrap();
    let next = running.replace("mallory", "ann");
    stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    waiting.send_text(&first(&token("ann", 60))).await.unwrap();
    assert_eq!(waiting.ended().await.unwrap(), Ended::Closed(Some(1008)));
    assert!(stage.heads().is_empty());
    opened(&stage, &token("bob", 60)).await.echoes("honest").await.unwrap();
}
