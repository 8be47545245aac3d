//! Clients that are slow on purpose: each wait has its end.

use std::time::{Duration, Instant};

use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::Upgrade;

use super::{Stage, UPSTREAM, both_modes};

/// No wait of these tests is longer than this by far.
const BOUND: Duration = Duration::from_secs(5);

fn impatient() -> String {
    format!(
        "listeners: [{{bind: LISTEN, timeouts: {{first_byte: 300ms, head: 300ms, idle: 300ms, body: 300ms}}}}]\n\
         {UPSTREAM}routes: [{{name: all, upstream: backend}}]\n"
    )
}

#[tokio::test]
async fn a_head_that_does_not_end_is_answered_408() {
    let stage = Stage::start(&impatient()).await;
    let proof = stage.proof("/");
    let start = Instant::now();
    let whole = Upgrade::new("/attack").bytes();
    for length in [1, 4, 20, whole.len() - 4, whole.len() - 2, whole.len() - 1] {
        let proven = proof.bytes(&whole[..length], 408).await;
        proven.unwrap_or_else(|error| panic!("{length}: {error:#}"));
    }
    assert!(start.elapsed() < BOUND);
}

/// The deadline is for the head whole: a byte now and then does not move it on.
#[tokio::test]
async fn a_head_that_dribbles_is_answered_408() {
    let stage = Stage::start(&impatient()).await;
    let mut client = stage.client().await.patience(Duration::from_millis(100));
    let start = Instant::now();
    client.send(b"GET /attack HTTP/1.1\r\nHost: localhost\r\nX: ").await.unwrap();
    let head = loop {
        // Each round takes as long as the client's own patience with the answer.
        match client.head_or_end().await {
            Ok(head) => break head.unwrap(),
            Err(_) => client.send(b"a").await.unwrap(),
        }
        assert!(start.elapsed() < BOUND, "the head is still awaited");
    };
    assert_eq!(head.status().unwrap(), 408);
    stage.proof("/").honest().await.unwrap();
    assert_eq!(stage.heads().len(), 1);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_ended() {
    let stage = Stage::start(&impatient()).await;
    let proof = stage.proof("/");
    proof.request_rejected(b"", Rejected::Dropped).await.unwrap();
    // Between two requests as well.
    let mut client = stage.client().await;
    client.send(b"GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().1, b"recorded");
    assert_eq!(client.rest().await.unwrap(), b"");
    proof.honest().await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = Stage::start(&impatient()).await;
    let mut client = stage.client().await;
    client.send(b"POST /attack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 408);
    client.rest().await.unwrap();
    // The backend has waited for the body too: its connection ends, and no other request uses it.
    let ended = |recorded: &wicketgate_testkit::raw::Recorded| {
        recorded.ended && recorded.target().as_deref() == Some("/attack")
    };
    let (_, recorded) = stage.backend.until("the end of the slow request", ended).await.unwrap();
    assert_eq!(recorded.heads.len(), 1);
    stage.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn silence_after_the_handshake_ends_with_1008() {
    let stage = Stage::start(&both_modes("first_message_timeout: 300ms")).await;
    for mode in super::MODES {
        stage.proof(mode).session(&[], Rejected::Closed(1008), &[]).await.unwrap();
        // Pings are no message.
        let ping = wicketgate_testkit::raw::Frame::ping("hello").masked(super::KEY).bytes();
        stage.proof(mode).session(&ping, Rejected::Closed(1008), &[]).await.unwrap();
    }
}
