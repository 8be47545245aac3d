//! Steps: what a policy asks of a message, one after the other. A step's configuration, work and tests stand together.

mod blocklist;
mod config;
mod files;
mod kinds;
mod limit;
mod memory;
mod redact;
mod replay;
mod then;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use blocklist::Reloaded;
pub use config::RawStep;
pub(crate) use memory::Memory;
pub use then::{RawThen, Then};
use wicketgate_wire::DataKind;

use self::blocklist::Blocklist;
use self::files::Files;
use self::kinds::{Allow, Deny, Kinds};
use self::limit::Limit;
use self::redact::Redact;
use self::replay::Replay;
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
    /// When, by a clock that all sessions share.
    pub(crate) now: Duration,
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
    /// Listed words do not pass.
    Blocklist(Blocklist),
    /// So many messages a second pass.
    Limit(Limit),
    /// What came once does not pass again.
    Replay(Replay),
    /// Only files of some types and sizes pass.
    Files(Files),
}

impl Work {
    /// Whether it may change messages.
    const fn rewrites(&self) -> bool {
        match self {
            Self::Allow(_)
            | Self::Deny(_)
            | Self::Blocklist(_)
            | Self::Limit(_)
            | Self::Replay(_)
            | Self::Files(_) => false,
            Self::Redact(_) => true,
        }
    }
}

impl Step {
    /// Judges one message.
    pub(crate) fn judge(&self, view: &View<'_>, memory: &mut Memory) -> Effect {
        if self.only.as_ref().is_some_and(|only| !only.contains(view.kind)) {
            return Effect::Pass;
        }
        match &self.work {
            Work::Allow(allow) => allow.judge(view),
            Work::Deny(deny) => deny.judge(view),
            Work::Redact(redact) => redact.judge(view),
            Work::Blocklist(blocklist) => blocklist.judge(view),
            Work::Limit(limit) => limit.judge(view, memory.part(view.direction, &self.name)),
            Work::Replay(replay) => replay.judge(view, memory.part(view.direction, &self.name)),
            Work::Files(files) => files.judge(view),
        }
    }

    /// Goes on with what the step of the last configuration knows of all sessions, if it is the same one.
    pub(crate) fn follow(&self, last: &Self) {
        match (&self.work, &last.work) {
            (Work::Limit(limit), Work::Limit(last)) => limit.follow(last),
            (Work::Replay(replay), Work::Replay(last)) => replay.follow(last),
            _ => {}
        }
    }

    /// Reads anew what it was made of, if that is a file that changed.
    pub(crate) fn reload(&self) -> Option<Reloaded> {
        match &self.work {
            Work::Blocklist(blocklist) => blocklist.reload(),
            _ => None,
        }
    }

    /// The file that is to be read anew when it changes.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &self.work {
            Work::Blocklist(blocklist) => blocklist.file(),
            _ => None,
        }
    }

    /// Whether it may change messages.
    pub(crate) const fn rewrites(&self) -> bool {
        self.work.rewrites()
    }
}
