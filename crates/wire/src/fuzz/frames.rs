//! Frames in any pieces, and the messages put together from them.

use std::sync::Arc;

use super::byte;
use crate::{
    Assembly, Budget, DataKind, Event, FrameLimits, Opcode, Piece, Role, Rsv, Scanner, Violation, mask,
};

/// What a peer has said, in clear, however its bytes came.
#[derive(Debug, PartialEq)]
enum Said {
    Control(Opcode, Vec<u8>),
    /// The payload so far, and whether the message has ended.
    Data(DataKind, bool, Vec<u8>, bool),
}

struct Input<'a> {
    sender: Role,
    allowed: Rsv,
    limits: FrameLimits,
    cut: usize,
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn read(mut data: &'a [u8]) -> Self {
        let flags = byte(&mut data);
        let limit = |byte: u8| u64::from(byte) * u64::from(byte);
        let limits = FrameLimits {
            frame: limit(byte(&mut data)),
            message: limit(byte(&mut data)),
            fragments: u32::from(byte(&mut data)),
        };
        let cut = usize::from(byte(&mut data)) + 1;
        let sender = if flags & 1 == 0 { Role::Client } else { Role::Server };
        let allowed = match flags >> 1 & 3 {
            0 => Rsv::NONE,
            1 => Rsv::RSV1,
            _ => Rsv::ALL,
        };
        Self { sender, allowed, limits, cut, bytes: data }
    }

    /// Scans in pieces of `cut` bytes, what is not complete carried over, and shows each data piece to `see`.
    fn scan(&self, cut: usize, mut see: impl FnMut(&Piece, &[u8])) -> (Vec<Said>, Option<Violation>) {
        let mut scanner = Scanner::new(self.sender, self.allowed);
        let mut said = Vec::new();
        let mut buffer = Vec::new();
        for part in self.bytes.chunks(cut) {
            buffer.extend_from_slice(part);
            let mut at = 0;
            loop {
                let before = at;
                match scanner.next(&self.limits, &buffer, &mut at) {
                    Ok(Some(event)) => {
                        assert!(before < at && at <= buffer.len(), "an event of no bytes");
                        if let Event::Data(piece) = &event {
                            assert_eq!(piece.whole, before..at, "bytes are left out");
                            see(piece, &buffer);
                        }
                        note(&mut said, event, &buffer);
                    }
                    Ok(None) => break,
                    Err(violation) => return (said, Some(violation)),
                }
            }
            buffer.drain(..at);
            assert!(buffer.len() < Scanner::MAX_CARRY, "{} bytes are carried over", buffer.len());
        }
        (said, None)
    }
}

/// Numbers that choose sender, limits and cuts, and behind them the bytes on the wire.
pub fn frames(data: &[u8]) {
    let input = Input::read(data);
    let whole = input.scan(usize::MAX, |_, _| {});
    for cut in [1, input.cut] {
        assert_eq!(input.scan(cut, |_, _| {}), whole, "pieces of {cut} bytes change what was said");
    }
    for said in &whole.0 {
        match said {
            Said::Control(opcode, payload) => assert!(opcode.is_control() && payload.len() <= 125),
            Said::Data(_, opaque, payload, _) => {
                assert!(payload.len() as u64 <= input.limits.message);
                assert!(!opaque || input.allowed != Rsv::NONE);
            }
        }
    }
    if let Some(violation) = whole.1 {
        assert!(violation.close_code().may_be_sent());
    }
}

/// The same bytes as for [`frames`], put together under a budget.
pub fn assembly(data: &[u8]) {
    let input = Input::read(data);
    let limit = 4096;
    let budget = Arc::new(Budget::new(limit));
    let mut assembly = Assembly::new(Arc::clone(&budget));
    let (mut failed, mut frames, mut payload) = (false, Vec::new(), Vec::new());
    input.scan(input.cut, |piece, buffer| {
        if failed {
            return;
        }
        frames.extend_from_slice(&buffer[piece.whole.clone()]);
        payload.extend_from_slice(&in_clear(&buffer[piece.payload.clone()], piece.mask, piece.phase));
        failed = assembly.push(piece, buffer).is_err();
        assert!(budget.used() <= limit);
        if failed {
            return;
        }
        assert_eq!(assembly.payload(), payload);
        if piece.ends_message {
            let text = piece.kind == DataKind::Text && !piece.opaque;
            assert!(!text || std::str::from_utf8(&payload).is_ok(), "text is no UTF-8");
            let whole = std::mem::replace(&mut assembly, Assembly::new(Arc::clone(&budget)));
            assert_eq!(whole.into_frames(), frames, "the frames are not as they came");
            assert_eq!(budget.used(), 0);
            frames.clear();
            payload.clear();
        }
    });
    drop(assembly);
    assert_eq!(budget.used(), 0);
}

fn note(said: &mut Vec<Said>, event: Event, buffer: &[u8]) {
    match event {
        Event::Control(control) => {
            let payload = in_clear(&buffer[control.payload], control.mask, 0);
            // A control frame between the pieces of a message stands before the message, whose end counts.
            let at = said.len() - usize::from(matches!(said.last(), Some(Said::Data(_, _, _, false))));
            said.insert(at, Said::Control(control.opcode, payload));
        }
        Event::Data(piece) => {
            let clear = in_clear(&buffer[piece.payload], piece.mask, piece.phase);
            match said.last_mut() {
                Some(Said::Data(kind, opaque, payload, ended @ false)) => {
                    assert!(!piece.starts_message && *kind == piece.kind);
                    *opaque |= piece.opaque;
                    payload.extend_from_slice(&clear);
                    *ended = piece.ends_message;
                }
                _ => {
                    assert!(piece.starts_message);
                    said.push(Said::Data(piece.kind, piece.opaque, clear, piece.ends_message));
                }
            }
        }
    }
}

fn in_clear(payload: &[u8], key: Option<[u8; 4]>, phase: usize) -> Vec<u8> {
    let mut clear = payload.to_vec();
    if let Some(key) = key {
        mask::apply(&mut clear, key, phase);
    }
    clear
}
