//! Bytes: one field that is all of them.

use crate::fields::{Builder, Undecodable};

pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let payload = builder.payload();
    builder.bytes(payload, Some((0, payload.len())))
}
