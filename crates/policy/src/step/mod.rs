//! Steps: what a policy asks of a message, one after the other. A step's configuration, work and tests stand together.

mod audit;
mod config;
mod guard;
mod kinds;
mod schema;
mod then;

use std::sync::Arc;

pub use config::RawStep;
use http::HeaderName;
pub use schema::{RawOtherwise, RawSchema, RawSource};
pub use then::{RawThen, Then};
use wicketgate_wire::DataKind;

use self::audit::AuditStep;
use self::guard::GuardStep;
use self::kinds::{Allow, Deny, Kinds};
use self::schema::Schema;
use crate::condition::Condition;
use crate::facts::Facts;
use crate::fields::{Fields, Path};
use crate::finding::{Enforcement, Hit};
use crate::message::Direction;
use crate::verdict::Keep;

/// Where a step stands.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Which way the messages travel that it judges.
    pub direction: Direction,
    /// Where they say of what kind they are.
    pub kind: Option<&'a Path>,
}

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
    /// So much of it is to be recorded.
    Keep(Keep),
    /// It is not to go on, for these reasons; what happens is the step's `then`.
    Violation(Vec<Hit>),
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
    /// Only what fits a schema passes.
    Schema(Schema),
    /// Attacks do not pass.
    Guard(GuardStep),
    /// It is recorded.
    Audit(AuditStep),
    /// Whatever meets the condition does not pass.
    Rule,
}

impl Step {
    /// The headers of the handshake that it names.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let inner: Vec<&Condition> = match &self.work {
            Work::Allow(allow) => allow.conditions().collect(),
            Work::Deny(deny) => deny.conditions().collect(),
            Work::Schema(_) | Work::Guard(_) | Work::Audit(_) | Work::Rule => Vec::new(),
        };
        self.when.iter().chain(inner).flat_map(Condition::headers)
    }

    /// Whether it has all that messages say recorded.
    pub(crate) fn keeps_whole(&self) -> bool {
        matches!(&self.work, Work::Audit(audit) if audit.keeps_whole())
    }

    /// Judges one message.
    pub(crate) fn judge(&self, view: &View<'_>) -> Effect {
        if self.only.as_ref().is_some_and(|only| !only.contains(view.kind)) {
            return Effect::Pass;
        }
        // A condition that cannot be evaluated counts as met: what nobody can judge is not to pass by that.
        let met = self.when.as_ref().map(|when| when.is_met(view));
        match (&self.work, met) {
            (_, Some(Ok(false))) | (Work::Rule, None) => Effect::Pass,
            (Work::Rule, Some(Ok(true))) => {
                Effect::Violation(vec![Hit::whole("rule", "its condition is met")])
            }
            (Work::Rule, Some(Err(why))) => Effect::Violation(vec![Hit::whole("rule_failed", why)]),
            (Work::Allow(allow), _) => allow.judge(view),
            (Work::Deny(deny), _) => deny.judge(view),
            (Work::Schema(schema), _) => schema.judge(view),
            (Work::Guard(guard), _) => guard.judge(view),
            (Work::Audit(audit), _) => Effect::Keep(audit.keep(view)),
        }
    }
}
