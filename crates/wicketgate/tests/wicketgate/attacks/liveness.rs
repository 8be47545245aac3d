//! Peers that are there and do nothing: they take no bytes, answer no ping, say nothing, or stay for ever.

use std::time::{Duration, Instant};

use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Answer, Ended, Frame, Head, RawClient, Recorded, opcode};

use super::{KEY, MODES, Stage, both_modes};

/// No wait of these tests is longer than this by far.
const BOUND: Duration = Duration::from_secs(8);

fn scripted(head: &Head) -> Answer {
    match head.target().contains("mute") {
        true => Answer::Accept,
        false => Answer::Echo,
    }
}

fn closed_with(target: &str, code: u16) -> impl Fn(&Recorded) -> bool {
    move |recorded| {
        recorded.target().as_deref() == Some(target)
            && recorded.frames().iter().any(|frame| frame.close_code() == Some(code))
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let stage = Stage::answering(&both_modes("write_timeout: 500ms, close_timeout: 1s"), scripted).await;
    for mode in MODES {
        let target = format!("{mode}?mute");
        let start = Instant::now();
        let _client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        let (number, _) = stage.backend.requested(&target).await.unwrap();
        let flood = Frame::binary(vec![0x42; 1 << 20]).bytes();
        for _ in 0..64 {
            stage.backend.send(number, &flood).unwrap();
        }
        let ended = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(&target);
        stage.backend.until("the end of the flood", ended).await.unwrap();
        assert!(start.elapsed() < BOUND);
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dead() {
    let stage = Stage::start(&both_modes("ping: {interval: 200ms, timeout: 300ms}")).await;
    for mode in MODES {
        stage.proof(mode).session(&[], Rejected::Closed(1008), &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_backend_that_answers_no_ping_is_dead() {
    let stage = Stage::answering(&both_modes("ping: {interval: 200ms, timeout: 300ms}"), scripted).await;
    for mode in MODES {
        let target = format!("{mode}?mute");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        // It answers pings itself until it is told the end.
        let told = client.message().await.unwrap_err().to_string();
        assert!(told.contains("closed with Some(1011)"), "{told}");
        stage.backend.until("the close frame", closed_with(&target, 1008)).await.unwrap();
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_session_and_an_old_one_end() {
    for (settings, code) in [("idle_timeout: 300ms", 1008), ("max_age: 300ms", 1001)] {
        let stage = Stage::answering(&both_modes(settings), scripted).await;
        for mode in MODES {
            let target = format!("{mode}?mute");
            let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
            assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(code)), "{settings}");
            stage.backend.until("the close frame", closed_with(&target, code)).await.unwrap();
            stage.proof(mode).honest().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_a_close_is_not_waited_for() {
    let stage = Stage::answering(&both_modes("close_timeout: 300ms"), scripted).await;
    for mode in MODES {
        let target = format!("{mode}?mute");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        let start = Instant::now();
        client.send_frame(&Frame::close(1000, "").masked(KEY)).await.unwrap();
        client.rest().await.unwrap();
        assert!(start.elapsed() < BOUND);
        let ended = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(&target);
        let (_, recorded) = stage.backend.until("the end", ended).await.unwrap();
        let closes = recorded.frames().iter().filter(|frame| frame.opcode == opcode::CLOSE).count();
        assert_eq!(closes, 1);
        stage.proof(mode).honest().await.unwrap();
    }
}

/// A client that was told the end and neither answers nor goes away.
#[tokio::test]
async fn a_client_that_does_not_answer_a_close_is_not_waited_for() {
    let stage = Stage::answering(&both_modes("close_timeout: 300ms"), scripted).await;
    for mode in MODES {
        let target = format!("{mode}?mute");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        let (number, _) = stage.backend.requested(&target).await.unwrap();
        stage.backend.send_frame(number, &Frame::close(1001, "bye")).unwrap();
        assert_eq!(client.frame().await.unwrap().close_code(), Some(1001));
        let start = Instant::now();
        client.rest().await.unwrap();
        assert!(start.elapsed() < BOUND);
        let ended = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(&target);
        stage.backend.until("the end", ended).await.unwrap();
        stage.proof(mode).honest().await.unwrap();
    }
}
