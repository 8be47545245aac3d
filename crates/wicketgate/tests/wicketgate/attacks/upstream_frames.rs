//! Backends whose frames break RFC 6455, in both modes: they are told their code, the client 1011 and nothing else.

use wicketgate_testkit::raw::{Answer, Ended, Frame, Head, RawClient, Recorded, opcode};

use super::frames::{lawful, violations};
use super::{KEY, MODES, Stage, both_modes, bytes};

fn scripted(head: &Head) -> Answer {
    match head.target().contains("attacker") {
        true => Answer::Accept,
        false => Answer::Echo,
    }
}

/// The backend sends `attack` on a new session: it is told `code`, and the client gets `lawful` and then 1011.
pub(super) async fn attack_from_upstream(
    stage: &Stage,
    mode: &str,
    client: &mut RawClient,
    attack: &[u8],
    code: u16,
    lawful: &[Frame],
) {
    let open = |recorded: &Recorded| {
        !recorded.ended && recorded.target().is_some_and(|target| target.contains("attacker"))
    };
    let (number, _) = stage.backend.until("the session", open).await.unwrap();
    stage.backend.send(number, attack).unwrap();
    let (mut data, mut closed) = (Vec::new(), None);
    while let Some(frame) = client.next_frame().await.unwrap() {
        match frame.opcode {
            opcode::CLOSE => {
                closed = Some(frame.close_code());
                client.send_frame(&Frame::new(opcode::CLOSE, frame.payload).masked(KEY)).await.ok();
                client.finish_writing().await.ok();
            }
            opcode::PING | opcode::PONG => {}
            _ => data.extend(frame.payload),
        }
    }
    let shown = attack[..attack.len().min(80)].escape_ascii();
    assert_eq!(closed, Some(Some(1011)), "{mode}: {shown}");
    let may_pass: Vec<u8> =
        lawful.iter().filter(|frame| frame.opcode < 8).flat_map(|frame| frame.payload.clone()).collect();
    assert!(data == may_pass, "{mode}: {shown}: the client got {}", data.escape_ascii());
    let told = |recorded: &Recorded| {
        recorded.target().is_some_and(|target| target.contains("attacker"))
            && !recorded.ended
            && recorded.frames().iter().any(|frame| frame.opcode == opcode::CLOSE)
    };
    let (_, recorded) = stage.backend.until("the close frame", told).await.unwrap();
    let told = recorded.frames().iter().find_map(Frame::close_code);
    assert_eq!(told, Some(code), "{mode}: {shown}");
    stage.backend.end(number).unwrap();
    stage.backend.until("its end", |recorded| recorded.ended).await.unwrap();
}

#[tokio::test]
async fn every_violation_of_a_backend_has_its_code() {
    let stage = Stage::answering(&both_modes(""), scripted).await;
    for mode in MODES {
        for (number, violation) in violations().iter().enumerate() {
            let target = format!("{mode}?attacker={number}");
            let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
            let attack = bytes(&violation.frames);
            let lawful = lawful(violation, mode);
            attack_from_upstream(&stage, mode, &mut client, &attack, violation.code, &lawful).await;
            let target = format!("{mode}?attacker={number}");
            stage
                .backend
                .until("the end of the session", |recorded| {
                    recorded.ended && recorded.target().as_deref() == Some(&target)
                })
                .await
                .unwrap();
        }
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn a_backends_frames_are_not_masked() {
    let stage = Stage::answering(&both_modes(""), scripted).await;
    for mode in MODES {
        let mut client = RawClient::open(&stage.listener(0), &format!("{mode}?attacker")).await.unwrap();
        let before = [Frame::text("before")];
        let attack = bytes(&[Frame::text("before"), Frame::text("attack").masked(KEY)]);
        attack_from_upstream(&stage, mode, &mut client, &attack, 1002, &before).await;
        stage.proof(mode).honest().await.unwrap();
    }
}

#[tokio::test]
async fn a_backend_is_held_to_the_limits_too() {
    let limits = "limits: {frame_size: 100, message_size: 150, fragments: 3}, accept: [text]";
    let stage = Stage::answering(&both_modes(limits), scripted).await;
    let piece = |length: usize| Frame::new(opcode::CONTINUATION, "a".repeat(length)).unfinished();
    for mode in MODES {
        for (frames, code) in [
            (vec![Frame::text("a".repeat(101))], 1009),
            (vec![Frame::text("a".repeat(100)).unfinished(), piece(51)], 1009),
            (vec![Frame::text("a").unfinished(), piece(1), piece(1), piece(1)], 1008),
            (vec![Frame::binary("a")], 1003),
        ] {
            let mut client = RawClient::open(&stage.listener(0), &format!("{mode}?attacker")).await.unwrap();
            let before = match mode {
                "/headers" => frames[..frames.len() - 1].to_vec(),
                _ => Vec::new(),
            };
            attack_from_upstream(&stage, mode, &mut client, &bytes(&frames), code, &before).await;
        }
        stage.proof(mode).honest().await.unwrap();
    }
}

/// A backend that goes away without a word is its own fault, not the client's.
#[tokio::test]
async fn a_backend_that_vanishes_is_told_to_the_client_as_1011() {
    let stage = Stage::answering(&both_modes(""), scripted).await;
    for mode in MODES {
        let target = format!("{mode}?attacker=gone");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        let (number, _) = stage.backend.requested(&target).await.unwrap();
        stage.backend.end(number).unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1011)));
        stage.proof(mode).honest().await.unwrap();
    }
}
