//! An attack proof passes for a gateway that does its part, and for no other. HAProxy and the backend itself stand in for one.

use wicketgate_testkit::{
    attack::{AttackProof, Rejected},
    peers::{Hop, Intermediary},
    raw::{Answer, Endpoint, Frame, RawClient, RecordingBackend, Upgrade},
};

const KEY: [u8; 4] = [1, 2, 3, 4];

#[tokio::test]
async fn haproxy_turns_away_what_is_no_http() {
    let backend = RecordingBackend::start().await.unwrap();
    let proxy = Intermediary::Haproxy.start(&Hop::plain(backend.addr().unwrap())).await.unwrap();
    let proof = AttackProof::new(Endpoint::plain(proxy.addr()), &backend, "/");
    proof
        .bytes(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400)
        .await
        .unwrap();
    // It passes this on, as its rules say: the proof must see it.
    let error =
        proof.request(&Upgrade::new("/attack").set("Sec-WebSocket-Version", "7"), 101).await.unwrap_err();
    assert!(error.to_string().contains("the backend got GET /attack"), "{error}");
    let error = proof.bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400).await.unwrap_err();
    assert!(error.to_string().contains("Status(200) instead of Status(400)"), "{error}");
}

#[tokio::test]
async fn what_a_blind_proxy_forwards_is_seen() {
    let backend = RecordingBackend::start().await.unwrap();
    let proxy = Intermediary::Haproxy.start(&Hop::plain(backend.addr().unwrap())).await.unwrap();
    let proof = AttackProof::new(Endpoint::plain(proxy.addr()), &backend, "/chat");
    // The backend closes, not the proxy: rejected, but forwarded all the same.
    let error = proof.frames(&[Frame::new(3, "reserved").masked(KEY)], 1002).await.unwrap_err();
    assert!(error.to_string().contains("the backend got"), "{error}");
    let lawful = [Frame::text("lawful").masked(KEY)];
    let bytes = [lawful[0].bytes(), Frame::close(1002, "").masked(KEY).bytes()].concat();
    proof.session(&bytes, Rejected::Closed(1002), &lawful).await.unwrap();
    assert!(proof.session(&bytes, Rejected::Closed(1002), &[]).await.is_err());
    assert!(proof.session(&bytes, Rejected::Closed(1009), &lawful).await.is_err());
}

#[tokio::test]
async fn a_proof_fails_where_the_next_client_is_not_served() {
    let backend = RecordingBackend::answering(|_| Answer::BytesThenEnd(b"HTTP/1.1 400 Bad\r\n\r\n".to_vec()))
        .await
        .unwrap();
    let proof = AttackProof::new(Endpoint::plain(backend.addr().unwrap()), &backend, "/");
    let error = proof.bytes(b"nonsense\r\n\r\n", 400).await.unwrap_err();
    assert!(format!("{error:#}").contains("honest client was not served"), "{error:#}");
}

#[tokio::test]
async fn a_backend_records_and_answers_as_scripted() {
    let backend = RecordingBackend::answering(|head| match head.target().as_str() {
        "/ws" => Answer::Accept,
        "/bad" => Answer::Bytes(b"HTTP/1.1 101 Hello\r\n\r\n".to_vec()),
        _ => Answer::response("404 Not Found", "none"),
    });
    let backend = backend.await.unwrap();
    let endpoint = Endpoint::plain(backend.addr().unwrap());
    let mut client = RawClient::connect(&endpoint).await.unwrap();
    for _ in 0..2 {
        client.send(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
        let (head, body) = client.response().await.unwrap();
        assert_eq!((head.status().unwrap(), body.as_slice()), (404, b"none".as_slice()));
    }
    let (_, recorded) = backend.requested("/x").await.unwrap();
    assert_eq!((recorded.heads.len(), recorded.after.as_slice()), (2, b"abc".as_slice()));
    assert!(RawClient::open(&endpoint, "/bad").await.is_err());

    let mut client = RawClient::open(&endpoint, "/ws").await.unwrap();
    client.send_text("to be recorded").await.unwrap();
    let (number, recorded) =
        backend.until("a frame", |recorded| !recorded.frames().is_empty()).await.unwrap();
    assert_eq!(recorded.frames()[0].payload, b"to be recorded");
    backend.send_frame(number, &Frame::text("ordered")).unwrap();
    assert_eq!(client.message().await.unwrap().1, b"ordered");
    backend.end(number).unwrap();
    assert_eq!(client.rest().await.unwrap(), b"");
    backend.stop().await.unwrap();
}
