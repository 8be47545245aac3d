//! Compressed messages as a weapon: not negotiated, corrupt, bombs, and text that hides what it is.

use flate2::{Compress, Compression, FlushCompress};
use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Answer, Frame, Head, Upgrade, accept_key, opcode};

use super::upstream_frames::attack_from_upstream;
use super::{KEY, MODES, Stage, both_modes, bytes};

pub(super) const OFFER: &str = "permessage-deflate";
pub(super) const RSV1: u8 = 4;

/// A message's payload as RFC 7692 compresses it: raw DEFLATE without its last four bytes.
pub(super) fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() / 2 + 1_024);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(deflate.total_in() as usize, payload.len());
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

fn compressed(payload: &[u8]) -> Frame {
    Frame::text(deflated(payload)).rsv(RSV1)
}

#[tokio::test]
async fn compression_that_was_not_agreed_on_is_a_violation() {
    let stage = Stage::start(&both_modes("compression: false")).await;
    for mode in MODES {
        let attack = compressed(b"attack").masked(KEY);
        stage.proof(mode).session(&attack.bytes(), Rejected::Closed(1002), &[]).await.unwrap();
        // Where the route does not want it, an offer agrees on nothing.
        let proof = stage.proof(mode).offering(OFFER);
        proof.session(&attack.bytes(), Rejected::Closed(1002), &[]).await.unwrap();
    }
}

/// Frames that are wrong with compression agreed on; each with its code.
fn attacks() -> Vec<(Vec<Frame>, u16)> {
    let raw = |payload: &[u8]| Frame::binary(payload).rsv(RSV1);
    let whole = deflated(b"a message of some length, that is cut");
    let bomb = deflated(&vec![0; 3 << 20]);
    let (first, last) = bomb.split_at(bomb.len() / 2);
    let split = vec![raw(first).unfinished(), Frame::new(opcode::CONTINUATION, last)];
    // A final, stored block of nothing, and bytes behind it.
    let behind_final = [&[1, 0, 0, 0xff, 0xff][..], &deflated(b"hidden")].concat();
    vec![
        (vec![raw(b"\xff\xff\xff\xff")], 1007),
        (vec![raw(&[0x06])], 1007),
        // A distance beyond all that was written.
        (vec![raw(&[0x02, 0x80, 0x81])], 1007),
        (vec![raw(&whole[..whole.len() - 5])], 1007),
        (vec![raw(&behind_final)], 1007),
        (vec![raw(&bomb)], 1009),
        (split, 1009),
        (vec![compressed(b"caf\xc3")], 1007),
        (vec![compressed(b"\xff")], 1007),
        (vec![compressed(b"\xed\xa0\x80")], 1007),
        (vec![raw(b"\0").rsv(RSV1 | 1)], 1002),
        (vec![raw(b"\0").unfinished(), Frame::new(opcode::CONTINUATION, "\0").rsv(RSV1)], 1002),
        (vec![Frame::ping("ping").rsv(RSV1)], 1002),
    ]
}

#[tokio::test]
async fn bad_compressed_messages_have_their_codes() {
    let stage = Stage::start(&both_modes("limits: {message_size: 1MiB}")).await;
    let proof = stage.proof("/messages").offering(OFFER);
    for (frames, code) in attacks() {
        let masked: Vec<Frame> = frames.iter().cloned().map(|frame| frame.masked(KEY)).collect();
        let proven = proof.session(&bytes(&masked), Rejected::Closed(code), &[]).await;
        proven.unwrap_or_else(|error| panic!("{code}: {frames:?}: {error:#}"));
    }
    // The backend has not agreed to compression: it gets what the message says.
    let mut client = stage.client().await;
    client.upgrade(&Upgrade::new("/messages?good").with("Sec-WebSocket-Extensions", OFFER)).await.unwrap();
    client.send_frame(&compressed(b"good").masked(KEY)).await.unwrap();
    assert_eq!(client.message().await.unwrap().1, b"good");
}

#[tokio::test]
async fn a_ratio_above_the_limit_is_a_bomb() {
    let stage = Stage::start(&both_modes("limits: {inflate_ratio: 50}")).await;
    let proof = stage.proof("/messages").offering(OFFER);
    let bomb = Frame::binary(deflated(&vec![0; 6 << 20])).rsv(RSV1).masked(KEY);
    proof.session(&bomb.bytes(), Rejected::Closed(1009), &[]).await.unwrap();
}

/// Inflating is bounded over all sessions together; who would need more is told to try again.
#[tokio::test]
async fn memory_for_inflating_has_a_bound() {
    let config = format!("{}limits: {{inflate_memory: 1MiB}}\n", both_modes("limits: {message_size: 64MiB}"));
    let stage = Stage::start(&config).await;
    let proof = stage.proof("/messages").offering(OFFER);
    let bomb = Frame::binary(deflated(&vec![0; 3 << 20])).rsv(RSV1).masked(KEY);
    for _ in 0..3 {
        proof.session(&bomb.bytes(), Rejected::Closed(1013), &[]).await.unwrap();
    }
    // It was given back: what fits is still inflated.
    let mut client = stage.client().await;
    client.upgrade(&Upgrade::new("/messages?good").with("Sec-WebSocket-Extensions", OFFER)).await.unwrap();
    client.send_frame(&compressed(&[b'a'; 300_000]).masked(KEY)).await.unwrap();
    assert_eq!(client.message().await.unwrap().1.len(), 300_000);
}

/// In mode `headers` what was agreed on end to end passes as it came, and nothing else does.
#[tokio::test]
async fn only_the_bits_that_were_agreed_on_pass_end_to_end() {
    let stage = Stage::answering(&both_modes(""), agreeing).await;
    for (frame, code) in [
        (Frame::text("rsv2").rsv(2), 1002),
        (Frame::text("rsv3").rsv(1), 1002),
        (Frame::text("all").rsv(7), 1002),
        (Frame::ping("control").rsv(RSV1), 1002),
        (Frame::text("\u{e9}".as_bytes()[..1].to_vec()), 1007),
    ] {
        let target = format!("/headers?attacker={}", stage.heads().len());
        let upgrade = Upgrade::new(&target).with("Sec-WebSocket-Extensions", OFFER);
        attack_from_upstream(&stage, &upgrade, &frame.bytes(), code, &[]).await;
    }
    let mut client = stage.client().await;
    client.upgrade(&Upgrade::new("/headers?good").with("Sec-WebSocket-Extensions", OFFER)).await.unwrap();
    let (number, _) = stage.backend.requested("/headers?good").await.unwrap();
    let frame = compressed(b"as it came");
    stage.backend.send_frame(number, &frame).unwrap();
    assert_eq!(client.frame().await.unwrap(), frame);
}

#[tokio::test]
async fn a_backends_bad_compressed_messages_have_their_codes() {
    let stage = Stage::answering(&both_modes("limits: {message_size: 1MiB}"), agreeing).await;
    for (frames, code) in attacks() {
        let target = format!("/messages?attacker={}", stage.heads().len());
        let upgrade = Upgrade::new(&target).with("Sec-WebSocket-Extensions", OFFER);
        attack_from_upstream(&stage, &upgrade, &bytes(&frames), code, &[]).await;
    }
}

/// A backend that agrees to compression where it is offered.
pub(super) fn agreeing(head: &Head) -> Answer {
    let key = head.field("sec-websocket-key").unwrap_or_default();
    let offered = head.field("sec-websocket-extensions").is_some();
    let terms = match offered {
        true => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
        }
        false => "",
    };
    Answer::Bytes(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{terms}\r\n",
            accept_key(&key)
        )
        .into_bytes(),
    )
}
