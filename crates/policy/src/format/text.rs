//! Text: one field that is all of it.

use crate::fields::{Builder, Undecodable};

pub(super) fn decode(builder: &mut Builder<'_, '_>) -> Result<(), Undecodable> {
    let payload = builder.payload();
    let text = simdutf8::basic::from_utf8(payload).map_err(|_| Undecodable::Utf8)?;
    builder.text(text, Some((0, payload.len())))
}
