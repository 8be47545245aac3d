//! What becomes of a message.

mod pictures;

use std::sync::Arc;

pub use pictures::Pictures;

use wicketgate_wire::{CloseCode, DataKind};

use crate::finding::Finding;

/// Proof that a policy let a message pass: only a verdict holds one, and writing a message asks for it.
#[derive(Debug)]
pub struct Forward(pub(crate) ());

/// What becomes of a message.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on as it came.
    Forward(Forward),
    /// This goes on in its place, as a message of the same type.
    Rewrite(Vec<u8>, Forward),
    /// It goes on once these are marked.
    Mark(Box<Pictures>),
    /// Nothing goes on.
    Drop,
    /// Nothing goes on, and whoever sent it is answered.
    Reply(Reply),
    /// Nothing goes on, and the session ends: whoever sent it is told this code.
    Close(CloseCode),
}

/// An answer to whoever sent a message that does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Text or binary.
    pub kind: DataKind,
    /// What it says.
    pub payload: Arc<[u8]>,
}

/// A verdict, and what was found on the way to it.
#[derive(Debug)]
pub struct Outcome {
    /// What becomes of the message.
    pub verdict: Verdict,
    /// What was found, in the order of the steps. Empty, and without memory of its own, for almost every message.
    pub findings: Vec<Finding>,
    /// What is to be recorded of the message.
    pub keep: Option<Keep>,
    /// What kind of message it is, where something was found or is to be recorded; empty where it has none.
    pub kind: Box<str>,
}

/// What is to be recorded of a message. The more is kept, the later it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing of what it says.
    Metadata,
    /// Its fields, masked.
    Excerpt(String),
    /// All that it says.
    Whole(Vec<u8>),
}

impl Verdict {
    /// What becomes of the message, in the word for logs and audit. What becomes of it where a picture cannot be marked, a
    /// finding says.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forwarded",
            Self::Rewrite(..) | Self::Mark(_) => "rewritten",
            Self::Drop => "dropped",
            Self::Reply(_) => "replied",
            Self::Close(_) => "closed",
        }
    }
}

impl Outcome {
    pub(crate) fn pass() -> Self {
        Self::of(Verdict::Forward(Forward(())), Vec::new())
    }

    pub(crate) fn of(verdict: Verdict, findings: Vec<Finding>) -> Self {
        Self { verdict, findings, keep: None, kind: Box::default() }
    }
}
