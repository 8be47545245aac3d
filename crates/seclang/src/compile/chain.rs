//! Which rules' groups are needed: those that this rule or one later in its chain names.

use super::Compiled;
use crate::macros::Macro;
use crate::operator::Test;
use crate::rule::{Change, Rule, SetName};
use crate::target::{Collection, Selection};

/// Marks the rules whose groups somebody names.
pub(super) fn need_groups(compiled: &mut Compiled) {
    let names: Vec<bool> = compiled.rules.iter().map(|rule| names_groups(rule, &compiled.tests)).collect();
    for index in 0..compiled.rules.len() {
        let links = std::iter::successors(Some(index), |link| compiled.rules.get(*link)?.next);
        let needed = links.take(compiled.rules.len()).any(|link| names.get(link) == Some(&true));
        if let Some(rule) = compiled.rules.get_mut(index) {
            rule.captures = needed;
        }
    }
}

fn names_groups(rule: &Rule, tests: &[Test]) -> bool {
    let has = |text: &Macro| text.tx().any(|name| name.is_group());
    let in_sets = rule.sets.iter().any(|set| {
        let in_name = matches!(&set.name, SetName::Made(name) if has(name));
        in_name
            || match &set.change {
                Change::To(text) | Change::Add(text) | Change::Subtract(text) => has(text),
                Change::Unset => false,
            }
    });
    let in_test = match rule.test.and_then(|test| tests.get(test as usize)) {
        Some(Test::Text(_, text) | Test::Number(_, text)) => has(text),
        _ => false,
    };
    let in_targets = rule.targets.iter().any(|target| {
        target.collection == Collection::Tx
            && matches!(&target.selection, Selection::Name(name) if matches!(**name, [b'0'..=b'9']))
    });
    in_sets || in_test || in_targets
}
