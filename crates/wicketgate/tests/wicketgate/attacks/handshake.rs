//! Bent handshakes: each gets its status, and the backend never hears of it.

use wicketgate_testkit::raw::Upgrade;

use super::{Stage, one_route};

fn good() -> Upgrade {
    Upgrade::new("/attack")
}

async fn refused(attacks: impl IntoIterator<Item = (Upgrade, u16)>) {
    let stage = Stage::start(&one_route("")).await;
    let proof = stage.proof("/");
    for (attack, status) in attacks {
        let proven = proof.request(&attack, status).await;
        proven.unwrap_or_else(|error| panic!("{}: {error:#}", attack.bytes().escape_ascii()));
    }
}

#[tokio::test]
async fn another_version_than_13_is_told_which_is_spoken() {
    refused([
        (good().without("Sec-WebSocket-Version"), 426),
        (good().set("Sec-WebSocket-Version", "12"), 426),
        (good().set("Sec-WebSocket-Version", "13, 8"), 426),
        (good().set("Sec-WebSocket-Version", "013"), 426),
        (good().set("Sec-WebSocket-Version", "+13"), 426),
        (good().set("Sec-WebSocket-Version", ""), 426),
        (good().with("Sec-WebSocket-Version", "13"), 400),
        (good().with("Sec-WebSocket-Version", "8"), 400),
    ])
    .await;
    let stage = Stage::start(&one_route("")).await;
    let mut client = stage.client().await;
    client.send(&good().set("Sec-WebSocket-Version", "8").bytes()).await.unwrap();
    let head = client.head().await.unwrap();
    assert_eq!(head.all("sec-websocket-version"), ["13"]);
    assert_eq!(head.all("upgrade"), ["websocket"]);
}

#[tokio::test]
async fn a_key_is_16_bytes_in_base64_and_stands_once() {
    refused([
        (good().without("Sec-WebSocket-Key"), 400),
        (good().set("Sec-WebSocket-Key", ""), 400),
        (good().set("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ=="), 400),
        (good().set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSB0b28gbG9uZw=="), 400),
        (good().set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400),
        (good().set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR=="), 400),
        (good().set("Sec-WebSocket-Key", "!Ghl_HNhbXBsZSBub25jZQ=="), 400),
        (good().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), 400),
    ])
    .await;
}

#[tokio::test]
async fn only_a_whole_upgrade_to_websocket_is_one() {
    refused([
        (good().without("Connection"), 400),
        (good().set("Connection", "keep-alive"), 400),
        (good().set("Connection", "Upgrade, a b"), 400),
        (good().without("Upgrade"), 400),
        (good().set("Upgrade", "websocket, h2c"), 400),
        (good().with("Upgrade", "websocket"), 400),
        (good().with("Upgrade", "h2c"), 400),
        (good().set("Upgrade", "h2c"), 400),
        (good().set("Upgrade", "TLS/1.0"), 400),
        (good().set("Upgrade", "websocket/13"), 400),
        (good().set("Upgrade", ""), 400),
        (good().set("Upgrade", "h2c").with("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"), 400),
        (good().with("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"), 400),
        (good().set("Upgrade", "h2c").without("Sec-WebSocket-Key").without("Sec-WebSocket-Version"), 400),
    ])
    .await;
}

#[tokio::test]
async fn a_handshake_is_a_get_over_http_1_1_without_a_body() {
    refused([
        (good().method("POST"), 405),
        (good().method("HEAD"), 405),
        (good().method("OPTIONS"), 405),
        (good().with("Content-Length", "5"), 400),
        (good().with("Transfer-Encoding", "chunked"), 400),
        (good().version("HTTP/1.0"), 400),
        (good().version("HTTP/2.0"), 400),
        (good().version("HTTP/0.9"), 400),
        (Upgrade::new("localhost:80").method("CONNECT"), 405),
    ])
    .await;
}

#[tokio::test]
async fn there_is_one_host_and_the_target_agrees_with_it() {
    refused([
        (good().without("Host"), 400),
        (good().set("Host", ""), 400),
        (good().with("Host", "localhost"), 400),
        (good().with("Host", "elsewhere"), 400),
        (good().set("Host", "a b"), 400),
        (good().set("Host", "user@localhost"), 400),
        (good().set("Host", "localhost:port"), 400),
        (good().set("Host", "localhost/path"), 400),
        (good().set("Host", "localhost, elsewhere"), 400),
        (Upgrade::new("http://elsewhere/attack"), 400),
        (Upgrade::new("http://user@localhost/attack"), 400),
    ])
    .await;
}

#[tokio::test]
async fn connection_may_not_nominate_what_decisions_rest_on() {
    let names = [
        "X-Forwarded-For",
        "x_forwarded_for",
        "Forwarded",
        "X-Real-IP",
        "Authorization",
        "Cookie",
        "Host",
        "Origin",
        "Content-Length",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
    ];
    refused(names.map(|name| (good().set("Connection", &format!("Upgrade, {name}")), 400))).await;
}

#[tokio::test]
async fn offers_are_bounded_and_their_grammar_is_kept() {
    let extensions = |value: &str| good().with("Sec-WebSocket-Extensions", value);
    let subprotocols = |value: &str| good().with("Sec-WebSocket-Protocol", value);
    refused([
        (extensions(&"a".repeat(5_000)), 431),
        (extensions(&["a"; 100].join(",")), 431),
        (extensions(&",".repeat(1_000)), 431),
        (extensions(&format!("a{}", ";b".repeat(100))), 431),
        (subprotocols(&"a".repeat(5_000)), 431),
        (subprotocols(&["a"; 1_000].join(",")), 431),
        (extensions("permessage-deflate; client_max_window_bits=\"15"), 400),
        (extensions("permessage-deflate; client_max_window_bits="), 400),
        (extensions("permessage-deflate; =15"), 400),
        (extensions("permessage-deflate;"), 400),
        (extensions("; a"), 400),
        (extensions("a b"), 400),
        (extensions("a/b"), 400),
        (subprotocols("chat chat"), 400),
        (subprotocols("chat, chat"), 400),
        (subprotocols("chat\u{e9}"), 400),
        (subprotocols("\"chat\""), 400),
    ])
    .await;
}

/// Parameters out of range or unknown reach no backend that might take them at their word.
#[tokio::test]
async fn an_offer_of_compression_out_of_range_is_not_passed_on() {
    let stage = Stage::start(&super::both_modes("")).await;
    for (number, parameters) in [
        "client_max_window_bits=16",
        "client_max_window_bits=0",
        "client_max_window_bits=7",
        "client_max_window_bits=015",
        "client_max_window_bits=4294967305",
        "server_max_window_bits",
        "server_max_window_bits=99999999999999999999",
        "server_max_window_bits=-9",
        "server_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover",
        "unknown_parameter",
    ]
    .iter()
    .enumerate()
    {
        for mode in super::MODES {
            let target = format!("{mode}?{number}");
            let offer = format!("permessage-deflate; {parameters}");
            let upgrade = Upgrade::new(&target).with("Sec-WebSocket-Extensions", &offer);
            let mut client = stage.client().await;
            let head = client.upgrade(&upgrade).await.unwrap();
            assert_eq!(head.field("sec-websocket-extensions"), None, "{mode}: {offer}");
            let (_, recorded) = stage.backend.requested(&target).await.unwrap();
            assert_eq!(recorded.heads[0].field("sec-websocket-extensions"), None, "{mode}: {offer}");
            client.echoes("uncompressed").await.unwrap();
        }
    }
    stage.proof("/headers").honest().await.unwrap();
}

#[tokio::test]
async fn a_head_has_bounds() {
    let many = (0..101).fold(good(), |upgrade, number| upgrade.with(&format!("X-{number}"), "1"));
    refused([
        (many, 431),
        (good().with("X-Long", &"a".repeat(40_000)), 431),
        (good().with(&"X".repeat(40_000), "1"), 431),
        (Upgrade::new(&format!("/{}", "a".repeat(70_000))), 414),
    ])
    .await;
}

#[tokio::test]
async fn a_path_that_two_readers_could_take_for_two_things_is_refused() {
    let paths = [
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/..",
        "/../etc/passwd",
        "/a/../../b",
        "/%2e%2e/b",
        "/.%2e/b",
        "/a/..;/b",
        "/a%00b",
        "/a%0d%0ab",
        "/a%1fb",
        "/a%7fb",
        "/a%",
        "/a%4",
        "/a%zz",
        "*",
        "attack",
        "/a\u{e9}",
    ];
    refused(paths.map(|path| (Upgrade::new(path), 400))).await;
}
