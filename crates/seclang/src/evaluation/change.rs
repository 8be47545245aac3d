//! What rules set.

use std::sync::Arc;

use super::Evaluation;
use super::state::cut;
use super::values::groups;
use crate::macros::{Macro, Part};
use crate::operator::number;
use crate::request::End;
use crate::rule::{Change, Rule, Set, SetName};
use crate::target::{Collection, Target};

impl Evaluation<'_, '_> {
    pub(super) fn apply_sets(&mut self, rule: &Rule) {
        for set in &rule.sets {
            self.apply(set);
        }
    }

    fn apply(&mut self, set: &Set) {
        let made = match &set.name {
            SetName::Known(_) => None,
            SetName::Made(name) => Some(self.expand(name).to_ascii_lowercase()),
        };
        let known = match (&set.name, &made) {
            (SetName::Known(name), _) => Some(*name),
            (_, Some(made)) => self.set.names.known(made),
            _ => None,
        };
        let now = || match (known, &made) {
            (Some(name), _) => self.state.tx.value(name).map_or(0, |value| number(value)),
            (None, Some(made)) => self.state.tx.made(made).map_or(0, |value| number(value)),
            _ => 0,
        };
        let as_text = |value: i64| Some(Arc::from(value.to_string().into_bytes()));
        let value: Option<Arc<[u8]>> = match &set.change {
            Change::Unset => None,
            Change::To(text) => Some(cut(&self.expand(text)).into()),
            Change::Add(text) => as_text(now().saturating_add(number(&self.expand(text)))),
            Change::Subtract(text) => as_text(now().saturating_sub(number(&self.expand(text)))),
        };
        match (known, made) {
            (Some(name), _) => self.state.tx.set(name, value),
            // They are looked through for each. Where there is no room, a rule that reads it would see nothing.
            (None, Some(made)) => {
                let has_room =
                    self.spend(self.state.tx.len_made()) && self.state.tx.set_made(cut(&made), value);
                if !has_room {
                    self.state.end = End::OverBudget;
                }
            }
            _ => {}
        }
    }

    /// A text with its variables' values in it.
    pub(super) fn expand(&self, text: &Macro) -> Vec<u8> {
        let mut out = Vec::new();
        for part in text.parts() {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Tx(name) => out.extend_from_slice(self.tx(*name).as_deref().unwrap_or_default()),
                Part::Value(target) => self.first(target, &mut out),
            }
        }
        out
    }

    fn first(&self, target: &Target, out: &mut Vec<u8>) {
        if let Collection::One(single) = target.collection
            && let Some(value) = self.special(single)
        {
            return out.extend_from_slice(cut(&value));
        }
        let groups = groups(target.collection).filter(|group| !self.hides(*group));
        let mut values =
            groups.flat_map(|group| self.values.group(group)).filter_map(|at| self.values.value(at));
        if let Some(value) = values.find(|value| target.selection.has(&value.name, &mut 0)) {
            out.extend_from_slice(cut(self.texts.bytes(value.text)));
        }
    }
}
