//! Words about the client that the client has said itself: the backend hears the gateway's alone.

use wicketgate_testkit::raw::Upgrade;

use super::{Stage, one_route};

/// Ways to write a forged address, a forged proto, and headers that are none of the backend's business.
const FORGED: [&str; 17] = [
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Forwarded_For",
    "x.forwarded.for",
    "X-Forwarded-Host",
    "X_Forwarded_Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "Forwarded",
    "X-Real-IP",
    "X_Real_IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Keep-Alive",
];

fn plain(target: &str) -> String {
    let forged: String = FORGED.map(|name| format!("{name}: 6.6.6.6\r\n")).concat();
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 6.6.6.6\r\n{forged}\r\n"
    )
}

#[tokio::test]
async fn forged_headers_reach_no_backend() {
    let stage = Stage::start(&one_route("")).await;
    let forge = |upgrade, name: &&str| Upgrade::with(upgrade, name, "6.6.6.6");
    let upgrade = FORGED.iter().fold(Upgrade::new("/socket"), forge);
    let upgrade = upgrade.set("Connection", "X-Hop, upgrade").with("X-Hop", "6.6.6.6");
    stage.client().await.upgrade(&upgrade).await.unwrap();
    let mut client = stage.client().await;
    client.send(plain("/plain").as_bytes()).await.unwrap();
    assert_eq!(client.response().await.unwrap().0.status().unwrap(), 200);
    for target in ["/socket", "/plain"] {
        let (_, recorded) = stage.backend.requested(target).await.unwrap();
        let head = &recorded.heads[0];
        assert!(!head.text().contains("6.6.6.6"), "{}", head.text());
        assert_eq!(head.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(head.all("x-forwarded-proto"), ["http"]);
        assert_eq!(head.all("forwarded"), ["for=127.0.0.1;host=\"localhost\";proto=http"]);
    }
    stage.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn the_handshake_with_the_backend_is_our_own() {
    let stage = Stage::start(&one_route("")).await;
    let upgrade = Upgrade::new("/socket")
        .with("Sec-WebSocket-Accept", "forged")
        .with("Sec-WebSocket-Extensions", "x-unknown; a=1, permessage-deflate")
        .with("Sec_WebSocket_Key", "Zm9yZ2VkIGZvcmdlZCBmbw==")
        .with("Sec-WebSocket-Protocol", "chat, mqtt");
    stage.client().await.upgrade(&upgrade).await.unwrap();
    let (_, recorded) = stage.backend.requested("/socket").await.unwrap();
    let head = &recorded.heads[0];
    let key = head.all("sec-websocket-key");
    assert!(key.len() == 1 && key[0] != "dGhlIHNhbXBsZSBub25jZQ==", "a key of our own: {key:?}");
    assert_eq!(head.all("sec-websocket-version"), ["13"]);
    assert_eq!(head.all("sec-websocket-extensions"), ["permessage-deflate"]);
    assert_eq!(head.all("sec-websocket-protocol"), ["chat, mqtt"]);
    assert_eq!(head.all("upgrade"), ["websocket"]);
    assert!(!head.text().contains("orged"), "{}", head.text());
    assert!(!head.text().contains("Zm9yZ2Vk"), "{}", head.text());
}

/// A target in absolute form names the host; what `Host` says besides counts for nothing (RFC 9112 section 3.2.2).
#[tokio::test]
async fn the_backend_is_told_one_host() {
    let stage = Stage::start(&one_route("")).await;
    let mut client = stage.client().await;
    client.send(b"GET http://named.example/plain HTTP/1.1\r\nHost: other.example\r\n\r\n").await.unwrap();
    client.head().await.unwrap();
    let (_, recorded) = stage.backend.requested("/plain").await.unwrap();
    assert_eq!(recorded.heads[0].all("host"), ["named.example"]);
    assert!(!recorded.heads[0].text().contains("other.example"));
    let two = b"GET /two HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n";
    stage.proof("/").bytes(two, 400).await.unwrap();
    stage.proof("/").bytes(b"GET /none HTTP/1.1\r\n\r\n", 400).await.unwrap();
}
