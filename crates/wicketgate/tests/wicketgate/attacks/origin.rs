//! Pages of other origins, and clients whose side is not TLS where it has to be.

use wicketgate_testkit::raw::{Endpoint, RawClient, Upgrade};

use super::{Stage, UPSTREAM};

/// A plain listener, and one behind a proxy that tells of clients elsewhere.
async fn stage() -> Stage {
    let trusted = "trusted_proxies: {from: [127.0.0.1], header: x-forwarded-for, missing: proxy}";
    let route = |name: &str, admission: &str| {
        format!(
            "- {{name: {name}, match: {{path: /{name}}}, upstream: backend, admission: {{{admission}}}}}\n"
        )
    };
    let config = format!(
        "log: {{access: stdout}}\nlisteners:\n- {{name: plain, bind: LISTEN}}\n- {{name: proxied, bind: LISTEN, {trusted}}}\n\
         {UPSTREAM}routes:\n- {{name: chat, match: {{path: /chat}}, upstream: backend}}\n{}{}{}{}{}{}{}",
        route("list", "origin: {allow: [https://a.example, 'https://*.b.example:8443']}"),
        route("strict", "origin: {absent: refuse, null_origin: allow}"),
        route("any", "origin: any"),
        route("same", "origin: same"),
        route("required", "tls: required"),
        route("redirect", "tls: redirect"),
        route("optional", "tls: optional"),
    );
    Stage::start(&config).await
}

async fn answered(endpoint: &Endpoint, bytes: &[u8]) -> (u16, Option<String>) {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.send(bytes).await.unwrap();
    let head = client.head().await.unwrap();
    (head.status().unwrap(), head.all("location").first().cloned())
}

#[tokio::test]
async fn a_page_of_another_origin_opens_nothing() {
    let stage = stage().await;
    for (path, origins) in [
        ("/chat", &["https://evil.example"][..]),
        ("/chat", &["https://localhost"]),
        ("/chat", &["http://localhost:8080"]),
        ("/chat", &["http://localhost.evil.example"]),
        ("/chat", &["http://evil-localhost"]),
        ("/chat", &["http://localhost@evil.example"]),
        ("/chat", &["http://localhost/"]),
        ("/chat", &["null"]),
        ("/chat", &[""]),
        ("/chat", &["http://localhost", "https://evil.example"]),
        ("/chat", &["http://localhost", "http://localhost"]),
        ("/list", &["http://localhost"]),
        ("/list", &["https://a.example:8443"]),
        ("/list", &["https://a.example.evil.example"]),
        ("/list", &["https://b.example:8443"]),
        ("/list", &["https://xb.example:8443"]),
        ("/list", &["http://x.b.example:8443"]),
        ("/any", &["https://a.example", "https://b.example"]),
    ] {
        let attack = Upgrade::new(path).with("Cookie", "session=victim");
        let attack = origins.iter().fold(attack, |upgrade, origin| upgrade.with("Origin", origin));
        let proof = stage.proof(path);
        proof.request(&attack, 403).await.unwrap_or_else(|error| panic!("{path}, {origins:?}: {error:#}"));
    }
    stage.gateway.log("reason=\"origin\"").await.unwrap();
    let before = stage.heads().len();
    assert_eq!(answered(&stage.listener(0), &Upgrade::new("/strict").bytes()).await.0, 403);
    stage.gateway.log("reason=\"origin_missing\"").await.unwrap();
    assert_eq!(stage.heads().len(), before);
}

#[tokio::test]
async fn a_page_of_an_origin_that_is_allowed_is_served() {
    let stage = stage().await;
    for (path, origin) in [
        ("/chat", "http://localhost"),
        ("/chat", "HTTP://LOCALHOST:80"),
        ("/list", "https://a.example"),
        ("/list", "https://x.y.b.example:8443"),
        ("/strict", "http://localhost"),
        ("/strict", "null"),
        ("/any", "https://anybody.example"),
    ] {
        let mut client = stage.client().await;
        client.upgrade(&Upgrade::new(path).with("Origin", origin)).await.unwrap();
        client.echoes("hello").await.unwrap();
    }
    // Behind a proxy that ends TLS, the page's scheme is that of the client's side.
    let upgrade =
        Upgrade::new("/chat").with("X-Forwarded-For", "192.0.2.7").with("X-Forwarded-Proto", "https");
    let mut client = RawClient::connect(&stage.listener(1)).await.unwrap();
    client.upgrade(&upgrade.clone().with("Origin", "https://localhost")).await.unwrap();
    assert_eq!(
        answered(&stage.listener(1), &upgrade.with("Origin", "http://localhost").bytes()).await.0,
        403
    );
}

#[tokio::test]
async fn plain_requests_are_asked_for_their_origin_where_it_is_written() {
    let stage = stage().await;
    let request = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n"
        )
    };
    stage.proof("/same").bytes(request("/same").as_bytes(), 403).await.unwrap();
    assert_eq!(answered(&stage.listener(0), request("/chat").as_bytes()).await.0, 200);
}

#[tokio::test]
async fn a_session_over_the_network_needs_tls() {
    let stage = stage().await;
    let from = |path: &str, address: &str, proto: &str| {
        Upgrade::new(path).with("X-Forwarded-For", address).with("X-Forwarded-Proto", proto)
    };
    for (path, address, proto, status) in [
        ("/chat", "192.0.2.7", "http", 403),
        ("/chat", "192.0.2.7", "https", 101),
        ("/chat", "unknown", "http", 403),
        ("/chat", "127.0.0.9", "http", 101),
        ("/optional", "192.0.2.7", "http", 101),
        ("/required", "127.0.0.9", "http", 403),
        ("/required", "192.0.2.7", "https", 101),
        ("/redirect", "192.0.2.7", "http", 403),
    ] {
        let before = stage.heads().len();
        let found = answered(&stage.listener(1), &from(path, address, proto).bytes()).await.0;
        assert_eq!(found, status, "{path}, {address}, {proto}");
        assert_eq!(stage.heads().len() - before, usize::from(status == 101), "{path}, {address}, {proto}");
    }
    // No word about it is no TLS.
    let silent = Upgrade::new("/chat").with("X-Forwarded-For", "192.0.2.7");
    assert_eq!(answered(&stage.listener(1), &silent.bytes()).await.0, 403);
    stage.gateway.log("reason=\"tls_required\"").await.unwrap();
    stage.proof("/chat").honest().await.unwrap();
}

#[tokio::test]
async fn plain_requests_are_sent_to_tls() {
    let stage = stage().await;
    let request = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: A.example:8080\r\nContent-Length: 0\r\n\r\n")
    };
    let location = |path: &str| Some(format!("https://a.example{path}"));
    for (method, path, expected) in [
        ("GET", "/redirect?a=b", (308, location("/redirect?a=b"))),
        ("HEAD", "/redirect", (308, location("/redirect"))),
        ("POST", "/redirect", (403, None)),
        ("GET", "/required", (403, None)),
    ] {
        let before = stage.heads().len();
        assert_eq!(
            answered(&stage.listener(0), request(method, path).as_bytes()).await,
            expected,
            "{method} {path}"
        );
        assert_eq!(stage.heads().len(), before);
    }
    assert_eq!(answered(&stage.listener(0), request("GET", "/chat").as_bytes()).await.0, 200);
}
