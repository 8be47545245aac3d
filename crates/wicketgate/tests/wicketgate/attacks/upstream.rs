//! Backends that answer a handshake wrongly: the client gets 502 or 504 and not a byte of the answer.

use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::raw::{Answer, Endpoint, Frame, Head, RawClient, Upgrade, accept_key};

use super::{KEY, LISTENER, Stage, both_modes, bytes, one_route};

/// Stands in every wrong answer.
const SECRET: &str = "of-the-backend-alone";

fn switch(head: &Head) -> String {
    let key = head.field("sec-websocket-key").unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\nX-Secret: {SECRET}\r\n",
        accept_key(&key)
    )
}

/// The wrong answer that the target's query asks for.
fn wrong(head: &Head) -> Answer {
    let good = switch(head);
    let target = head.target();
    let Some((_, asked)) = target.split_once("?attack-") else { return Answer::Echo };
    let changed = |from: &str, to: &str| good.replace(from, to) + "\r\n";
    let more = |line: &str| format!("{good}{line}\r\n\r\n");
    let text = match asked {
        "accept" => changed("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: A"),
        "no-accept" => changed("Sec-WebSocket-Accept", "X-Accept"),
        "two-accepts" => more("Sec-WebSocket-Accept: x"),
        "no-upgrade" => changed("Upgrade: websocket\r\n", ""),
        "h2c" => changed("Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
        "two-upgrades" => more("Upgrade: h2c"),
        "no-connection" => changed("Connection: Upgrade\r\n", ""),
        "ok" => changed("101 Switching Protocols", "200 OK"),
        "no-content" => changed("101 Switching Protocols", "204 No Content"),
        "old" => changed("HTTP/1.1 101", "HTTP/1.0 101"),
        "version" => changed("HTTP/1.1 101", "HTTP/3.7 101"),
        "subprotocol" => more("Sec-WebSocket-Protocol: unasked"),
        "two-subprotocols" => more("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat"),
        "subprotocol-list" => more("Sec-WebSocket-Protocol: chat, mqtt"),
        "extension" => more("Sec-WebSocket-Extensions: x-unasked"),
        "extension-syntax" => more("Sec-WebSocket-Extensions: ;;;"),
        "two-extensions" => more("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"),
        "window" => more("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"),
        "unknown-parameter" => more("Sec-WebSocket-Extensions: permessage-deflate; hello"),
        "nominate" => changed("Connection: Upgrade\r\n", "Connection: Upgrade, Set-Cookie\r\n"),
        "huge" => more(&format!("X-Huge: {}", "a".repeat(300_000))),
        "many" => more(&"X-Many: a\r\n".repeat(5_000)),
        "fold" => more("X-Fold: a\r\n Upgrade: websocket"),
        "nul" => more("X-Nul: \0"),
        "interim" => "HTTP/1.1 100 Continue\r\n\r\n".repeat(100) + &good + "\r\n",
        "garbage" => format!("SSH-2.0-{SECRET}\r\n\r\n"),
        "frames" => format!("\u{1}\u{5}{SECRET}\r\n\r\n"),
        "nothing" => return Answer::BytesThenEnd(Vec::new()),
        "half" => return Answer::BytesThenEnd(good.into_bytes()),
        _ => return Answer::Silence,
    };
    Answer::Bytes(text.into_bytes())
}

const WRONG: [&str; 29] = [
    "accept",
    "no-accept",
    "two-accepts",
    "no-upgrade",
    "h2c",
    "two-upgrades",
    "no-connection",
    "ok",
    "no-content",
    "old",
    "version",
    "subprotocol",
    "two-subprotocols",
    "subprotocol-list",
    "extension",
    "extension-syntax",
    "two-extensions",
    "window",
    "unknown-parameter",
    "nominate",
    "huge",
    "many",
    "fold",
    "nul",
    "interim",
    "garbage",
    "frames",
    "nothing",
    "half",
];

#[tokio::test]
async fn a_wrong_answer_opens_nothing() {
    let stage = Stage::answering(&both_modes(""), wrong).await;
    for mode in super::MODES {
        for asked in WRONG {
            let target = format!("{mode}?attack-{asked}");
            let upgrade = Upgrade::new(&target)
                .with("Sec-WebSocket-Protocol", "chat, mqtt")
                .with("Sec-WebSocket-Extensions", "permessage-deflate");
            let mut client = stage.client().await;
            // Frames that come before the answer to the handshake must not be taken for the session's.
            let early = Frame::text("early").masked(KEY).bytes();
            client.send(&[upgrade.bytes(), early].concat()).await.unwrap();
            client.finish_writing().await.unwrap();
            let answer = client.rest().await.unwrap();
            let shown = answer.escape_ascii();
            assert!(answer.starts_with(b"HTTP/1.1 502 "), "{target}: {shown}");
            assert!(!answer.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{target}: {shown}");
            let (_, recorded) = stage.backend.requested(&target).await.unwrap();
            assert_eq!(recorded.after, b"", "{target}: early data reached the backend");
        }
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_504_and_one_that_is_not_there_502() {
    let nobody = Port::free().unwrap();
    let config = format!(
        "{LISTENER}log: {{format: json}}\nroutes:\n\
         - {{name: all, upstream: backend}}\n\
         - {{name: down, match: {{path: /down}}, upstream: down}}\n\
         upstreams:\n\
         - {{name: backend, targets: ['ws://BACKEND'], health: {{passive: off}}, timeouts: {{handshake: 300ms, response: 300ms}}}}\n\
         - {{name: down, targets: ['ws://{}'], health: {{passive: off}}}}\n",
        nobody.addr()
    );
    let silent = |head: &Head| match head.target().as_str() {
        "/silent" => Answer::Silence,
        "/half" => Answer::Bytes(b"HTTP/1.1 101 Switching".to_vec()),
        _ => Answer::Echo,
    };
    let stage = Stage::answering(&config, silent).await;
    for (target, status, reason) in [
        ("/silent", 504, "handshake_timeout"),
        ("/half", 504, "handshake_timeout"),
        ("/down", 502, "refused"),
    ] {
        let mut client = stage.client().await;
        client.send(&Upgrade::new(target).bytes()).await.unwrap();
        assert_eq!(client.head().await.unwrap().status().unwrap(), status, "{target}");
        let line = stage.gateway.log(reason).await.unwrap();
        assert!(line.contains(&format!("\"status\":{status}")), "{line}");
    }
    let mut client = stage.client().await;
    client.send(b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 504);
    let mut client = stage.client().await;
    client.send(b"GET /down HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 502);
    stage.proof("/").honest().await.unwrap();
}

/// Frames that come with the 101 are the session's first.
#[tokio::test]
async fn bytes_behind_the_101_are_kept() {
    let stage = Stage::answering(&both_modes(""), |head| match head.target().contains("early") {
        true => {
            let frames = bytes(&[Frame::text("one"), Frame::text("tw").unfinished(), Frame::new(0, "o")]);
            Answer::Bytes([switch(head).into_bytes(), b"\r\n".to_vec(), frames].concat())
        }
        false => Answer::Echo,
    })
    .await;
    for mode in super::MODES {
        let mut client = RawClient::open(&stage.listener(0), &format!("{mode}?early")).await.unwrap();
        assert_eq!(client.message().await.unwrap().1, b"one");
        assert_eq!(client.message().await.unwrap().1, b"two");
    }
}

/// What a client sends before the 101 waits for it, and then goes on in its order (RFC 9931).
#[tokio::test]
async fn bytes_before_the_101_are_held() {
    let held = |head: &Head| match head.target().contains("held") {
        true => Answer::Silence,
        false => Answer::Echo,
    };
    let stage = Stage::answering(&both_modes(""), held).await;
    for mode in super::MODES {
        let target = format!("{mode}?held");
        let upgrade = Upgrade::new(&target);
        let early = bytes(&[Frame::text("one").masked(KEY), Frame::binary("tw").unfinished().masked(KEY)]);
        let mut client = stage.client().await;
        client.send(&[upgrade.bytes(), early].concat()).await.unwrap();
        let (number, recorded) = stage.backend.requested(&target).await.unwrap();
        // Other sessions come and go meanwhile.
        stage.proof(mode).honest().await.unwrap();
        assert_eq!(stage.backend.recorded()[number].after, b"", "bytes before the 101");
        client.send(&Frame::new(0, "o").masked(KEY).bytes()).await.unwrap();
        stage.backend.send(number, format!("{}\r\n", switch(&recorded.heads[0])).as_bytes()).unwrap();
        upgrade.check(&client.head().await.unwrap()).unwrap();
        client.send_text("three").await.unwrap();
        let whole = |recorded: &wicketgate_testkit::raw::Recorded| {
            recorded.target().as_deref() == Some(&target) && recorded.after.ends_with(b"three")
                || recorded.frames().len() == 4 && recorded.target().as_deref() == Some(&target)
        };
        let (_, recorded) = stage.backend.until("the held frames", whole).await.unwrap();
        let payloads: Vec<_> = recorded.frames().into_iter().map(|frame| frame.payload).collect();
        assert_eq!(payloads, [&b"one"[..], b"tw", b"o", b"three"]);
    }
}

/// A client may send more behind its handshake than one read of a session takes in.
#[tokio::test]
async fn a_flood_behind_the_handshake_is_not_cut_short() {
    let config = one_route("").replace("{bind: LISTEN}", "{bind: LISTEN, limits: {head_size: 1MiB}}");
    let stage = Stage::start(&config).await;
    let upgrade = Upgrade::new("/flood").with("X-Padding", &"p".repeat(500_000));
    let message = vec![0x5a; 700_000];
    let mut client = stage.client().await;
    let flood = [upgrade.bytes(), Frame::binary(message.clone()).masked(KEY).bytes()].concat();
    client.send_and_read(&flood).await.unwrap();
    upgrade.check(&client.head().await.unwrap()).unwrap();
    let (_, echoed) = client.message().await.unwrap();
    assert_eq!((echoed.len(), echoed == message), (message.len(), true));
    client.echoes("and on").await.unwrap();
}

/// A refusal of the backend's own goes to the client as it is.
#[tokio::test]
async fn an_honest_refusal_is_passed_on() {
    let stage = Stage::answering(&one_route(""), |head| match head.target().as_str() {
        "/refused" => Answer::response("401 Unauthorized", "who are you?"),
        _ => Answer::Echo,
    })
    .await;
    let mut client = stage.client().await;
    client.send(&Upgrade::new("/refused").bytes()).await.unwrap();
    let (head, body) = client.response().await.unwrap();
    assert_eq!((head.status().unwrap(), body.as_slice()), (401, &b"who are you?"[..]));
    let endpoint = Endpoint::plain(stage.ports[0].addr());
    AttackProof::new(endpoint, &stage.backend, "/").honest().await.unwrap();
}
