//! Request smuggling: what two readers could take for two things is refused, or goes upstream as exactly one request.

use wicketgate_testkit::attack::Rejected;

use super::{Stage, one_route};

/// What a smuggler hopes that somebody takes for a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST /attack HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{body}")
}

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let stage = Stage::start(&one_route("")).await;
    let proof = stage.proof("/");
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "Content-Length:\r\n 5\r\n",
        " Content-Length: 5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "X-Folded: a\r\n Transfer-Encoding: chunked\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
        "X\0Y: a\r\n",
        "X Y: a\r\n",
        ": a\r\n",
        "no colon\r\n",
    ] {
        let attack = post(fields, &format!("0\r\n\r\n{SMUGGLED}"));
        let proven = proof.bytes(attack.as_bytes(), 400).await;
        proven.unwrap_or_else(|error| panic!("{}: {error:#}", fields.escape_default()));
    }
}

#[tokio::test]
async fn a_request_line_has_three_parts() {
    let stage = Stage::start(&one_route("")).await;
    let proof = stage.proof("/");
    for line in [
        "GET /attack",
        "GET  /attack HTTP/1.1",
        "GET /attack  HTTP/1.1",
        "GET /attack HTTP/1.1 HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /attack http/1.1",
        "GET /attack HTTP/1.2",
        "GET /attack HTTP/3.0",
        "GET\t/attack\tHTTP/1.1",
        "G(T /attack HTTP/1.1",
        "/attack HTTP/1.1",
        "GET /att\x01ack HTTP/1.1",
        " GET /attack HTTP/1.1",
    ] {
        let attack = format!("{line}\r\nHost: localhost\r\n\r\n");
        let proven = proof.bytes(attack.as_bytes(), 400).await;
        proven.unwrap_or_else(|error| panic!("{line}: {error:#}"));
    }
}

#[tokio::test]
async fn garbage_is_no_request() {
    let stage = Stage::start(&one_route("")).await;
    let proof = stage.proof("/");
    proof.bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400).await.unwrap();
    proof.bytes(&[0xff; 4096], 400).await.unwrap();
    proof.bytes(b"\0\0\0\0\0\0\0\0\r\n\r\n", 400).await.unwrap();
    // HTTP/2 and TLS where neither is spoken.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    proof.request_rejected(preface, Rejected::Dropped).await.unwrap();
    let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03";
    proof.request_rejected(hello, Rejected::Dropped).await.unwrap();
}

/// Sends `attack` and proves that at most the request for `/attack` came of it, its body framed in one way.
async fn one_request_at_most(stage: &Stage, attack: &str) {
    let before = stage.heads().len();
    let mut client = stage.client().await;
    client.send(attack.as_bytes()).await.unwrap();
    client.finish_writing().await.unwrap();
    let answers = client.rest().await.unwrap();
    stage.proof("/").honest().await.unwrap();
    let heads = stage.heads();
    let came = &heads[before..heads.len() - 1];
    let shown = attack.escape_default();
    assert!(came.len() <= 1, "{shown}: {came:#?}");
    for head in came {
        assert_eq!(head.target(), "/attack", "{shown}");
        let framings = head.all("content-length").len() + head.all("transfer-encoding").len();
        assert!(framings <= 1, "{shown}: {}", head.text());
    }
    let statuses = String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count();
    assert!(statuses <= 1, "{shown}: {}", answers.escape_ascii());
}

#[tokio::test]
async fn a_body_of_two_lengths_smuggles_nothing() {
    let stage = Stage::start(&one_route("")).await;
    let chunked = format!("0\r\n\r\n{SMUGGLED}");
    let length = chunked.len();
    let counted = format!("5\r\n0\r\n\r\n\r\n0\r\n\r\n{SMUGGLED}");
    for (fields, body) in [
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &chunked),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &chunked),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned(), &counted),
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\nContent-Length: 5\r\n"),
            &chunked,
        ),
        (format!("Transfer-Encoding: Chunked\r\nContent-Length: {length}\r\n"), &chunked),
        ("Transfer-Encoding: identity, chunked\r\nContent-Length: 3\r\n".to_owned(), &chunked),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n".to_owned(), &chunked),
    ] {
        one_request_at_most(&stage, &post(&fields, body)).await;
    }
}

#[tokio::test]
async fn broken_chunks_smuggle_nothing() {
    let stage = Stage::start(&one_route("")).await;
    for body in [
        format!("5;ext={}\r\nhello\r\n0\r\n\r\n{SMUGGLED}", "x".repeat(20_000)),
        format!("5;a\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        format!("5\nhello\n0\n\n{SMUGGLED}"),
        format!("5\r\nhello0\r\n\r\n{SMUGGLED}"),
        format!("G\r\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        format!("-5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        format!("0x5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        format!("FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n{SMUGGLED}"),
        format!("\r\n{SMUGGLED}"),
        format!("0\r\nContent-Length: 50\r\nX: y\r\n\r\n{SMUGGLED}"),
        format!("0\r\n{}\r\n{SMUGGLED}", "X: y\r\n".repeat(2_000)),
        "5\r\nhel".to_owned(),
    ] {
        one_request_at_most(&stage, &post("Transfer-Encoding: chunked\r\n", &body)).await;
    }
}

/// Line ends that some readers take and others do not: whatever we make of them, the backend gets CRLF.
#[tokio::test]
async fn bare_line_ends_are_not_passed_on() {
    let stage = Stage::start(&one_route("")).await;
    for attack in [
        "GET /attack HTTP/1.1\nHost: localhost\n\n".to_owned(),
        "\r\nGET /attack HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /attack HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n".to_owned(),
        "GET /attack HTTP/1.1\rHost: localhost\r\r".to_owned(),
        "GET /attack HTTP/1.1\r\nHost: localhost\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
    ] {
        one_request_at_most(&stage, &attack).await;
    }
    for recorded in stage.backend.recorded() {
        for head in recorded.heads {
            let text = head.text();
            assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{}", text.escape_default());
        }
    }
}
