//! What a verdict lets pass, and a frame of ours that a message goes on in.

use wicketgate_policy::Forward;
use wicketgate_wire::{DataKind, Header, Opcode, Rsv, mask};

use super::end::Side;

/// What a message says, once a verdict let it pass.
pub(super) enum Clear {
    AsItCame(Forward),
    Rewritten(Vec<u8>, Forward),
}

/// A message as one frame to `to`, which is masked where we are its client.
pub(super) fn frame_for(to: Side, kind: DataKind, rsv: Rsv, payload: &[u8]) -> Vec<u8> {
    let opcode = match kind {
        DataKind::Text => Opcode::Text,
        DataKind::Binary => Opcode::Binary,
    };
    let key: Option<[u8; 4]> = (to == Side::Upstream).then(rand::random);
    let header = Header { fin: true, rsv, opcode, mask: key, length: payload.len() as u64 };
    let mut frame = Vec::with_capacity(Header::MAX_LEN + payload.len());
    frame.extend_from_slice(&header.encode());
    match key {
        Some(key) => mask::append(payload, &mut frame, key, 0),
        None => frame.extend_from_slice(payload),
    }
    frame
}

/// A message that a verdict lets pass: its frames as they came, or one of ours in their place.
pub(super) enum Passed {
    AsItCame(Forward),
    Made(Vec<u8>, Forward),
}
