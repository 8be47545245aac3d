//! What spans say, and how they belong to each other.

use serde_json::{Value, json};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::peers::collector::Collector;
use wicketgate_testkit::raw::{RawClient, Upgrade};
use wicketgate_testkit::tls::Authority;

use super::{Stage, traced};

/// The values of OTLP's enumeration.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

fn has(span: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&span["attributes"][key], value, "{key}: {span}");
    }
}

#[tokio::test]
async fn a_request_has_spans_for_itself_its_admission_and_its_upstream() {
    let (collector, stage) = traced().await;
    assert_eq!(stage.request(&stage.outer(), "/plain?secret=1", "").await, 200);
    let request = collector.spans("GET chat", 1).await.unwrap().remove(0);
    assert_eq!((&request["kind"], &request["parent"]), (&SERVER.into(), &"".into()));
    let backend = stage.backend.addr().unwrap();
    has(
        &request,
        &json!({
            "http.request.method": "GET", "url.path": "/plain", "url.scheme": "http", "server.address": "localhost",
            "server.port": 8443, "network.protocol.version": "1.1", "http.response.status_code": 200,
            "wicketgate.listener": "outer", "wicketgate.route": "chat", "client.address": null, "error.type": null,
        }),
    );
    assert_eq!(request["resource"]["service.name"], "wicketgate");
    assert!(!request.to_string().contains("secret"), "{request}");
    for (name, kind) in [("admission", INTERNAL), ("upstream", CLIENT)] {
        let child = collector.spans(name, 1).await.unwrap().remove(0);
        assert_eq!((&child["trace"], &child["parent"]), (&request["trace"], &request["span"]), "{name}");
        assert_eq!(child["kind"], kind, "{name}");
        assert!(child["nanos"].as_u64() <= request["nanos"].as_u64(), "{name}");
    }
    let upstream = collector.spans("upstream", 1).await.unwrap().remove(0);
    has(
        &upstream,
        &json!({
            "wicketgate.upstream": "backend", "server.address": "127.0.0.1", "server.port": backend.port(),
            "http.request.method": "GET", "http.response.status_code": 200,
        }),
    );
    // The upstream's own spans belong to ours.
    let header =
        format!("00-{}-{}-01", upstream["trace"].as_str().unwrap(), upstream["span"].as_str().unwrap());
    assert_eq!(stage.told("/plain?secret=1", "traceparent").await, [header]);
    let line = stage.line("\"kind\":\"request\"").await;
    assert_eq!(line["trace_id"], request["trace"]);
}

#[tokio::test]
async fn a_session_has_a_span_from_its_opening_to_its_end() {
    let (collector, stage) = traced().await;
    stage.session(&stage.outer()).await;
    let session = collector.spans("session chat", 1).await.unwrap().remove(0);
    let request = collector.spans("GET chat", 1).await.unwrap().remove(0);
    assert_eq!((&session["trace"], &session["parent"]), (&request["trace"], &request["span"]));
    has(&request, &json!({"http.response.status_code": 101}));
    has(
        &session,
        &json!({
            "network.protocol.name": "websocket", "wicketgate.route": "chat", "wicketgate.end": "closed",
            "wicketgate.ended_by": "client", "wicketgate.close_code": 1000, "wicketgate.client.messages": 1,
            "wicketgate.upstream.messages": 1, "wicketgate.dropped": 0,
        }),
    );
    let traced = request["trace"].as_str().unwrap();
    for text in ["\"kind\":\"session\"", "\"event\":\"session.closed\"", "\"event\":\"admission.admitted\""] {
        assert_eq!(stage.line(text).await["trace_id"], traced, "{text}");
    }
    let upstream = collector.spans("upstream", 1).await.unwrap().remove(0);
    has(&upstream, &json!({"http.response.status_code": 101}));
    let [header] = &*stage.told("/session", "traceparent").await else { panic!("one header") };
    assert!(header.contains(upstream["span"].as_str().unwrap()), "{header} {upstream}");
}

#[tokio::test]
async fn what_is_refused_or_fails_says_why() {
    let (collector, stage) = traced().await;
    let foreign = Upgrade::new("/foreign").with("Origin", "https://evil.example");
    let mut client = RawClient::connect(&stage.outer()).await.unwrap();
    client.send(&foreign.bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 403);
    let refused = collector.spans("GET chat", 1).await.unwrap().remove(0);
    has(
        &refused,
        &json!({"wicketgate.refusal": "origin", "http.response.status_code": 403, "error.type": null}),
    );
    assert_eq!(refused["failed"], false, "the client's mistakes are not the server's");
    has(&collector.spans("admission", 1).await.unwrap()[0], &json!({"wicketgate.refusal": "origin"}));
    // The audit event: an access line has the status first.
    let line = stage.line("\"reason\":\"origin\",\"status\":403").await;
    assert_eq!(line["trace_id"], refused["trace"]);
    assert_eq!(stage.request(&stage.outer(), "/broken", "").await, 503);
    let broken = collector.spans("GET chat", 2).await.unwrap().remove(1);
    has(&broken, &json!({"http.response.status_code": 503, "error.type": "503"}));
    let upstream = collector.spans("upstream", 1).await.unwrap().remove(0);
    assert_eq!((&upstream["failed"], &broken["failed"]), (&true.into(), &true.into()));
    // A method that nobody knows does not make a name of its own.
    let mut client = RawClient::connect(&stage.outer()).await.unwrap();
    client.send(b"BREW /pot HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    client.response().await.unwrap();
    let other = collector.spans("HTTP chat", 1).await.unwrap().remove(0);
    has(&other, &json!({"http.request.method": "_OTHER", "http.request.method_original": "BREW"}));
}

#[tokio::test]
async fn a_collector_by_tls_gets_its_secret_header_and_nobody_else_does() {
    let (authority, dir) = (Authority::new().unwrap(), Dir::new().unwrap());
    let collector = Collector::start(Some(&authority.localhost().unwrap())).await.unwrap();
    let secret = dir.write("token", "Bearer 5ecret-of-the-collector\n").unwrap();
    let stage = Stage::with(&format!(
        "telemetry:\n  otlp: {{url: '{}', ca: '{}', headers: {{authorization: {{file: '{}'}}}}}}\n  \
         attributes: {{service.name: gate, deployment.environment.name: test}}\n  traces: {{client_address: true}}\n",
        collector.url(),
        authority.ca_file().display(),
        secret.display()
    ))
    .await;
    let from = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(stage.request(&stage.inner(), "/", from).await, 200);
    let request = collector.spans("GET chat", 1).await.unwrap().remove(0);
    has(&request, &json!({"client.address": "192.0.2.7", "url.scheme": "https"}));
    assert_eq!(request["resource"]["service.name"], "gate");
    assert_eq!(request["resource"]["deployment.environment.name"], "test");
    let headers = collector.headers().await.unwrap();
    assert_eq!(headers["authorization"], "Bearer 5ecret-of-the-collector");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let (_, output) = stage.gateway.drain(std::time::Duration::from_secs(10)).await.unwrap();
    assert!(output.contains("\"listening\"") && !output.contains("5ecret"), "{output}");
}

#[tokio::test]
async fn what_waits_when_the_process_ends_is_still_sent() {
    let (collector, stage) = traced().await;
    let mut open = RawClient::open(&stage.outer(), "/session").await.unwrap();
    open.echoes("hello").await.unwrap();
    let client = tokio::spawn(async move { open.ended().await });
    let (status, output) = stage.gateway.drain(std::time::Duration::from_secs(10)).await.unwrap();
    assert!(status.success(), "{output}");
    client.await.unwrap().unwrap();
    let session = collector.spans("session chat", 1).await.unwrap().remove(0);
    has(&session, &json!({"wicketgate.end": "drained", "wicketgate.ended_by": "gateway"}));
}
