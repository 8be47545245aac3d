//! Steps: what a policy asks of a message, one after the other. A step's configuration, work and tests stand together.

mod audit;
mod blocklist;
mod config;
mod crs;
mod enrich;
mod files;
mod guard;
mod kinds;
mod limit;
mod memory;
mod plugin;
mod redact;
mod replay;
mod schema;
mod then;
mod watermark;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use crate::view::View;
pub use config::RawStep;
use http::HeaderName;
pub(crate) use memory::Memory;
pub use redact::reveals_secret;
pub use schema::{RawOtherwise, RawSchema, RawSource};
pub use then::{RawThen, Then};
pub(crate) use watermark::Marking;
use wicketgate_wire::CloseCode;

use self::audit::AuditStep;
use self::blocklist::Blocklist;
use self::crs::Crs;
use self::enrich::Enrich;
use self::files::Files;
use self::guard::GuardStep;
use self::kinds::{Allow, Deny, Kinds};
use self::limit::Limit;
use self::plugin::Plugin;
use self::redact::Redact;
use self::replay::Replay;
use self::schema::Schema;
use self::watermark::Watermark;
use crate::condition::Condition;
use crate::fields::Path;
use crate::finding::{Action, Enforcement, Hit};
use crate::message::Direction;
use crate::reloaded::Reloaded;
use crate::rewrite::Edits;
use crate::verdict::{Keep, Verdict};

/// Where a step stands.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Which way the messages travel that it judges.
    pub direction: Direction,
    /// Where they say of what kind they are.
    pub kind: Option<&'a Path>,
    /// Whether they have kinds.
    pub has_kinds: bool,
}

/// What a step makes of a message.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Nothing.
    Pass,
    /// So much of it is to be recorded.
    Keep(Keep),
    /// It is not to go on, for these reasons; what happens is the step's `then`.
    Violation(Vec<Hit>),
    /// It goes on, and these are recorded.
    Note(Vec<Hit>),
    /// It is not to go on, for these reasons; what happens is this, whatever the step's `then` says.
    End(Vec<Hit>, End),
    /// It is to go on once these pictures of it are marked, for these reasons.
    Mark(Vec<Hit>, Marking),
    /// It is to go on with these changes, for these reasons.
    Rewrite(Vec<Hit>, New),
}

/// What a step itself says that becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The session ends with this code.
    Close(CloseCode),
    /// Nothing goes on.
    Drop,
}

/// What a step can leave out of what it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excludes {
    /// Rules of ours, by their ids.
    Guard,
    /// Rules of ModSecurity, by their numbers.
    Crs,
}

/// What a step makes of a message that goes on changed.
#[derive(Debug)]
pub(crate) enum New {
    /// The same, with these changes.
    Edits(Edits),
    /// Another in its place.
    Whole(Vec<u8>),
}

impl End {
    pub(crate) const fn action(self) -> Action {
        match self {
            Self::Close(_) => Action::Closed,
            Self::Drop => Action::Dropped,
        }
    }

    pub(crate) const fn verdict(self) -> Verdict {
        match self {
            Self::Close(code) => Verdict::Close(code),
            Self::Drop => Verdict::Drop,
        }
    }
}

/// One step of a policy.
#[derive(Clone, Debug)]
pub struct Step {
    pub(crate) name: Arc<str>,
    pub(crate) enforcement: Enforcement,
    pub(crate) then: Then,
    only: Option<Kinds>,
    when: Option<Condition>,
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
    /// Values are set, added or removed.
    Enrich(Enrich),
    /// Only what fits a schema passes.
    Schema(Schema),
    /// Attacks do not pass.
    Guard(GuardStep),
    /// What rules of ModSecurity refuse does not pass.
    Crs(Crs),
    /// A component says what passes.
    Plugin(Plugin),
    /// It is recorded.
    Audit(AuditStep),
    /// Pictures are marked.
    Watermark(Watermark),
    /// Whatever meets the condition does not pass.
    Rule,
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
            | Self::Files(_)
            | Self::Schema(_)
            | Self::Guard(_)
            | Self::Crs(_)
            // It may give the whole of another message, whatever the format.
            | Self::Plugin(_)
            | Self::Audit(_)
            | Self::Rule => false,
            Self::Redact(_) | Self::Enrich(_) | Self::Watermark(_) => true,
        }
    }
}

impl Step {
    /// The headers of the handshake that it names.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let inner: Vec<&Condition> = match &self.work {
            Work::Allow(allow) => allow.conditions().collect(),
            Work::Deny(deny) => deny.conditions().collect(),
            _ => Vec::new(),
        };
        let enrich = if let Work::Enrich(enrich) = &self.work { Some(enrich) } else { None };
        let inner = self.when.iter().chain(inner).flat_map(Condition::headers);
        inner.chain(enrich.into_iter().flat_map(Enrich::headers))
    }

    /// Whether it has all that messages say recorded.
    pub(crate) fn keeps_whole(&self) -> bool {
        matches!(&self.work, Work::Audit(audit) if audit.keeps_whole())
    }

    /// The paths whose values it covers, whatever they are.
    pub(crate) fn redacted(&self) -> impl Iterator<Item = &Path> {
        let redact = if let Work::Redact(redact) = &self.work { Some(redact) } else { None };
        redact.into_iter().flat_map(Redact::whole_paths)
    }

    /// What it can leave out of what it looks for; none where it cannot.
    pub(crate) const fn excludes(&self) -> Option<Excludes> {
        match self.work {
            Work::Guard(_) => Some(Excludes::Guard),
            Work::Crs(_) => Some(Excludes::Crs),
            _ => None,
        }
    }

    /// Whether it asks this rule, by the name that findings have for it.
    pub(crate) fn has_rule(&self, rule: &str) -> bool {
        match &self.work {
            Work::Guard(guard) => guard.has_rule(rule),
            Work::Crs(crs) => crs.has_rule(rule),
            _ => false,
        }
    }

    /// Judges one message.
    pub(crate) fn judge(&self, view: &View<'_>, memory: &mut Memory) -> Effect {
        if self.only.as_ref().is_some_and(|only| !only.contains(view.kind)) {
            return Effect::Pass;
        }
        // A condition that cannot be evaluated counts as met: what nobody can judge is not to pass by that.
        let met = self.when.as_ref().map(|when| when.is_met(view));
        if matches!(met, Some(Ok(false))) {
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
            Work::Enrich(enrich) => enrich.judge(view, self.enforcement),
            Work::Schema(schema) => schema.judge(view),
            Work::Guard(guard) => guard.judge(view),
            Work::Crs(crs) => crs.judge(view),
            Work::Plugin(plugin) => {
                plugin.judge(view, || &mut memory.part(view.direction, &self.name).instance)
            }
            Work::Audit(audit) => Effect::Keep(audit.keep(view)),
            Work::Watermark(watermark) => {
                watermark.judge(view, self.enforcement, memory.part(view.direction, &self.name))
            }
            Work::Rule => Effect::Violation(vec![match met {
                Some(Err(why)) => Hit::whole("rule_failed", why),
                _ => Hit::whole("rule", "its condition is met"),
            }]),
        }
    }

    /// Whether it counts messages, whatever they say.
    pub(crate) const fn counts(&self) -> bool {
        matches!(self.work, Work::Limit(_))
    }

    /// Goes on with what the step of the last configuration knows of all sessions, if it is the same one.
    pub(crate) fn follow(&self, last: &Self) {
        match (&self.work, &last.work) {
            (Work::Limit(limit), Work::Limit(last)) => limit.follow(last),
            (Work::Replay(replay), Work::Replay(last)) => replay.follow(last),
            (Work::Plugin(plugin), Work::Plugin(last)) => plugin.follow(last),
            _ => {}
        }
    }

    /// Reads anew what it was made of, if that is a file that changed.
    pub(crate) fn reload(&self) -> Option<Reloaded> {
        match &self.work {
            Work::Blocklist(blocklist) => blocklist.reload(),
            Work::Plugin(plugin) => plugin.reload(),
            _ => None,
        }
    }

    /// The file that is to be read anew when it changes.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &self.work {
            Work::Blocklist(blocklist) => blocklist.file(),
            Work::Plugin(plugin) => Some(plugin.file()),
            _ => None,
        }
    }

    /// Whether it may change messages.
    pub(crate) const fn rewrites(&self) -> bool {
        self.work.rewrites()
    }

    /// Whether it marks pictures.
    pub(crate) const fn marks(&self) -> bool {
        matches!(self.work, Work::Watermark(_))
    }

    /// Whether it looks at nothing but values of bytes.
    pub(crate) fn wants_bytes(&self) -> bool {
        matches!(&self.work, Work::Watermark(watermark) if watermark.wants_bytes())
    }

    /// Whether it may put another message in a message's place.
    pub(crate) fn replaces(&self) -> bool {
        matches!(&self.work, Work::Plugin(plugin) if plugin.may_rewrite())
    }

    /// Whether it sets fields.
    pub(crate) const fn enriches(&self) -> bool {
        matches!(self.work, Work::Enrich(_))
    }
}
