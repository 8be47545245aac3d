//! Limits on what a session may send: sizes, fragments, time, rates, memory.

use std::time::{Duration, Instant};

use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Ended, Frame, LengthForm, RawClient, Recorded, opcode};

use super::{KEY, MODES, Stage, both_modes, bytes};

fn text(length: usize) -> Frame {
    Frame::text("a".repeat(length)).masked(KEY)
}

fn more(length: usize) -> Frame {
    Frame::new(opcode::CONTINUATION, "a".repeat(length)).masked(KEY)
}

#[tokio::test]
async fn frames_messages_and_fragments_are_bounded() {
    let limits = "limits: {frame_size: 100, message_size: 150, fragments: 3}";
    let stage = Stage::start(&both_modes(limits)).await;
    for mode in MODES {
        for (frames, code) in [
            (vec![text(101)], 1009),
            (vec![text(5).length(LengthForm::Claimed(1 << 40))], 1009),
            (vec![text(5).length(LengthForm::Claimed((1 << 63) - 1))], 1009),
            (vec![text(100).unfinished(), more(51)], 1009),
            (vec![text(100).unfinished(), more(5).length(LengthForm::Claimed((1 << 63) - 1))], 1009),
            (vec![text(1).unfinished(), more(1).unfinished(), more(1).unfinished(), more(1)], 1008),
            (
                vec![text(0).unfinished(), more(0).unfinished(), more(0).unfinished(), more(0).unfinished()],
                1008,
            ),
        ] {
            let before = match mode {
                "/headers" => &frames[..frames.len() - 1],
                _ => &[],
            };
            let proven = stage.proof(mode).session(&bytes(&frames), Rejected::Closed(code), before).await;
            proven.unwrap_or_else(|error| panic!("{mode}: {frames:?}: {error:#}"));
        }
        // At the limits all is well.
        let lawful = [text(50).unfinished(), more(50).unfinished(), more(50), text(100)];
        let mut client = RawClient::open(&stage.listener(0), mode).await.unwrap();
        client.send(&bytes(&lawful)).await.unwrap();
        assert_eq!(client.message().await.unwrap().1.len(), 150);
        assert_eq!(client.message().await.unwrap().1.len(), 100);
    }
}

#[tokio::test]
async fn a_type_that_the_route_does_not_accept_ends_with_1003() {
    let stage = Stage::start(&both_modes("accept: [text]")).await;
    for mode in MODES {
        let lawful = Frame::text("text").masked(KEY);
        let attack = bytes(&[lawful.clone(), Frame::binary("binary").masked(KEY)]);
        stage.proof(mode).session(&attack, Rejected::Closed(1003), &[lawful]).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_does_not_end_is_not_waited_for() {
    let stage = Stage::start(&both_modes("limits: {assembly_time: 300ms}")).await;
    for mode in MODES {
        let first = text(5).unfinished();
        let before = if mode == "/headers" { std::slice::from_ref(&first) } else { &[] };
        // Control frames between do not move the deadline on.
        let attack = bytes(&[first.clone(), Frame::ping("between").masked(KEY)]);
        stage.proof(mode).session(&attack, Rejected::Closed(1008), before).await.unwrap();
        // Within a frame as well. In mode `headers` the backend has half of it: no close frame can stand there.
        let half = text(200).bytes()[..50].to_vec();
        let mut client = RawClient::open(&stage.listener(0), mode).await.unwrap();
        client.send(&half).await.unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)));
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn messages_above_their_rate_close() {
    let stage = Stage::start(&both_modes("limits: {messages: {per_second: 1, burst: 3}}")).await;
    for mode in MODES {
        let lawful = [text(1), text(2), text(3)];
        let attack = bytes(&[&lawful[..], &[text(4), text(5)]].concat());
        stage.proof(mode).session(&attack, Rejected::Closed(1008), &lawful).await.unwrap();
    }
}

#[tokio::test]
async fn messages_above_their_rate_are_dropped_where_so_configured() {
    let limits = "limits: {messages: {per_second: 1, burst: 3, exceed: drop}}";
    let stage = Stage::start(&both_modes(limits)).await;
    for mode in MODES {
        let lawful = [text(1), text(2), text(3)];
        // Whole ones and fragmented ones.
        let dropped = [text(40).unfinished(), Frame::ping("p").masked(KEY), more(50), text(60)];
        let close = Frame::close(1000, "").masked(KEY);
        let attack = bytes(&[&lawful[..], &dropped, &[close]].concat());
        stage.proof(mode).session(&attack, Rejected::Closed(1000), &lawful).await.unwrap();
    }
}

#[tokio::test]
async fn messages_above_their_rate_wait_where_so_configured() {
    let limits = "limits: {messages: {per_second: 10, burst: 1, exceed: delay}}";
    let stage = Stage::start(&both_modes(limits)).await;
    for mode in MODES {
        let mut client = RawClient::open(&stage.listener(0), mode).await.unwrap();
        let start = Instant::now();
        for number in 0..5 {
            client.echoes(&format!("message {number}")).await.unwrap();
        }
        // The first is free; the backend's echoes are metered on their own.
        assert!(start.elapsed() >= Duration::from_millis(350), "{mode}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn bytes_above_their_rate_close_or_wait() {
    let limits = "limits: {bytes: {per_second: 1KiB, burst: 2KiB, exceed: close}}";
    let stage = Stage::start(&both_modes(limits)).await;
    for mode in MODES {
        stage.proof(mode).session(&text(4_000).bytes(), Rejected::Closed(1008), &[]).await.unwrap();
    }
    let stage = Stage::start(&both_modes("limits: {bytes: {per_second: 10KiB, burst: 1KiB}}")).await;
    for mode in MODES {
        let mut client = RawClient::open(&stage.listener(0), mode).await.unwrap();
        let start = Instant::now();
        for _ in 0..5 {
            client.echoes(&"a".repeat(1_024)).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(350), "{mode}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_flood_of_control_frames_closes_or_is_dropped() {
    let ping = |number: usize| Frame::ping(number.to_string()).masked(KEY);
    let flood: Vec<Frame> = (0..300).map(ping).collect();
    let stage = Stage::start(&both_modes("")).await;
    for mode in MODES {
        for kind in [opcode::PING, opcode::PONG] {
            let flood: Vec<Frame> =
                flood.iter().cloned().map(|frame| Frame { opcode: kind, ..frame }).collect();
            stage.proof(mode).session(&bytes(&flood), Rejected::Closed(1008), &[]).await.unwrap();
        }
    }
    let recorded = stage.backend.recorded();
    let pings = |recorded: &Recorded| recorded.frames().iter().filter(|frame| frame.opcode >= 9).count();
    assert!(recorded.iter().all(|recorded| pings(recorded) <= 101), "more than the burst went on");

    let limits = "limits: {control_frames: {per_second: 1, burst: 10, exceed: drop}}";
    let stage = Stage::start(&both_modes(limits)).await;
    for mode in MODES {
        let target = format!("{mode}?dropped");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        client.send_and_read(&bytes(&flood)).await.unwrap();
        client.echoes("still here").await.unwrap();
        let (_, recorded) = stage.backend.requested(&target).await.unwrap();
        assert!((10..=12).contains(&pings(&recorded)), "{} went on", pings(&recorded));
    }
}

/// Memory for unfinished messages is bounded over all sessions together; who would need more is told to try again.
#[tokio::test]
async fn unfinished_messages_share_a_bound() {
    let config = format!("{}limits: {{assembly_memory: 1MiB}}\n", both_modes(""));
    let stage = Stage::start(&config).await;
    let mut first = RawClient::open(&stage.listener(0), "/messages?first").await.unwrap();
    let half = vec![7; 600_000];
    let held = Frame::binary(half.clone()).unfinished().masked(KEY).bytes();
    first.send(&held).await.unwrap();
    // A ping behind the held bytes goes on once they were read.
    first.send_frame(&Frame::ping("read").masked(KEY)).await.unwrap();
    let read = |recorded: &Recorded| recorded.frames().iter().any(|frame| frame.payload == b"read");
    let (_, recorded) = stage.backend.until("the ping", read).await.unwrap();
    assert_eq!(recorded.frames().len(), 1, "nothing of the message has gone on");
    stage.proof("/messages").session(&held, Rejected::Closed(1013), &[]).await.unwrap();
    first.send_and_read(&Frame::new(0, half).masked(KEY).bytes()).await.unwrap();
    let ended = first.ended().await.unwrap();
    assert_eq!(ended, Ended::Closed(Some(1013)), "1.2 MB are too much for the first as well");
    // All of it was given back.
    let mut client = RawClient::open(&stage.listener(0), "/messages?after").await.unwrap();
    let frames = [Frame::binary(vec![1; 400_000]).unfinished().masked(KEY), Frame::new(0, "end").masked(KEY)];
    client.send_and_read(&bytes(&frames)).await.unwrap();
    assert_eq!(client.message().await.unwrap().1.len(), 400_003);
    // Mode `headers` holds nothing, and so is not bounded.
    let mut client = RawClient::open(&stage.listener(0), "/headers").await.unwrap();
    let frames =
        [Frame::binary(vec![1; 1_500_000]).unfinished().masked(KEY), Frame::new(0, "end").masked(KEY)];
    client.send_and_read(&bytes(&frames)).await.unwrap();
    assert_eq!(client.message().await.unwrap().1.len(), 1_500_003);
}
