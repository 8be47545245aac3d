//! `plugin`: a WebAssembly component says what passes.

mod config;
mod edits;
#[cfg(all(test, feature = "plugin-tests"))]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use config::RawPlugin;
use wicketgate_plugin::{Data, Direction as Way, Fault, Instance, Judge, Question, Verdict, Word};
use wicketgate_wire::{CloseCode, DataKind};

use super::{Effect, End, New, View};
use crate::component::InForce;
use crate::finding::Hit;
use crate::message::Direction;
use crate::reloaded::Reloaded;

/// A component that judges messages.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    component: Arc<InForce<Judge>>,
    keeping: Keeping,
    may_rewrite: bool,
}

/// Whose an instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keeping {
    /// All sessions': the next message may be anybody's, so it must keep nothing of one.
    #[default]
    Shared,
    /// One session's, from its first message to its end.
    Session,
}

impl Plugin {
    pub(super) const fn may_rewrite(&self) -> bool {
        self.may_rewrite
    }

    /// Goes on with the instances of the last configuration, if they are of the same component and settings.
    pub(super) fn follow(&self, last: &Self) {
        self.component.follow(&last.component);
    }

    /// The file that the component is loaded from.
    pub(super) fn file(&self) -> PathBuf {
        self.component.file().to_owned()
    }

    /// Loads the component anew, if its file changed.
    pub(super) fn reload(&self) -> Option<Reloaded> {
        self.component.reload()
    }

    /// Asks about a message; `own` has the session's instance.
    pub(super) fn judge<'s>(
        &self,
        view: &View<'_>,
        own: impl FnOnce() -> &'s mut Option<Instance>,
    ) -> Effect {
        let question = Question {
            direction: match view.direction {
                Direction::ToUpstream => Way::ToUpstream,
                Direction::ToClient => Way::ToClient,
            },
            data: match view.data {
                DataKind::Text => Data::Text,
                DataKind::Binary => Data::Binary,
            },
            kind: view.kind,
            payload: view.fields.payload(),
            unix_millis: u64::try_from(view.unix.as_millis()).unwrap_or(u64::MAX),
        };
        let component = self.component.get();
        let answer = match self.keeping {
            Keeping::Shared => component.ask(&question, view.facts.clone()),
            Keeping::Session => component.ask_own(own(), &question, view.facts.clone()),
        };
        answer.and_then(|verdict| self.effect(verdict, view)).unwrap_or_else(|fault| failed(&fault))
    }

    fn effect(&self, verdict: Verdict, view: &View<'_>) -> Result<Effect, Fault> {
        Ok(match verdict {
            Verdict::Pass => Effect::Pass,
            Verdict::Tag(tags) => Effect::Note(tags.into_iter().map(|tag| hit("tagged", &tag)).collect()),
            Verdict::Refuse(reason, None) => Effect::Violation(vec![hit("refused", &reason)]),
            Verdict::Refuse(reason, Some(code)) => {
                Effect::End(vec![hit("refused", &reason)], End::Close(CloseCode(code)))
            }
            Verdict::Drop(reason) => Effect::End(vec![hit("refused", &reason)], End::Drop),
            Verdict::Rewrite(_) | Verdict::Edit(_) if !self.may_rewrite => {
                return Err(Fault::Answer(
                    "another message, and the configuration does not say `may_rewrite: true`",
                ));
            }
            Verdict::Rewrite(payload) => {
                let hit = Hit::whole("rewritten", "the component put another message in its place");
                Effect::Rewrite(vec![hit], New::Whole(payload))
            }
            Verdict::Edit(edits) => edits::effect(edits, &view.fields)?,
        })
    }
}

fn hit(class: &'static str, word: &Word) -> Hit {
    Hit { rule: Some(word.as_str().into()), ..Hit::whole(class, "the component says so") }
}

/// A message that nobody judged does not pass, and it is not its sender's fault.
fn failed(fault: &Fault) -> Effect {
    Effect::End(vec![Hit::whole(fault.label(), fault.to_string())], End::Close(CloseCode::INTERNAL))
}
