//! Rules that find nothing in a head, so that they need not look there again for each of its bodies.

use super::Evaluation;
use super::values::{groups, is_of_body};
use crate::bits::Bits;
use crate::operator::Test;
use crate::rule::{Phase, Rule};
use crate::target::{Collection, Target};

impl Evaluation<'_, '_> {
    /// The rules that find nothing in the head, whatever rules set.
    pub(crate) fn quiet(&mut self) -> Bits {
        let set = self.set;
        let mut quiet = Bits::new(set.rules.len());
        // It is the head of a configuration or of one request, and looked at once.
        self.left = u64::MAX;
        self.budget = u64::MAX;
        let end = std::mem::take(&mut self.state.end);
        self.phase = Phase::Body;
        for (at, rule) in set.rules.iter().enumerate() {
            if rule.test.is_some_and(|test| self.finds_nothing(rule, test)) {
                quiet.insert(at);
            }
        }
        self.state.end = end;
        quiet
    }

    /// Rules that need not be asked about a body: their first link looks at nothing but the head, and finds nothing there.
    pub(crate) fn leave(&mut self, quiet: &Bits) {
        let looks_at_head = |target: &Target| {
            let mut groups = groups(target.collection);
            let is_known = target.collection == Collection::Nothing || !groups.is_empty();
            !target.counted && is_known && groups.all(|group| !is_of_body(group))
        };
        for (at, rule) in self.set.rules.iter().enumerate() {
            if quiet.has(at) && !rule.targets.is_empty() && rule.targets.iter().all(looks_at_head) {
                self.state.removed.insert(at);
            }
        }
    }

    fn finds_nothing(&mut self, rule: &Rule, test: u32) -> bool {
        let set = self.set;
        let depends = match set.gate.asked(test as usize).map(|asked| &asked.test) {
            Some(Test::Text(_, text) | Test::Number(_, text)) => text.plain().is_none(),
            Some(_) => false,
            None => true,
        };
        if depends {
            return false;
        }
        for target in rule.targets.iter().filter(|target| !target.counted) {
            let groups = groups(target.collection).filter(|group| !is_of_body(*group));
            let values: Vec<usize> = groups.flat_map(|group| self.values.group(group)).collect();
            for index in values {
                let Some(value) = self.values.value(index) else { continue };
                if !target.selection.has(&value.name, &mut 0) {
                    continue;
                }
                let value = value.text;
                for form in &rule.forms {
                    let text = self.texts.form(value, *form, &set.forms, &mut 0);
                    if self.answer(rule, test, text).is_some() {
                        return false;
                    }
                }
            }
        }
        true
    }
}
