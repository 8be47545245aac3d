//! Covering: fields that nobody should see get a value that says nothing, of their type and length. It is for who keeps messages
//! without being asked to by a step.

use std::ops::Range;

use crate::fields::{Field, Shown};
use crate::format::Format;
use crate::format::pack::Breach;
use crate::message::{Direction, Message};
use crate::policy::{Policy, Session};
use crate::rewrite::{Change, Edits, NewValue};

/// A message whose secrets are covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// What it says now.
    pub payload: Vec<u8>,
    /// The paths of what was covered.
    pub paths: Vec<String>,
}

/// Why a message cannot be covered: nothing of it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncovered {
    /// The format does not read it.
    #[error(transparent)]
    Unread(#[from] Breach),
    /// It has fields to cover, and its format cannot be changed, or not in this message.
    #[error("it cannot be changed")]
    Unwritable,
}

impl Policy {
    /// The session's next message, with those of its fields covered that are secret, and all that is in them. The steps of the policy
    /// are not asked.
    ///
    /// # Errors
    /// A message that cannot be read, or that cannot be changed and has something to cover.
    pub fn cover(
        &self,
        session: &mut Session,
        direction: Direction,
        message: Message<'_>,
        is_secret: &dyn Fn(&Field<'_>) -> bool,
    ) -> Result<Covered, Uncovered> {
        let format = self.rules().map_or(&Format::Binary, |rules| &rules.format);
        // Stretches of the message and what takes their place; none where one cannot be covered.
        let mut packets: Option<Vec<(Range<usize>, Vec<u8>)>> = Some(Vec::new());
        let mut paths = Vec::new();
        self.listen(session, direction, message, &mut |heard| {
            let edits = edits(heard.fields.root(), is_secret, &mut paths);
            if edits.is_empty() {
                return;
            }
            let at = heard.at;
            let new = if format.can_rewrite() { edits.apply(format, &heard.fields).ok() } else { None };
            packets = match (packets.take(), at, new) {
                (Some(mut packets), Some(at), Some(new)) => {
                    packets.push((at..at + heard.fields.payload().len(), new));
                    Some(packets)
                }
                _ => None,
            };
        })?;
        let (mut covered, mut done) = (Vec::with_capacity(message.payload.len()), 0);
        for (at, new) in packets.ok_or(Uncovered::Unwritable)? {
            covered.extend_from_slice(message.payload.get(done..at.start).ok_or(Uncovered::Unwritable)?);
            covered.extend_from_slice(&new);
            done = at.end;
        }
        covered.extend_from_slice(message.payload.get(done..).ok_or(Uncovered::Unwritable)?);
        Ok(Covered { payload: covered, paths })
    }
}

fn edits(root: Option<Field<'_>>, is_secret: &dyn Fn(&Field<'_>) -> bool, paths: &mut Vec<String>) -> Edits {
    let mut edits = Edits::default();
    // The number behind the secret field that is being covered.
    let mut inside = None;
    for field in root.iter().flat_map(Field::with_inner) {
        if inside.is_none_or(|end| field.id() >= end) {
            inside = is_secret(&field).then(|| field.end());
            if inside.is_some() {
                paths.push(field.path());
            }
        }
        if inside.is_some()
            && let Some(new) = cover(&field)
        {
            edits.push(field.id(), Change::Replace(new));
        }
    }
    edits
}

/// A value of the same type and length; none for what holds others, or nothing.
fn cover(field: &Field<'_>) -> Option<NewValue> {
    Some(match field.show() {
        Shown::List(_) | Shown::Map(_) | Shown::Null => return None,
        Shown::Bool(_) => NewValue::Bool(false),
        Shown::Int(_) | Shown::Uint(_) => NewValue::Int(0),
        Shown::Float(_) => NewValue::Float(0.5),
        Shown::Text(text) => NewValue::Text("*".repeat(text.chars().count())),
        Shown::Bytes(bytes) => NewValue::Bytes(vec![b'*'; bytes.len()]),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::DataKind;
    use crate::testing::policy;

    fn covered(format: &str, payload: &[u8], kind: DataKind) -> Result<Covered, Uncovered> {
        let policy = policy(&format!("name: p\nformat: {format}\nto_upstream: []\nto_client: []\n"));
        let is_secret = |field: &Field<'_>| field.key() == Some("password");
        let message = Message { kind, payload };
        policy.cover(&mut Session::default(), Direction::ToUpstream, message, &is_secret)
    }

    #[test]
    fn secrets_keep_their_type_and_length_alone() {
        let text = |format, payload: &str| {
            String::from_utf8(covered(format, payload.as_bytes(), DataKind::Text).unwrap().payload).unwrap()
        };
        assert_eq!(
            text("json", r#"{"a": "b", "password" : {"x":["hü", 7, true, null, 1.5]}, "c":1}"#),
            r#"{"a": "b", "password" : {"x":["**", 0, false, null, 0.5]}, "c":1}"#
        );
        assert_eq!(text("json", r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(
            text(
                "{json-rpc: {batches: true}}",
                r#"[{"jsonrpc":"2.0","method":"a","params":{"password":"b"}}]"#
            ),
            r#"[{"jsonrpc":"2.0","method":"a","params":{"password":"*"}}]"#
        );
        let packed = covered("msgpack", b"\x81\xa8password\xa2hi", DataKind::Binary).unwrap();
        assert_eq!(packed.payload, b"\x81\xa8password\xa2**");
        assert_eq!(packed.paths, ["password"]);
    }

    #[test]
    fn what_cannot_be_read_or_changed_is_not_kept() {
        assert!(matches!(covered("json", b"{", DataKind::Text), Err(Uncovered::Unread(_))));
        assert!(matches!(covered("json", b"{}", DataKind::Binary), Err(Uncovered::Unread(_))));
        let stomp = b"CONNECT\naccept-version:1.2\nhost:a\npassword:b\n\n\0";
        assert_eq!(
            covered("{stomp: {}}\nsubprotocols: ['']", stomp, DataKind::Text),
            Err(Uncovered::Unwritable)
        );
    }
}
