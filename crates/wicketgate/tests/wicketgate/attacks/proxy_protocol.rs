//! PROXY protocol headers: missing, malformed, or from somebody who is not trusted to send one.

use wicketgate_testkit::raw::{Endpoint, RawClient, Upgrade};

use super::{Stage, UPSTREAM};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Three listeners: the header required of us, required of others alone, optional for others alone.
async fn stage() -> Stage {
    let listener = |name: &str, mode: &str, from: &str| {
        format!(
            "- {{name: {name}, bind: LISTEN, timeouts: {{first_byte: 300ms}}, proxy_protocol: {{mode: {mode}, from: [{from}]}}}}\n"
        )
    };
    let config = format!(
        "listeners:\n{}{}{}{UPSTREAM}routes: [{{name: all, upstream: backend}}]\n",
        listener("trusted", "required", "127.0.0.0/8"),
        listener("strangers", "required", "10.0.0.0/8"),
        listener("optional", "optional", "10.0.0.0/8"),
    );
    Stage::start(&config).await
}

/// A client with a header of the load balancer's is served, and the backend hears the address that it told.
async fn served(stage: &Stage, header: &[u8], target: &str, told: &str) {
    let mut client = RawClient::connect(&stage.listener(0)).await.unwrap();
    let upgrade = Upgrade::new(target).with("X-Forwarded-For", "6.6.6.6");
    client.send(&[header, &upgrade.bytes()].concat()).await.unwrap();
    upgrade.check(&client.head().await.unwrap()).unwrap();
    client.echoes("behind a load balancer").await.unwrap();
    let (_, recorded) = stage.backend.requested(target).await.unwrap();
    assert_eq!(recorded.heads[0].all("x-forwarded-for"), [told]);
}

/// The connection ends without an answer or a request upstream.
async fn dropped(stage: &Stage, endpoint: &Endpoint, attack: &[u8]) {
    let before = stage.heads().len();
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.send(attack).await.ok();
    let answer = client.rest().await.unwrap();
    assert_eq!(answer, b"", "{}: {}", attack.escape_ascii(), answer.escape_ascii());
    assert_eq!(stage.heads().len(), before, "{}", attack.escape_ascii());
}

fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, body].concat()
}

#[tokio::test]
async fn a_missing_or_malformed_header_ends_the_connection() {
    let stage = stage().await;
    let upgrade = Upgrade::new("/attack").bytes();
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 0, 2];
    let with_request = |header: &[u8]| [header, &upgrade].concat();
    for (number, attack) in [
        upgrade.clone(),
        with_request(b"PROXY\r\n"),
        with_request(b"PROXY \r\n"),
        with_request(b"PROXY TCP4\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n"),
        with_request(b"PROXY TCP4 192.0.2.777 198.51.100.1 1 2\r\n"),
        with_request(b"PROXY TCP4 ::1 ::2 1 2\r\n"),
        with_request(b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n"),
        with_request(b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"),
        with_request(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n"),
        with_request(b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"),
        with_request(b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n"),
        with_request(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat()),
        with_request(&version_2(0x31, 0x11, &addresses)),
        with_request(&version_2(0x22, 0x11, &addresses)),
        with_request(&version_2(0x21, 0x12, &addresses)),
        with_request(&version_2(0x21, 0x77, &addresses)),
        with_request(&version_2(0x21, 0x11, &addresses[..11])),
        with_request(&version_2(0x21, 0x21, &addresses)),
        with_request(&version_2(0x21, 0x11, &[0; 5_000])),
        // Half a header, and then nothing.
        b"PROXY TCP4 192.0.2.7".to_vec(),
        version_2(0x21, 0x11, &addresses)[..20].to_vec(),
        Vec::new(),
    ]
    .into_iter()
    .enumerate()
    {
        dropped(&stage, &stage.listener(0), &attack).await;
        let target = format!("/honest?{number}");
        served(&stage, b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n", &target, "192.0.2.7").await;
    }
}

#[tokio::test]
async fn a_good_header_is_believed_from_the_load_balancer() {
    let stage = stage().await;
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 0, 2];
    served(&stage, b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "/six", "2001:db8::7").await;
    served(&stage, &version_2(0x21, 0x11, &addresses), "/two", "192.0.2.7").await;
    // One that speaks for itself.
    served(&stage, &version_2(0x20, 0x00, &[]), "/local", "127.0.0.1").await;
    served(&stage, b"PROXY UNKNOWN\r\n", "/unknown", "127.0.0.1").await;
}

#[tokio::test]
async fn a_header_from_a_stranger_is_never_believed() {
    let stage = stage().await;
    let forged = b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n";
    let upgrade = Upgrade::new("/attack");
    dropped(&stage, &stage.listener(1), &[&forged[..], &upgrade.bytes()].concat()).await;
    dropped(&stage, &stage.listener(1), &upgrade.bytes()).await;
    // Where it is optional, a stranger's is no header but a bad request.
    let before = stage.heads().len();
    let mut client = RawClient::connect(&stage.listener(2)).await.unwrap();
    client.send(&[&forged[..], &upgrade.bytes()].concat()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 400);
    assert_eq!(stage.heads().len(), before);
    let mut client = RawClient::open(&stage.listener(2), "/honest").await.unwrap();
    client.echoes("without a header").await.unwrap();
    let (_, recorded) = stage.backend.requested("/honest").await.unwrap();
    assert_eq!(recorded.heads[0].all("x-forwarded-for"), ["127.0.0.1"]);
}

/// Whatever is turned away before there is a request, and a request that no route takes, can be seen in the metrics.
#[tokio::test]
async fn what_is_turned_away_is_counted() {
    let config = format!(
        "listeners:
- {{name: required, bind: LISTEN, proxy_protocol: {{mode: required, from: [127.0.0.0/8]}}}}
- {{name: strangers, bind: LISTEN, proxy_protocol: {{mode: required, from: [10.0.0.0/8]}}}}
- {{name: plain, bind: LISTEN}}
admin: {{bind: LISTEN}}
{UPSTREAM}routes: [{{name: all, match: {{path: /chat}}, upstream: backend}}]
"
    );
    let stage = Stage::start(&config).await;
    let upgrade = Upgrade::new("/chat").bytes();
    dropped(&stage, &stage.listener(0), b"PROXY TCP4 nonsense\r\n").await;
    dropped(&stage, &stage.listener(0), &upgrade).await;
    dropped(&stage, &stage.listener(1), &upgrade).await;
    dropped(&stage, &stage.listener(2), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03").await;
    dropped(&stage, &stage.listener(2), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(asked(&stage.listener(2), "/nowhere").await.0, 404);
    let (status, metrics) = asked(&stage.listener(3), "/metrics").await;
    assert_eq!(status, 200);
    for reason in [
        "proxy_malformed",
        "proxy_missing",
        "proxy_untrusted",
        "tls_on_plain",
        "protocol_not_spoken",
        "no_route",
    ] {
        let line = format!("wicketgate_refusals_total{{reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{reason}: {metrics}");
    }
    assert!(metrics.contains("wicketgate_requests_total{route=\"\",status=\"404\"} 1\n"), "{metrics}");
    RawClient::open(&stage.listener(2), "/chat").await.unwrap().echoes("next").await.unwrap();
}

/// The status and all text of the answer to a plain request.
async fn asked(endpoint: &Endpoint, path: &str) -> (u16, String) {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client
        .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let text = String::from_utf8(client.rest().await.unwrap()).unwrap();
    (text[9..12].parse().unwrap(), text)
}
