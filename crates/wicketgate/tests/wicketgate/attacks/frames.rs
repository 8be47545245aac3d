//! Clients whose frames break RFC 6455, in both modes: each class with its close code.

use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Ended, Frame, LengthForm, RawClient, opcode};

use super::{KEY, MODES, Stage, both_modes, bytes};

/// Frames that break the protocol, and their close code; what may have gone on before them in mode `headers`.
pub(super) struct Violation {
    pub(super) frames: Vec<Frame>,
    pub(super) code: u16,
    /// So many frames stand before the violation.
    pub(super) lawful: usize,
}

fn violation(frames: impl Into<Vec<Frame>>, code: u16) -> Violation {
    let frames = frames.into();
    Violation { lawful: frames.len() - 1, frames, code }
}

fn close(body: &[u8]) -> Frame {
    Frame::new(opcode::CLOSE, body)
}

/// Every class of violation that both sides can commit, unmasked.
pub(super) fn violations() -> Vec<Violation> {
    let protocol = |frame| violation([frame], 1002);
    let text = || Frame::text("attack");
    let mut all: Vec<Violation> = (1..8).map(|rsv| protocol(text().rsv(rsv))).collect();
    all.extend((1..8).map(|rsv| protocol(Frame::ping("attack").rsv(rsv))));
    all.extend([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|code| protocol(Frame::new(code, "attack"))));
    all.extend(
        [opcode::CLOSE, opcode::PING, opcode::PONG].map(|code| protocol(Frame::new(code, "").unfinished())),
    );
    all.extend(
        [opcode::CLOSE, opcode::PING, opcode::PONG].map(|code| protocol(Frame::new(code, vec![3; 126]))),
    );
    all.extend(
        [0, 5, 125].map(|length| protocol(Frame::binary(vec![1; length]).length(LengthForm::TwoBytes))),
    );
    all.extend(
        [5, 126, 65_535]
            .map(|length| protocol(Frame::binary(vec![1; length]).length(LengthForm::EightBytes))),
    );
    all.push(protocol(Frame::binary("attack").length(LengthForm::Claimed(1 << 63))));
    all.push(protocol(Frame::binary("attack").length(LengthForm::Claimed(u64::MAX))));
    all.push(protocol(Frame::new(opcode::CONTINUATION, "attack")));
    all.push(protocol(Frame::new(opcode::CONTINUATION, "attack").unfinished()));
    all.push(violation([text(), Frame::new(opcode::CONTINUATION, "again")], 1002));
    all.push(violation([text().unfinished(), text()], 1002));
    all.push(violation([text().unfinished(), Frame::binary("inside")], 1002));
    all.extend(bad_text());
    all.extend(bad_closes());
    all
}

/// Text that is not UTF-8: each kind of wrong sequence, alone, behind good text, cut off, and split over fragments.
fn bad_text() -> Vec<Violation> {
    let wrong: [&[u8]; 8] = [
        b"\xff",             // no byte of UTF-8
        b"\x80",             // a continuation without a beginning
        b"\xc3",             // a sequence cut off by the end
        b"\xc0\xaf",         // overlong
        b"\xed\xa0\x80",     // a surrogate
        b"\xf4\x90\x80\x80", // beyond U+10FFFF
        b"\xe2\x28\xa1",     // broken in its middle
        b"\xf0\x9f\x98",     // cut off after three of four
    ];
    let mut all = Vec::new();
    for bytes in wrong {
        all.push(violation([Frame::text(bytes)], 1007));
        all.push(violation([Frame::text([b"caf\xc3\xa9 ".as_slice(), bytes].concat())], 1007));
        all.push(violation([Frame::text([vec![b'a'; 70_000].as_slice(), bytes].concat())], 1007));
        let last = Frame::new(opcode::CONTINUATION, bytes);
        all.push(violation([Frame::text("good").unfinished(), last], 1007));
        if let [first, rest @ ..] = bytes
            && !rest.is_empty()
            && *first != 0xc0
        {
            let first = Frame::text([*first]).unfinished();
            let ping = Frame::ping("between");
            all.push(violation([first, ping, Frame::new(opcode::CONTINUATION, rest)], 1007));
        }
    }
    all
}

fn bad_closes() -> Vec<Violation> {
    let codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    let mut all: Vec<Violation> = codes.map(|code| violation([Frame::close(code, "")], 1002)).into();
    all.push(violation([close(&[3])], 1002));
    all.push(violation([close(b"\x03\xe8\xff")], 1007));
    all.push(violation([close(b"\x03\xe8caf\xc3")], 1007));
    all.push(violation([Frame::text("before"), close(&[3])], 1002));
    all
}

/// What of a violation's frames may go on: all before it in mode `headers`, whole messages in mode `messages`.
pub(super) fn lawful(violation: &Violation, mode: &str) -> Vec<Frame> {
    let before = &violation.frames[..violation.lawful];
    before.iter().filter(|frame| frame.fin || mode == "/headers").cloned().collect()
}

fn masked(violation: Violation) -> Violation {
    let frames = violation.frames.into_iter().map(|frame| frame.masked(KEY)).collect();
    Violation { frames, ..violation }
}

#[tokio::test]
async fn every_violation_of_a_client_has_its_code() {
    let stage = Stage::start(&both_modes("")).await;
    for mode in MODES {
        let proof = stage.proof(mode);
        for violation in violations().into_iter().map(masked) {
            let lawful = lawful(&violation, mode);
            let expected = Rejected::Closed(violation.code);
            // What stands behind the violation is not looked at any more.
            let attack = [bytes(&violation.frames), Frame::text("behind").masked(KEY).bytes()].concat();
            let proven = proof.session(&attack, expected, &lawful).await;
            proven.unwrap_or_else(|error| panic!("{mode}: {:?}: {error:#}", violation.frames));
        }
    }
}

#[tokio::test]
async fn a_clients_frames_are_masked() {
    let stage = Stage::start(&both_modes("")).await;
    let before = Frame::text("before").masked(KEY);
    for mode in MODES {
        for frame in [Frame::text("attack"), Frame::ping("attack"), Frame::close(1000, ""), Frame::text("")] {
            let attack = bytes(&[before.clone(), frame]);
            let proof = stage.proof(mode);
            proof.session(&attack, Rejected::Closed(1002), std::slice::from_ref(&before)).await.unwrap();
        }
    }
}

/// However the bytes are cut into reads, the judgement is the same.
#[tokio::test]
async fn a_violation_in_pieces_is_the_same_violation() {
    let stage = Stage::start(&both_modes("")).await;
    for mode in MODES {
        for violation in violations().into_iter().map(masked) {
            let attack = bytes(&violation.frames);
            if attack.len() > 200 {
                continue;
            }
            let mut client = RawClient::open(&stage.listener(0), &format!("{mode}?pieces")).await.unwrap();
            // It may be turned away before it was written whole.
            client.send_in_pieces(&attack, 1).await.ok();
            let ended = client.ended().await.unwrap();
            let cut_in_a_frame = mode == "/headers" && violation.code == 1007;
            let expected = Ended::Closed(Some(violation.code));
            assert!(
                ended == expected || (cut_in_a_frame && ended == Ended::Dropped),
                "{mode}: {ended:?} instead of {expected:?} for {:?}",
                violation.frames
            );
        }
        stage.proof(mode).honest().await.unwrap();
    }
    let recorded = stage.backend.recorded();
    let attacked =
        recorded.iter().filter(|recorded| recorded.target().is_some_and(|target| target.contains("pieces")));
    for recorded in attacked {
        for frame in recorded.frames().iter().filter(|frame| frame.opcode == opcode::TEXT && frame.fin) {
            assert!(std::str::from_utf8(&frame.payload).is_ok(), "{frame:?} reached the backend");
        }
    }
}

/// A close frame ends what its sender has to say.
#[tokio::test]
async fn nothing_goes_on_behind_a_close_frame() {
    let stage = Stage::start(&both_modes("")).await;
    for mode in MODES {
        let before = Frame::text("before").masked(KEY);
        let attack = bytes(&[
            before.clone(),
            Frame::close(1000, "bye").masked(KEY),
            Frame::text("behind").masked(KEY),
            Frame::new(3, "behind").masked(KEY),
        ]);
        let proof = stage.proof(mode);
        proof.session(&attack, Rejected::Closed(1000), std::slice::from_ref(&before)).await.unwrap();
    }
}

/// A client that goes away within a frame leaves no half of a message to the backend as if it were whole.
#[tokio::test]
async fn half_a_frame_is_no_message() {
    let stage = Stage::start(&both_modes("")).await;
    for mode in MODES {
        let target = format!("{mode}?half");
        let mut client = RawClient::open(&stage.listener(0), &target).await.unwrap();
        let frame = Frame::text("half of this never comes").masked(KEY).bytes();
        client.send(&frame[..frame.len() / 2]).await.unwrap();
        client.finish_writing().await.unwrap();
        client.rest().await.unwrap();
        let ended = |recorded: &wicketgate_testkit::raw::Recorded| {
            recorded.ended && recorded.target().as_deref() == Some(&target)
        };
        let (_, recorded) = stage.backend.until("the end of the session", ended).await.unwrap();
        assert!(recorded.frames().iter().all(|frame| frame.opcode == opcode::CLOSE), "{recorded:?}");
        stage.proof(mode).honest().await.unwrap();
    }
}
