//! Steps: what a policy asks of a message, one after the other. A step's configuration, work and tests stand together.

mod config;
mod kinds;
mod redact;
mod then;

use std::sync::Arc;

pub use config::RawStep;
pub use then::{RawThen, Then};
use wicketgate_wire::DataKind;

use self::kinds::{Allow, Deny, Kinds};
use self::redact::Redact;
use crate::facts::Facts;
use crate::fields::Fields;
use crate::finding::{Enforcement, Hit};
use crate::message::Direction;
use crate::rewrite::Edits;

/// What a step may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'m> {
    /// What the message says.
    pub(crate) fields: Fields<'m>,
    /// What kind of message it is; empty where it has none.
    pub(crate) kind: &'m str,
    /// Text or binary.
    pub(crate) data: DataKind,
    /// Which way it travels.
    pub(crate) direction: Direction,
    /// Who sends it.
    pub(crate) facts: &'m Facts,
}

/// What a step makes of a message.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Nothing.
    Pass,
    /// It is not to go on, for these reasons; what happens is the step's `then`.
    Violation(Vec<Hit>),
    /// It is to go on with these changes, for these reasons.
    Rewrite(Vec<Hit>, Edits),
}

/// One step of a policy.
#[derive(Clone, Debug)]
pub struct Step {
    pub(crate) name: Arc<str>,
    pub(crate) enforcement: Enforcement,
    pub(crate) then: Then,
    only: Option<Kinds>,
    work: Work,
}

/// What a step does.
#[derive(Clone, Debug)]
enum Work {
    /// Only what is listed passes.
    Allow(Allow),
    /// What is listed does not pass.
    Deny(Deny),
    /// Values are covered or taken out.
    Redact(Redact),
}

impl Work {
    /// Whether it may change messages.
    const fn rewrites(&self) -> bool {
        match self {
            Self::Allow(_) | Self::Deny(_) => false,
            Self::Redact(_) => true,
        }
    }
}

impl Step {
    /// Judges one message.
    pub(crate) fn judge(&self, view: &View<'_>) -> Effect {
        if self.only.as_ref().is_some_and(|only| !only.contains(view.kind)) {
            return Effect::Pass;
        }
        match &self.work {
            Work::Allow(allow) => allow.judge(view),
            Work::Deny(deny) => deny.judge(view),
            Work::Redact(redact) => redact.judge(view),
        }
    }

    /// Whether it may change messages.
    pub(crate) const fn rewrites(&self) -> bool {
        self.work.rewrites()
    }
}
