//! What a step found in a message: for logs, metrics and audit.

use std::sync::Arc;

pub use wicketgate_config::{Enforcement, masked};

/// What became of a message on account of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It went on: the step only records, or observes.
    Recorded,
    /// It went on, changed.
    Rewritten,
    /// It did not go on.
    Dropped,
    /// It did not go on, and whoever sent it was answered.
    Replied,
    /// The session ended.
    Closed,
}

impl Action {
    /// The word for logs, metrics and audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Rewritten => "rewritten",
            Self::Dropped => "dropped",
            Self::Replied => "replied",
            Self::Closed => "closed",
        }
    }
}

/// What a step found in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The step's name, unique in its policy.
    pub step: Arc<str>,
    /// What was found, in a stable word: the class of an attack, or what was broken.
    pub class: &'static str,
    /// The rule that found it, where the step has several.
    pub rule: Option<Arc<str>>,
    /// The field's path, as in `order.items[0].name`; `$` for the whole message.
    pub path: Box<str>,
    /// More about it, without anything that the message says.
    pub detail: Box<str>,
    /// A masked piece of what it was found in.
    pub excerpt: Option<Box<str>>,
    /// Whether it had consequences.
    pub enforcement: Enforcement,
    /// What became of the message on account of it.
    pub action: Action,
}

/// What was found, before it is known what follows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) class: &'static str,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) path: Box<str>,
    pub(crate) detail: Box<str>,
    pub(crate) excerpt: Option<Box<str>>,
}

impl Hit {
    /// Something about the whole message.
    pub(crate) fn whole(class: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self { class, rule: None, path: "$".into(), detail: detail.into(), excerpt: None }
    }
}
