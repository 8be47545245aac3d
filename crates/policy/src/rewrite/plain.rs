//! Text and bytes: the message is one field, and stretches of it are stretches of the payload.

use super::patch::Patches;
use super::{Change, NewValue};
use crate::fields::NodeId;

pub(super) fn patch(edits: &[(NodeId, Change)], length: usize, patches: &mut Patches) -> Option<()> {
    for (_, change) in edits {
        match change {
            Change::Splice(pieces) => {
                for (at, new) in pieces {
                    patches.replace(at.clone(), new.as_bytes());
                }
            }
            Change::Replace(NewValue::Text(text)) => patches.replace(0..length, text.as_bytes()),
            Change::Replace(NewValue::Bytes(bytes)) => patches.replace(0..length, bytes.as_slice()),
            Change::Remove => patches.replace(0..length, Vec::new()),
            Change::Replace(_) | Change::Insert(..) => return None,
        }
    }
    Some(())
}
