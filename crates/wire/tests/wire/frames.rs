//! Frames against tungstenite: the same bytes say the same, and fail for the same reason.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};
use wicketgate_wire::{
    Assembly, AssemblyError, Budget, Close, DataKind, Event, FrameLimits, Opcode, Role, Rsv, Scanner,
    Violation, mask,
};

#[derive(Debug, PartialEq)]
enum Said {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// Why a peer is not listened to any more, as far as both name it.
#[derive(Debug, PartialEq)]
enum Fault {
    ReservedBits,
    Opcode,
    FragmentedControl,
    ControlTooLong,
    Mask,
    Continuation,
    Interleaved,
    Close,
    Utf8,
}

#[derive(Debug, Clone)]
struct Frame {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
}

impl Frame {
    /// Whether at most one rule about a single frame is broken.
    fn breaks_one_rule(&self, from_client: bool) -> bool {
        let reason = if self.first & 0x0F == 0x08 { self.payload.get(2..).unwrap_or_default() } else { &[] };
        if std::str::from_utf8(reason).is_err() {
            // The close code may be wrong as well.
            return false;
        }
        let broken = [
            self.masked != from_client,
            self.first & 0x70 != 0,
            matches!(self.first & 0x0F, 3..=7 | 11..=15),
            self.first & 0x88 == 0x08,
            self.first & 0x08 != 0 && self.payload.len() > 125,
        ];
        broken.into_iter().filter(|broken| *broken).count() <= 1
    }
}

/// Most frames are good, so that a sequence comes to something; the others are wrong in one way.
fn frame(from_client: bool) -> impl Strategy<Value = Frame> {
    let first = prop_oneof![
        20 => select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
        2 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        6 => select(vec!["", "a", "hello", "\u{e9}", "\u{20ac}uro", "\u{1f600}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        2 => select(vec![&b"\xe2"[..], b"\x82\xac", b"\xf0\x9f", b"\xff", b"\xed\xa0\x80"]).prop_map(<[u8]>::to_vec),
        2 => (1000_u16..5000, "[a-z\u{e9}]{0,8}")
            .prop_map(|(code, reason)| [&code.to_be_bytes()[..], reason.as_bytes()].concat()),
        1 => prop::collection::vec(any::<u8>(), 120..130),
        1 => prop::collection::vec(any::<u8>(), 65_530..65_540),
    ];
    let masked = prop_oneof![30 => Just(from_client), 1 => Just(!from_client)];
    (first, masked, payload).prop_map(|(first, masked, payload)| Frame { first, masked, payload })
}

fn encode(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        let masked = u8::from(frame.masked) << 7;
        bytes.push(frame.first);
        match frame.payload.len() {
            short @ 0..=125 => bytes.push(masked | short as u8),
            medium @ 126..=65_535 => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        let key = [0x1f, 0xc0, 0x7e, 0x55];
        let start = bytes.len() + if frame.masked { 4 } else { 0 };
        if frame.masked {
            bytes.extend_from_slice(&key);
        }
        bytes.extend_from_slice(&frame.payload);
        if frame.masked {
            mask::apply(&mut bytes[start..], key, 0);
        }
    }
    bytes
}

fn ours(sender: Role, bytes: &[u8], cut: usize) -> (Vec<Said>, Option<Fault>) {
    let limits = FrameLimits { frame: 1 << 20, message: 1 << 24, fragments: 1000 };
    let mut scanner = Scanner::new(sender, Rsv::NONE);
    let budget = Arc::new(Budget::new(1 << 26));
    let mut assembly = Assembly::new(budget.clone());
    let (mut said, mut buffer) = (Vec::new(), Vec::new());
    for part in bytes.chunks(cut) {
        buffer.extend_from_slice(part);
        let mut at = 0;
        loop {
            match scanner.next(&limits, &buffer, &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Data(piece))) => {
                    match assembly.push(&piece, &buffer) {
                        Ok(()) => {}
                        Err(AssemblyError::Violation(violation)) => return (said, Some(fault(violation))),
                        Err(AssemblyError::NoMemory) => panic!("the budget is wide"),
                    }
                    if piece.ends_message {
                        let payload = assembly.payload().to_vec();
                        assembly = Assembly::new(budget.clone());
                        said.push(if piece.kind == DataKind::Text {
                            Said::Text(payload)
                        } else {
                            Said::Binary(payload)
                        });
                    }
                }
                Ok(Some(Event::Control(control))) => {
                    let mut payload = buffer[control.payload].to_vec();
                    mask::apply(&mut payload, control.mask.unwrap_or_default(), 0);
                    match control.opcode {
                        Opcode::Ping => said.push(Said::Ping(payload)),
                        Opcode::Pong => said.push(Said::Pong(payload)),
                        _ => match Close::parse(&payload) {
                            Ok(close) => {
                                let close = close.code.map(|code| (code.0, close.reason.to_owned()));
                                said.push(Said::Close(close));
                                return (said, None);
                            }
                            Err(violation) => return (said, Some(fault(violation))),
                        },
                    }
                }
                Err(violation) => return (said, Some(fault(violation))),
            }
        }
        buffer.drain(..at);
    }
    (said, None)
}

fn fault(violation: Violation) -> Fault {
    match violation {
        Violation::ReservedBits => Fault::ReservedBits,
        Violation::UnknownOpcode(_) => Fault::Opcode,
        Violation::FragmentedControl => Fault::FragmentedControl,
        Violation::ControlTooLong => Fault::ControlTooLong,
        Violation::Unmasked | Violation::Masked => Fault::Mask,
        Violation::UnexpectedContinuation => Fault::Continuation,
        Violation::InterleavedMessage => Fault::Interleaved,
        Violation::CloseTooShort | Violation::CloseCode(_) => Fault::Close,
        Violation::InvalidUtf8 => Fault::Utf8,
        other => panic!("{other} was not asked for"),
    }
}

/// A peer that has said all it will say.
struct Script(Cursor<Vec<u8>>);

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn theirs(sender: Role, bytes: Vec<u8>) -> (Vec<Said>, Option<Fault>) {
    let role = if sender == Role::Client { TheirRole::Server } else { TheirRole::Client };
    let config = WebSocketConfig::default();
    let mut socket = WebSocket::from_raw_socket(Script(Cursor::new(bytes)), role, Some(config));
    let mut said = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => said.push(Said::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(bytes)) => said.push(Said::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => said.push(Said::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => said.push(Said::Pong(bytes.to_vec())),
            // That is how they tell of a code that must not be sent; no generated reason has a space.
            Ok(Message::Close(Some(close))) if close.reason.as_str() == "Protocol violation" => {
                return (said, Some(Fault::Close));
            }
            Ok(Message::Close(close)) => {
                let close =
                    close.map(|close| (u16::from(close.code), Utf8Bytes::as_str(&close.reason).to_owned()));
                said.push(Said::Close(close));
                return (said, None);
            }
            Ok(Message::Frame(_)) => panic!("a read gives no raw frames"),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return (said, None),
            Err(Error::Utf8(_)) => return (said, Some(Fault::Utf8)),
            Err(Error::Protocol(error)) => return (said, Some(their_fault(&error))),
            Err(error) => panic!("{error}"),
        }
    }
}

fn their_fault(error: &ProtocolError) -> Fault {
    match error {
        ProtocolError::NonZeroReservedBits => Fault::ReservedBits,
        ProtocolError::UnknownControlFrameType(_)
        | ProtocolError::UnknownDataFrameType(_)
        | ProtocolError::InvalidOpcode(_) => Fault::Opcode,
        ProtocolError::FragmentedControlFrame => Fault::FragmentedControl,
        ProtocolError::ControlFrameTooBig => Fault::ControlTooLong,
        ProtocolError::UnmaskedFrameFromClient | ProtocolError::MaskedFrameFromServer => Fault::Mask,
        ProtocolError::UnexpectedContinueFrame => Fault::Continuation,
        ProtocolError::ExpectedFragment(_) => Fault::Interleaved,
        ProtocolError::InvalidCloseSequence => Fault::Close,
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn the_same_bytes_say_the_same(
        (from_client, frames) in any::<bool>()
            .prop_flat_map(|client| (Just(client), prop::collection::vec(frame(client), 0..12))),
        cut in prop_oneof![1_usize..20, Just(usize::MAX)],
    ) {
        let sender = if from_client { Role::Client } else { Role::Server };
        let bytes = encode(&frames);
        let (our_words, our_fault) = ours(sender, &bytes, cut);
        let (their_words, their_fault) = theirs(sender, bytes);
        prop_assert_eq!(our_words, their_words);
        prop_assert_eq!(our_fault.is_some(), their_fault.is_some(), "{:?} {:?}", our_fault, their_fault);
        // Where a frame breaks several rules at once, each side may name another one.
        let clear = frames.iter().all(|frame| frame.breaks_one_rule(from_client));
        prop_assert!(!clear || our_fault == their_fault, "{:?} {:?}", our_fault, their_fault);
    }
}
