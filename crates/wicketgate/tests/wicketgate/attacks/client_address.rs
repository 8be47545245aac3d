//! Words about the client in headers: believed from trusted proxies alone, and from them only where they can be read.

use wicketgate_testkit::raw::{Endpoint, RawClient, Upgrade};

use super::{Stage, UPSTREAM};

/// A listener for each header, all trusted; then one whose proxies are elsewhere. Two routes ask for a network.
async fn stage() -> Stage {
    let mut listeners = String::new();
    for (name, header, from) in [
        ("xff", "x-forwarded-for", "127.0.0.0/8, 10.0.0.0/8"),
        ("forwarded", "forwarded", "127.0.0.0/8, 10.0.0.0/8"),
        ("cloudflare", "cf-connecting-ip", "127.0.0.0/8"),
        ("akamai", "true-client-ip", "127.0.0.0/8"),
        ("elsewhere", "x-forwarded-for", "10.0.0.0/8"),
    ] {
        let trusted = format!("trusted_proxies: {{from: [{from}], header: {header}, missing: proxy}}");
        listeners.push_str(&format!("- {{name: {name}, bind: LISTEN, {trusted}}}\n"));
    }
    let config = format!(
        "log: {{access: stdout}}\nlisteners:\n{listeners}\
         - {{name: strict, bind: LISTEN, trusted_proxies: {{from: [127.0.0.1], header: x-forwarded-for}}}}\n\
         {UPSTREAM}routes:\n\
         - {{name: all, upstream: backend}}\n\
         - {{name: inside, match: {{path: /inside}}, upstream: backend,\n    \
             admission: {{networks: {{allow: [127.0.0.0/8, 192.0.2.0/24], deny: [192.0.2.66]}}}}}}\n"
    );
    Stage::start(&config).await
}

/// The request as a proxy sends it, and what it says of the client.
async fn served(
    endpoint: &Endpoint,
    stage: &Stage,
    target: &str,
    lines: &[(&str, &str)],
    expected: (&str, &str),
) {
    let upgrade = lines.iter().fold(Upgrade::new(target), |upgrade, (name, value)| upgrade.with(name, value));
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.upgrade(&upgrade).await.unwrap();
    client.echoes("behind a proxy").await.unwrap();
    let (_, recorded) = stage.backend.requested(target).await.unwrap();
    let head = &recorded.heads[0];
    let (address, proto) = expected;
    assert_eq!(head.all("x-forwarded-for"), [address], "{lines:?}");
    assert_eq!(head.all("x-forwarded-proto"), [proto], "{lines:?}");
    assert_eq!(head.all("forwarded"), [format!("for={address};host=\"localhost\";proto={proto}")]);
    for gone in ["cf-connecting-ip", "true-client-ip"] {
        assert_eq!(head.all(gone), [""; 0]);
    }
    let line = stage.gateway.log(&format!("path=\"{}\"", target.split('?').next().unwrap())).await.unwrap();
    assert!(line.contains(&format!("client={address} ")), "{line}");
}

#[tokio::test]
async fn a_trusted_proxys_word_is_believed() {
    let stage = stage().await;
    let https = ("X-Forwarded-Proto", "https");
    let xff = |list| [("X-Forwarded-For", list), https];
    served(&stage.listener(0), &stage, "/a", &xff("6.6.6.6, 192.0.2.7, 10.1.1.1"), ("192.0.2.7", "https"))
        .await;
    served(&stage.listener(0), &stage, "/b", &xff("6.6.6.6,garbage, 192.0.2.8:500"), ("192.0.2.8", "https"))
        .await;
    let forwarded =
        [("Forwarded", "for=6.6.6.6;x=\""), ("Forwarded", "for=\"192.0.2.9:1\";proto=https, for=10.0.0.1")];
    served(&stage.listener(1), &stage, "/c", &forwarded, ("192.0.2.9", "https")).await;
    served(
        &stage.listener(2),
        &stage,
        "/d",
        &[("CF-Connecting-IP", "192.0.2.10"), https],
        ("192.0.2.10", "https"),
    )
    .await;
    served(
        &stage.listener(3),
        &stage,
        "/e",
        &[("True-Client-IP", "192.0.2.11"), https],
        ("192.0.2.11", "https"),
    )
    .await;
    // One that speaks for itself.
    served(&stage.listener(0), &stage, "/f", &[], ("127.0.0.1", "http")).await;
}

#[tokio::test]
async fn nobody_elses_word_is_believed() {
    let stage = stage().await;
    let forged = [
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=192.0.2.7;proto=https"),
        ("CF-Connecting-IP", "192.0.2.7"),
        ("True-Client-IP", "192.0.2.7"),
    ];
    // Garbage from a stranger is none of ours either.
    let garbage = [("X-Forwarded-For", "garbage"), ("X-Forwarded-Proto", "x"), ("X-Forwarded-Proto", "y")];
    served(&stage.listener(4), &stage, "/a", &forged, ("127.0.0.1", "http")).await;
    served(&stage.listener(4), &stage, "/b", &garbage, ("127.0.0.1", "http")).await;
    // A trusted proxy is heard by the header that was agreed on, and by no other.
    served(&stage.listener(2), &stage, "/c", &[forged[0], forged[2], forged[4]], ("127.0.0.1", "http")).await;
}

#[tokio::test]
async fn garbage_of_a_trusted_proxy_is_a_bad_request() {
    let stage = stage().await;
    let attack = |lines: &[(&str, &str)]| {
        lines.iter().fold(Upgrade::new("/attack"), |upgrade, (name, value)| upgrade.with(name, value))
    };
    for (number, lines) in [
        (0, &[("X-Forwarded-For", "garbage")][..]),
        (0, &[("X-Forwarded-For", "")]),
        (0, &[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "192.0.2.7,")]),
        (
            0,
            &[
                ("X-Forwarded-For", "192.0.2.7"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Proto", "http"),
            ],
        ),
        (0, &[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "gopher")]),
        (1, &[("Forwarded", "for=192.0.2.7;host=\"x, for=6.6.6.6\"")]),
        (1, &[("Forwarded", "for=192.0.2.7;for=192.0.2.8")]),
        (1, &[("Forwarded", "192.0.2.7")]),
        (2, &[("CF-Connecting-IP", "192.0.2.7"), ("CF-Connecting-IP", "192.0.2.8")]),
        (2, &[("CF-Connecting-IP", "192.0.2.7, 192.0.2.8")]),
        (3, &[("True-Client-IP", "192.0.2.7:80")]),
        (3, &[("True-Client-IP", "192.0.2.7"), ("True-Client-IP", "192.0.2.7")]),
    ] {
        let proof = wicketgate_testkit::attack::AttackProof::new(stage.listener(number), &stage.backend, "/");
        proof.request(&attack(lines), 400).await.unwrap_or_else(|error| panic!("{lines:?}: {error:#}"));
    }
    // Where a proxy's own requests are not expected, one without the header may be a client's that got it dropped.
    let before = stage.heads().len();
    let mut client = RawClient::connect(&stage.listener(5)).await.unwrap();
    client.send(&Upgrade::new("/attack").bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 400);
    assert_eq!(stage.heads().len(), before);
}

#[tokio::test]
async fn only_the_networks_of_a_route_may_use_it() {
    let stage = stage().await;
    let proof = stage.proof("/inside");
    let from = |address: &str| {
        Upgrade::new("/inside").with("X-Forwarded-For", address).with("X-Forwarded-Proto", "https")
    };
    for address in ["203.0.113.5", "192.0.2.66", "2001:db8::1", "unknown", "192.0.2.7, 203.0.113.5"] {
        proof.request(&from(address), 403).await.unwrap_or_else(|error| panic!("{address}: {error:#}"));
        let plain = format!("GET /inside HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n");
        proof.bytes(plain.as_bytes(), 403).await.unwrap();
    }
    // Many clients on one connection: each request is judged by itself.
    let mut client = stage.client().await;
    for (address, status) in [("192.0.2.7", 200), ("203.0.113.5", 403), ("192.0.2.8", 200)] {
        let request = format!("GET /inside HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n");
        client.send(request.as_bytes()).await.unwrap();
        assert_eq!(client.response().await.unwrap().0.status().unwrap(), status, "{address}");
    }
    let allowed = from("203.0.113.5, 192.0.2.7");
    stage.client().await.upgrade(&allowed).await.unwrap();
}
