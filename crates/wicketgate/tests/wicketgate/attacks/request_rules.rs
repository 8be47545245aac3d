//! What the OWASP Core Rule Set refuses of requests, as Debian packs it: in path, query, headers and cookies, over each version
//! of HTTP.

use std::time::Duration;

use http::Request;
use wicketgate_testkit::raw::{Ended, RawClient, Upgrade};

use super::http2::{answer, connect, connect_to};
use super::{Stage, UPSTREAM};

const FILES: &str = "setup: /etc/modsecurity/crs/crs-setup.conf, rules: /usr/share/modsecurity-crs/rules";
const SQL: &str = "1' UNION SELECT name, password FROM users--";
const SCRIPT: &str = "<script>alert(document.cookie)</script>";

/// Targets with an attack in path or query, and the rule that knows it.
const TARGETS: [(&str, (u64, &str, &str)); 6] = [
    ("/chat?q=1%27%20UNION%20SELECT%20name%2C%20password%20FROM%20users--", (942_100, "sqli", "ARGS:q")),
    ("/chat?room=7&q=%3Cscript%3Ealert(document.cookie)%3C/script%3E", (941_100, "xss", "ARGS:q")),
    ("/chat?%3Cscript%3Ealert(1)%3C/script%3E=1", (941_110, "xss", "ARGS_NAMES:<script>alert(1)</script>")),
    ("/chat?file=../../../../etc/passwd", (930_100, "path_traversal", "REQUEST_URI_RAW")),
    ("/chat/a/../../etc/passwd", (930_110, "path_traversal", "REQUEST_URI")),
    ("/chat/.git/config", (930_130, "path_traversal", "REQUEST_FILENAME")),
];

/// Headers with an attack in them.
const HEADERS: [(&str, &str); 5] = [
    ("User-Agent", SQL),
    ("User-Agent", SCRIPT),
    ("Referer", SQL),
    ("Cookie", "sid=3f9a1c; theme=1' UNION SELECT name, password FROM users--"),
    ("X-File", "../../../../etc/passwd"),
];

fn config(more: &str) -> String {
    format!(
        "listeners: [{{bind: LISTEN, protocols: [http/1.1, h2]}}]\n{UPSTREAM}log: {{format: json}}\nadmin: {{bind: LISTEN}}\n\
         routes: [{{name: all, upstream: backend, admission: {{crs: {{{FILES}{more}}}}}}}]\n"
    )
}

/// The event of a finding by this rule, of this class, in this variable, has all these words.
async fn is_told(stage: &Stage, (rule, class, variable): (u64, &str, &str), words: &[&str]) {
    let process = stage.gateway.process();
    let finding = format!("\"rule\":\"{rule}\",\"class\":\"{class}\",\"path\":\"{variable}\"");
    let line = process.line(&finding, Duration::from_secs(10)).await.unwrap();
    let has = |word: &&str| line.contains(*word);
    assert!(line.contains("admission.finding") && words.iter().all(has), "{words:?}: {line}");
}

async fn metrics(stage: &Stage) -> String {
    let mut client = RawClient::connect(&stage.listener(1)).await.unwrap();
    client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    String::from_utf8(client.response().await.unwrap().1).unwrap()
}

#[tokio::test]
async fn no_part_of_a_request_hides_an_attack() {
    let stage = Stage::start(&config("")).await;
    let proof = stage.proof("/chat");
    for (target, found) in TARGETS {
        proof.request(&Upgrade::new(target), 403).await.unwrap_or_else(|error| panic!("{target}: {error:#}"));
        is_told(&stage, found, &["\"action\":\"refused\"", "\"route\":\"all\"", "\"client\":\"127.0.0.1\""])
            .await;
        let plain = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        proof.bytes(plain.as_bytes(), 403).await.unwrap_or_else(|error| panic!("{target}: {error:#}"));
    }
    for (name, value) in HEADERS {
        let attack = Upgrade::new("/chat").with(name, value);
        proof.request(&attack, 403).await.unwrap_or_else(|error| panic!("{name}: {value}: {error:#}"));
        let plain =
            format!("POST /chat HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n");
        proof.bytes(plain.as_bytes(), 403).await.unwrap_or_else(|error| panic!("{name}: {value}: {error:#}"));
    }
    let agent = (942_100, "sqli", "REQUEST_HEADERS:user-agent");
    is_told(&stage, agent, &["\"mode\":\"enforce\""]).await;
    is_told(
        &stage,
        (942_100, "sqli", "REQUEST_COOKIES:theme"),
        &["\"excerpt\":\"LECT xxxx, xxxxxxxx xxxx xxxrs--\""],
    )
    .await;
    assert!(!stage.gateway.process().output().contains("password"), "an excerpt is masked");
    let metrics = metrics(&stage).await;
    assert!(metrics.contains("wicketgate_refusals_total{reason=\"crs\"} 22\n"), "{metrics}");
    let counted = "wicketgate_findings_total{route=\"all\",direction=\"to_upstream\",step=\"admission.crs\",class=\"sqli\",action=\"refused\"}";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn http_2_hides_no_attack() {
    let stage = Stage::start(&config("")).await;
    let (mut client, _driver) = connect(&stage).await;
    let before = stage.heads().len();
    let plain = |target: &str| Request::get(format!("http://localhost{target}")).body(()).unwrap();
    for (target, _) in TARGETS {
        for request in [plain(target), connect_to(target, Some("websocket"))] {
            let shown = format!("{request:?}");
            assert_eq!(answer(&mut client, request).await.status(), 403, "{shown}");
        }
    }
    for (name, value) in HEADERS {
        for mut request in [plain("/chat"), connect_to("/chat", Some("websocket"))] {
            request.headers_mut().insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
            let shown = format!("{request:?}");
            assert_eq!(answer(&mut client, request).await.status(), 403, "{shown}");
        }
    }
    assert_eq!(stage.heads().len(), before, "nothing was forwarded");
    assert_eq!(answer(&mut client, plain("/chat?q=a+menu+to+select+from")).await.status(), 200);
    assert_eq!(answer(&mut client, connect_to("/chat", Some("websocket"))).await.status(), 200);
    stage.proof("/chat").honest().await.unwrap();
}

#[tokio::test]
async fn more_than_is_looked_at_is_refused() {
    let stage = Stage::start(&config(", max_arguments: 100, budget: 64")).await;
    let proof = stage.proof("/chat");
    let many = format!("/chat?{}", "a&".repeat(101));
    proof.request(&Upgrade::new(&many), 403).await.unwrap();
    let cookies = Upgrade::new("/chat").with("Cookie", &"a;".repeat(101));
    proof.request(&cookies, 403).await.unwrap();
    let metrics = metrics(&stage).await;
    assert!(metrics.contains("wicketgate_refusals_total{reason=\"crs_budget\"} 2\n"), "{metrics}");
}

/// What browsers and libraries send with a handshake, beside what all of them have to.
const HONEST: [(&str, &[(&str, &str)]); 6] = [
    (
        "/chat?room=general&name=Ann+O%27Neill&lang=en-GB",
        &[
            (
                "User-Agent",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            ),
            ("Pragma", "no-cache"),
            ("Cache-Control", "no-cache"),
            ("Accept-Encoding", "gzip, deflate, br, zstd"),
            ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"),
            ("Cookie", "_ga=GA1.1.1203948712.1700000000; sid=s%3Aq2Yx0o.8dPz1Q%2BvA; theme=dark"),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ],
    ),
    (
        "/chat",
        &[
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
            ("Accept", "*/*"),
            ("Accept-Language", "en-US,en;q=0.5"),
            ("Accept-Encoding", "gzip, deflate, br, zstd"),
            ("Sec-Fetch-Dest", "empty"),
            ("Sec-Fetch-Mode", "websocket"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ],
    ),
    (
        "/socket.io/?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYWAAAC",
        &[("User-Agent", "node-XMLHttpRequest")],
    ),
    ("/chat", &[("User-Agent", "curl/8.5.0"), ("Accept", "*/*")]),
    (
        "/chat?since=2026-11-28T10:00:00Z&filter=kind:(note%7Ctask)",
        &[("User-Agent", "Python/3.12 websockets/14.1")],
    ),
    (
        "/graphql",
        &[
            ("User-Agent", "Go-http-client/1.1"),
            ("Sec-WebSocket-Protocol", "graphql-transport-ws, graphql-ws"),
        ],
    ),
];

#[tokio::test]
async fn what_browsers_and_libraries_send_passes() {
    let stage = Stage::start(&config("")).await;
    for (target, headers) in HONEST {
        let mut request = Upgrade::new(target);
        for (name, value) in headers {
            request = request.with(name, value);
        }
        let mut client = stage.client().await;
        client.send(&request.bytes()).await.unwrap();
        let status = client.head().await.unwrap().status().unwrap();
        assert_eq!(status, 101, "{target}: {headers:?}; {}", stage.gateway.process().output());
    }
    let plain = "GET /chat?q=select+a+menu HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";
    let mut client = stage.client().await;
    client.send(plain.as_bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 200);
    assert!(!metrics(&stage).await.contains("reason=\"crs\""));
}

#[tokio::test]
async fn rules_observe_and_a_reload_enforces_them() {
    let stage = Stage::start(&config(", mode: observe")).await;
    let attack = Upgrade::new(TARGETS[0].0);
    let mut client = stage.client().await;
    client.upgrade(&attack).await.unwrap();
    client.echoes("it goes on").await.unwrap();
    let score = (949_110, "crs", "TX:anomaly_score");
    is_told(&stage, score, &["\"action\":\"recorded\"", "\"mode\":\"observe\""]).await;
    assert!(metrics(&stage).await.contains("step=\"admission.crs\",class=\"sqli\",action=\"recorded\"}"));
    let now = std::fs::read_to_string(stage.gateway.config()).unwrap();
    let next = now.replace(", mode: observe", ", exclude: [{rules: [941100]}]");
    stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    let proof = stage.proof("/chat");
    proof.request(&attack, 403).await.unwrap();
    // Who is there stays: rules are asked about requests.
    client.echoes("still there").await.unwrap();
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    let next = now.replace(", mode: observe", ", threshold: 10000");
    stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    stage.client().await.upgrade(&attack).await.unwrap();
}

/// Rules are asked before anybody has to prove who they are, and behind what is cheaper.
#[tokio::test]
async fn rules_come_behind_the_origin_and_before_the_identity() {
    let admission = format!("admission: {{authentication: {{any: [people]}}, crs: {{{FILES}}}}}");
    let stage = Stage::start(&format!(
        "listeners: [{{bind: LISTEN}}]\n{UPSTREAM}admin: {{bind: LISTEN}}\nauthentication:\n- name: people\n  \
         jwt: {{issuer: test, audience: chat, keys: {{secret: {{value: 0123456789abcdef0123456789abcdef}}}}}}\n\
         routes:\n- {{name: open, match: {{path: /open}}, upstream: backend}}\n- {{name: all, upstream: backend, {admission}}}\n"
    ))
    .await;
    let proof = stage.proof("/open");
    proof.request(&Upgrade::new(TARGETS[0].0).with("Origin", "https://evil.example"), 403).await.unwrap();
    let counted = metrics(&stage).await;
    assert!(counted.contains("reason=\"origin\"} 1") && !counted.contains("reason=\"crs\""), "{counted}");
    proof.request(&Upgrade::new(TARGETS[0].0), 403).await.unwrap();
    assert!(metrics(&stage).await.contains("reason=\"crs\"} 1"));
    proof.request(&Upgrade::new("/chat"), 401).await.unwrap();
}
