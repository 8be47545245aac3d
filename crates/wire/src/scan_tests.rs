//! The scanner against frames in pieces, and against every rule of their sequence.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::mask;

const LIMITS: FrameLimits = FrameLimits { frame: 1 << 20, message: 1 << 20, fragments: 16 };

fn frame(fin: bool, rsv: Rsv, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Header { fin, rsv, opcode, mask: key, length: payload.len() as u64 }.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut bytes[start..], key, 0);
    }
    bytes
}

fn server(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(fin, Rsv::NONE, opcode, payload, None)
}

fn scan(sender: Role, allowed: Rsv, limits: FrameLimits, bytes: &[u8]) -> Result<Vec<Event>, Violation> {
    let (mut scanner, mut at, mut events) = (Scanner::new(sender, allowed), 0, Vec::new());
    while let Some(event) = scanner.next(&limits, bytes, &mut at)? {
        events.push(event);
    }
    Ok(events)
}

fn violation(frames: &[Vec<u8>]) -> Violation {
    scan(Role::Server, Rsv::RSV1, LIMITS, &frames.concat()).unwrap_err()
}

#[test]
fn sequences_are_judged() {
    use Opcode::{Binary, Continuation, Ping, Text};
    assert_eq!(violation(&[server(true, Continuation, b"")]), Violation::UnexpectedContinuation);
    assert_eq!(
        violation(&[server(false, Text, b"a"), server(true, Text, b"b")]),
        Violation::InterleavedMessage
    );
    assert_eq!(violation(&[frame(true, Rsv::NONE, Text, b"a", Some([1; 4]))]), Violation::Masked);
    assert_eq!(scan(Role::Client, Rsv::NONE, LIMITS, &server(true, Text, b"a")), Err(Violation::Unmasked));
    let compressed = |fin, opcode| frame(fin, Rsv::RSV1, opcode, b"x", None);
    assert_eq!(violation(&[compressed(true, Ping)]), Violation::ReservedBits);
    assert_eq!(
        violation(&[compressed(false, Binary), compressed(true, Continuation)]),
        Violation::ReservedBits
    );
    assert_eq!(scan(Role::Server, Rsv::NONE, LIMITS, &compressed(true, Text)), Err(Violation::ReservedBits));
}

#[test]
fn a_client_s_frames_come_unmasked_only_where_that_is_said() {
    let bytes = [server(true, Opcode::Binary, b"a"), frame(true, Rsv::NONE, Opcode::Ping, b"", Some([1; 4]))]
        .concat();
    let (mut scanner, mut at) = (Scanner::new(Role::Client, Rsv::NONE).with_unmasked(), 0);
    let mask = |event| match event {
        Some(Event::Data(piece)) => piece.mask,
        Some(Event::Control(control)) => control.mask,
        None => unreachable!("two whole frames"),
    };
    assert_eq!(mask(scanner.next(&LIMITS, &bytes, &mut at).unwrap()), None);
    assert_eq!(mask(scanner.next(&LIMITS, &bytes, &mut at).unwrap()), Some([1; 4]));
    // A server's are never masked.
    let masked = frame(true, Rsv::NONE, Opcode::Text, b"a", Some([1; 4]));
    let mut scanner = Scanner::new(Role::Server, Rsv::NONE).with_unmasked();
    assert_eq!(scanner.next(&LIMITS, &masked, &mut 0), Err(Violation::Masked));
}

#[test]
fn limits_hold_before_the_payload_comes() {
    let header =
        |length, fin, opcode| Header { fin, rsv: Rsv::NONE, opcode, mask: None, length }.encode().to_vec();
    let over = scan(Role::Server, Rsv::NONE, LIMITS, &header((1 << 20) + 1, true, Opcode::Text));
    assert_eq!(over, Err(Violation::FrameTooBig));
    let small = FrameLimits { frame: 10, message: 15, fragments: 2 };
    let bytes = [server(false, Opcode::Text, &[b'a'; 10]), header(6, true, Opcode::Continuation)];
    assert_eq!(scan(Role::Server, Rsv::NONE, small, &bytes.concat()), Err(Violation::MessageTooBig));
    let bytes = [
        server(false, Opcode::Text, b""),
        server(false, Opcode::Continuation, b""),
        server(true, Opcode::Continuation, b""),
    ];
    assert_eq!(scan(Role::Server, Rsv::NONE, small, &bytes.concat()), Err(Violation::TooManyFragments));
}

#[test]
fn a_header_alone_goes_on_at_once() {
    let bytes = server(true, Opcode::Binary, b"abc");
    let events = scan(Role::Server, Rsv::NONE, LIMITS, &bytes[..2]).unwrap();
    assert!(
        matches!(&events[..], [Event::Data(p)] if p.whole == (0..2) && p.payload.is_empty() && !p.ends_frame)
    );
}

#[derive(Clone, Debug)]
struct Message {
    text: bool,
    fragments: Vec<Vec<u8>>,
    ping_after: Option<usize>,
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let fragment = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(any::<u8>(), 120..130),
        prop::collection::vec(any::<u8>(), 300..400),
    ];
    let message = (any::<bool>(), prop::collection::vec(fragment, 1..5), prop::option::of(0usize..5))
        .prop_map(|(text, fragments, ping_after)| Message { text, fragments, ping_after });
    prop::collection::vec(message, 1..5)
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_messages(
        sent in messages(),
        masked: bool,
        key: [u8; 4],
        reads in prop::collection::vec(1usize..200, 1..50),
    ) {
        let key = masked.then_some(key);
        let (mut stream, mut pings) = (Vec::new(), 0);
        for message in &sent {
            let last = message.fragments.len() - 1;
            for (i, payload) in message.fragments.iter().enumerate() {
                let opcode = match (i, message.text) {
                    (0, true) => Opcode::Text,
                    (0, false) => Opcode::Binary,
                    _ => Opcode::Continuation,
                };
                stream.extend(frame(i == last, Rsv::NONE, opcode, payload, key));
                if message.ping_after == Some(i) {
                    stream.extend(frame(true, Rsv::NONE, Opcode::Ping, b"beat", key));
                    pings += 1;
                }
            }
        }
        let sender = if masked { Role::Client } else { Role::Server };
        let (mut scanner, mut buffer, mut forwarded) = (Scanner::new(sender, Rsv::NONE), Vec::new(), Vec::new());
        let (mut got, mut current, mut beats, mut rest) = (Vec::new(), Vec::new(), 0, &stream[..]);
        for read in reads.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*read).min(rest.len()));
            rest = later;
            buffer.extend_from_slice(now);
            let mut at = 0;
            while let Some(event) = scanner.next(&LIMITS, &buffer, &mut at).unwrap() {
                match event {
                    Event::Data(piece) => {
                        forwarded.extend_from_slice(&buffer[piece.whole.clone()]);
                        let start = current.len();
                        current.extend_from_slice(&buffer[piece.payload.clone()]);
                        if let Some(key) = piece.mask {
                            mask::apply(&mut current[start..], key, piece.phase);
                        }
                        if piece.ends_message {
                            got.push((piece.kind == DataKind::Text, std::mem::take(&mut current)));
                        }
                    }
                    Event::Control(control) => {
                        forwarded.extend_from_slice(&buffer[control.whole.clone()]);
                        let mut body = buffer[control.payload.clone()].to_vec();
                        if let Some(key) = control.mask {
                            mask::apply(&mut body, key, 0);
                        }
                        prop_assert_eq!(&body, b"beat");
                        beats += 1;
                    }
                }
            }
            buffer.drain(..at);
            prop_assert!(buffer.len() < Scanner::MAX_CARRY);
        }
        let expected: Vec<_> = sent.iter().map(|m| (m.text, m.fragments.concat())).collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(beats, pings);
        prop_assert_eq!(forwarded, stream);
        prop_assert!(scanner.between_messages());
    }
}
