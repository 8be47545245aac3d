//! What is needed of that which rules find: groups that this rule or one later in its chain names, or one that has them from
//! elsewhere; values that a link of the chain looks at.

use super::Compiled;
use crate::macros::Macro;
use crate::operator::Test;
use crate::rule::{Change, Rule, Set, SetName};
use crate::target::{Collection, Single, Target};

/// Groups, a bit for each.
type Groups = u16;

/// All that there are.
const ALL: Groups = (1 << 10) - 1;

/// Of the rules that capture, leaves those to it whose groups somebody names: finding them is dear.
pub(super) fn need_groups(compiled: &mut Compiled) {
    let named: Vec<Named> = compiled.rules.iter().map(|rule| Named::by(rule, &compiled.tests)).collect();
    let follow = |index: usize| std::iter::successors(Some(index), |link| compiled.rules.get(*link)?.next);
    let most = compiled.rules.len();
    let mut is_link = vec![false; most];
    for next in compiled.rules.iter().filter_map(|rule| rule.next) {
        if let Some(slot) = is_link.get_mut(next) {
            *slot = true;
        }
    }
    let heads = (0..most).filter(|index| is_link.get(*index) == Some(&false));
    let mut elsewhere = false;
    for head in heads {
        let mut own = 0;
        for link in follow(head).take(most) {
            let (Some(rule), Some(named)) = (compiled.rules.get(link), named.get(link)) else { break };
            elsewhere |= named.before & !own != 0;
            if rule.captures {
                own |= captured(rule, &compiled.tests);
            }
            elsewhere |= named.behind & !own != 0;
        }
    }
    let needed: Vec<bool> = (0..most)
        .map(|index| {
            let mut links = follow(index).take(most);
            elsewhere
                || links.any(|link| named.get(link).is_some_and(|named| named.before | named.behind != 0))
        })
        .collect();
    for (rule, needed) in compiled.rules.iter_mut().zip(needed) {
        rule.captures &= needed;
    }
}

/// Lets rules remember what they found where a link of their chain looks at it.
pub(super) fn need_matched(compiled: &mut Compiled) {
    let looks: Vec<bool> =
        compiled.rules.iter().map(|rule| looks_at_matched(rule, &compiled.tests)).collect();
    let most = compiled.rules.len();
    for index in 0..most {
        let follow = std::iter::successors(Some(index), |link| compiled.rules.get(*link)?.next).take(most);
        let links: Vec<usize> = follow.collect();
        if links.iter().any(|link| looks.get(*link) == Some(&true)) {
            for link in links {
                if let Some(rule) = compiled.rules.get_mut(link) {
                    rule.remembers = true;
                }
            }
        }
    }
}

fn looks_at_matched(rule: &Rule, tests: &[Test]) -> bool {
    let names = |text: &Macro| text.targets().any(is_matched);
    let in_test = match rule.test.and_then(|test| tests.get(test as usize)) {
        Some(Test::Text(_, text) | Test::Number(_, text)) => names(text),
        _ => false,
    };
    let in_set = |set: &Set| {
        matches!(&set.name, SetName::Made(name) if names(name))
            || matches!(&set.change, Change::To(text) | Change::Add(text) | Change::Subtract(text) if names(text))
    };
    in_test || rule.targets.iter().any(is_matched) || rule.sets.iter().any(in_set)
}

const fn is_matched(target: &Target) -> bool {
    matches!(
        target.collection,
        Collection::MatchedVars
            | Collection::MatchedVarsNames
            | Collection::One(Single::MatchedVar | Single::MatchedVarName)
    )
}

/// The groups that a rule names.
struct Named {
    /// Before it has found anything.
    before: Groups,
    /// In what it sets when it has.
    behind: Groups,
}

impl Named {
    fn by(rule: &Rule, tests: &[Test]) -> Self {
        let in_test = match rule.test.and_then(|test| tests.get(test as usize)) {
            Some(Test::Text(_, text) | Test::Number(_, text)) => in_text(text),
            _ => 0,
        };
        let before = rule.targets.iter().map(in_target).fold(in_test, |all, groups| all | groups);
        let behind = rule.sets.iter().map(|set| {
            let in_name = if let SetName::Made(name) = &set.name { in_text(name) } else { 0 };
            match &set.change {
                Change::To(text) | Change::Add(text) | Change::Subtract(text) => in_name | in_text(text),
                Change::Unset => in_name,
            }
        });
        Self { before, behind: behind.fold(0, |all, groups| all | groups) }
    }
}

fn in_text(text: &Macro) -> Groups {
    text.tx().filter(|name| name.is_group()).fold(0, |all, name| all | 1 << name.0)
}

fn in_target(target: &Target) -> Groups {
    if target.collection != Collection::Tx {
        return 0;
    }
    let is_named = |group: &u8| target.selection.has(&[b'0' + group], &mut 0);
    (0..10).filter(is_named).fold(0, |all, group| all | 1 << group)
}

/// The groups that a rule captures.
fn captured(rule: &Rule, tests: &[Test]) -> Groups {
    match rule.test.and_then(|test| tests.get(test as usize)) {
        Some(Test::Rx(pattern)) if !rule.negated => ALL >> (10 - pattern.len_groups()),
        Some(_) => 1,
        None => 0,
    }
}
