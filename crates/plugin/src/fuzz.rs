//! The entry of the fuzz target: what a component leaves in its memory is an answer, or it is a fault. Nothing else comes of it.

use std::sync::{Arc, LazyLock};

use crate::{Data, Direction, Judge, Limits, Question, Session, testing};

/// Takes its question for its verdict.
static MIRROR: LazyLock<Option<Judge>> =
    LazyLock::new(|| Judge::of(&testing::mirroring(), Vec::new(), Limits::default()).ok());

/// Nobody in particular.
#[derive(Debug)]
pub struct Nobody;

impl Session for Nobody {
    fn id(&self) -> u64 {
        0
    }

    fn route(&self) -> &str {
        ""
    }

    fn subject(&self) -> Option<&str> {
        None
    }

    fn claims(&self) -> String {
        "{}".into()
    }

    fn address(&self) -> Option<String> {
        None
    }

    fn subprotocol(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> (&str, &str) {
        ("", "")
    }
}

/// Bytes that a component gives for its verdict.
///
/// # Panics
/// The host believed what it must not.
pub fn answer(payload: &[u8]) {
    let Some(judge) = &*MIRROR else { return };
    let question =
        Question { direction: Direction::ToUpstream, data: Data::Text, kind: "", payload, unix_millis: 0 };
    match judge.ask(&question, Arc::new(Nobody)) {
        Ok(crate::Verdict::Rewrite(new)) => {
            assert!(new.len() <= Limits::default().answer && std::str::from_utf8(&new).is_ok());
        }
        Ok(crate::Verdict::Refuse(_, code)) => assert!(code.is_none_or(|code| (4000..5000).contains(&code))),
        Ok(crate::Verdict::Tag(tags)) => assert!(tags.len() <= crate::MAX_TAGS),
        Ok(crate::Verdict::Edit(edits)) => assert!(edits.len() <= crate::MAX_EDITS),
        Ok(_) | Err(_) => {}
    }
}
