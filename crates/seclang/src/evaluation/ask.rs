//! One rule, asked about the values that it looks at.

use super::state::{Made, Matched};
use super::texts::TextId;
use super::values::{GROUPS, UNITED, groups, is_of_body};
use super::{Evaluation, Origin, state};
use crate::bits;
use crate::forms::FormId;
use crate::operator::{Phrases, Test, is_url_encoded, is_utf8, number};
use crate::pattern::{Pattern, WornOut};
use crate::request::{End, Source};
use crate::rule::{Phase, Rule};
use crate::target::{Collection, Single, Target};

/// A value that is looked at, and where it stands.
struct Seen<'a> {
    collection: Collection,
    name: &'a [u8],
    source: Source,
}

/// What stands before and behind the end of a finding in its excerpt.
const BEFORE: usize = 32;
const BEHIND: usize = 16;
/// What asking about a value costs, however short it is.
const ASKED: usize = 8;

impl<'e> Evaluation<'e, '_> {
    /// Whether a rule holds for any of its values; it does what it does for each of them.
    pub(super) fn link_holds(&mut self, head: usize, at: usize, rule: &'e Rule) -> bool {
        let Some(test) = rule.test else {
            self.apply_sets(rule);
            return true;
        };
        let quiet = self.quiet.as_ref().is_some_and(|quiet| quiet.has(at));
        let mut holds = false;
        for target in &rule.targets {
            if self.state.end != End::Passed {
                return false;
            }
            let found = match target.collection {
                _ if target.counted => {
                    let count = self.count(target).to_string();
                    self.ask_plainly(rule, test, target.collection, b"", count.as_bytes())
                }
                Collection::Nothing => false,
                Collection::Tx => self.ask_tx(rule, test, target),
                Collection::MatchedVars => self.ask_matched(rule, test, false),
                Collection::MatchedVarsNames => self.ask_matched(rule, test, true),
                Collection::One(
                    single @ (Single::MatchedVar | Single::MatchedVarName | Single::UniqueId | Single::Zero),
                ) => {
                    let value = self.special(single);
                    value.is_some_and(|value| self.ask_plainly(rule, test, target.collection, b"", &value))
                }
                _ => self.ask_values(head, rule, test, target, quiet),
            };
            holds |= found;
        }
        holds && self.state.end == End::Passed
    }

    /// A value that depends on what was found.
    pub(super) fn special(&self, single: Single) -> Option<Box<[u8]>> {
        match single {
            Single::MatchedVar => self.matched.last().map(|matched| matched.value.clone()),
            Single::MatchedVarName => self.matched.last().map(Matched::full_name),
            Single::Zero => Some(b"0"[..].into()),
            Single::UniqueId => Some(b"-"[..].into()),
            _ => None,
        }
    }

    /// How many values of a target there are.
    fn count(&mut self, target: &Target) -> usize {
        let mut work = 0;
        let count = match target.collection {
            Collection::Tx => {
                let all = self.state.tx.all(&self.set.names);
                all.filter(|(name, _)| target.selection.has(name, &mut work)).count()
            }
            Collection::MatchedVars | Collection::MatchedVarsNames => self.matched.len(),
            collection => {
                let groups = groups(collection).filter(|group| !self.hides(*group));
                let values = groups.flat_map(|group| self.values.group(group));
                let values = values.filter_map(|index| self.values.value(index));
                values.filter(|value| target.selection.has(&value.name, &mut work)).count()
            }
        };
        self.spend(work);
        count
    }

    /// Whether a group's values are not there yet.
    pub(super) fn hides(&self, group: usize) -> bool {
        self.phase == Phase::Head && is_of_body(group)
    }

    /// `quiet` where it finds nothing in the head.
    fn ask_values(&mut self, head: usize, rule: &'e Rule, test: u32, target: &Target, quiet: bool) -> bool {
        let mut holds = false;
        for group in groups(target.collection) {
            if self.hides(group) || (quiet && !is_of_body(group)) || !self.may_hold(group, rule, test) {
                continue;
            }
            for index in self.values.group(group) {
                holds |= self.ask_value(head, rule, test, target, group, index);
                if self.state.end != End::Passed {
                    return false;
                }
            }
        }
        holds
    }

    fn ask_value(
        &mut self,
        head: usize,
        rule: &'e Rule,
        test: u32,
        target: &Target,
        group: usize,
        index: usize,
    ) -> bool {
        let collection = GROUPS.get(group).copied().unwrap_or(Collection::Nothing);
        let Some(value) = self.values.value(index) else { return false };
        if !self.may_find(rule, test, value.text) {
            return false;
        }
        let Some(value) = self.values.value(index) else { return false };
        let mut work = ASKED;
        let is_meant = target.selection.has(&value.name, &mut work)
            && !rule.left_out.iter().any(|target| target.means(collection, &value.name, &mut work))
            && !self.state.leaves_out(head, collection, &value.name, &mut work);
        if !self.spend(work) || !is_meant {
            return false;
        }
        let Some(value) = self.values.value(index) else { return false };
        let argument = value.argument.and_then(|at| self.request.arguments.get(at));
        if argument.and_then(|argument| argument.without).is_some_and(|mask| mask.0.has(head)) {
            return false;
        }
        let (text, mut holds, mut last) = (value.text, false, None);
        for form in &rule.forms {
            let mut work = 0;
            let text = self.texts.form(text, *form, &self.set.forms, &mut work);
            if !self.spend(work) || last.replace(text) == Some(text) {
                continue;
            }
            let Some(end) = self.answer(rule, test, text) else { continue };
            holds = true;
            let bytes = self.texts.bytes(text).to_vec();
            let Some(value) = self.values.value(index) else { continue };
            let (name, source) = (value.name.clone(), value.source.clone());
            self.hit(rule, test, Seen { collection: target.collection, name: &name, source }, &bytes, end);
        }
        holds
    }

    /// The form in which a rule looks for literals; none where it looks in several, or is not known by them.
    fn by_literals(&self, rule: &Rule, test: u32) -> Option<FormId> {
        let [form] = *rule.forms else { return None };
        let by_literals = self.set.gate.asked(test as usize).is_some_and(|asked| asked.by_literals);
        (by_literals && !rule.negated).then_some(form)
    }

    /// Whether a rule may find something in a value.
    fn may_find(&mut self, rule: &Rule, test: u32, value: TextId) -> bool {
        let Some(form) = self.by_literals(rule, test) else { return true };
        let mut work = ASKED;
        let text = self.texts.form(value, form, &self.set.forms, &mut work);
        let likely = bits::has(self.texts.likely(text, &self.set.gate, &mut work), test as usize);
        self.spend(work) && likely
    }

    /// Whether a rule may hold for any value of a group.
    fn may_hold(&mut self, group: usize, rule: &Rule, test: u32) -> bool {
        let Some(form) = self.by_literals(rule, test).filter(|_| group < UNITED) else { return true };
        let slot = group * self.set.forms.len() + form.0 as usize;
        if let Some(Some(union)) = self.unions.get(slot) {
            return bits::has(union, test as usize);
        }
        let mut union = vec![0; self.set.gate.words()];
        let mut work = 0;
        for index in self.values.group(group) {
            let Some(value) = self.values.value(index) else { continue };
            let text = self.texts.form(value.text, form, &self.set.forms, &mut work);
            let likely = self.texts.likely(text, &self.set.gate, &mut work);
            for (word, likely) in union.iter_mut().zip(likely) {
                *word |= likely;
            }
        }
        let has = bits::has(&union, test as usize);
        if let Some(slot) = self.unions.get_mut(slot) {
            *slot = Some(union.into());
        }
        self.spend(work) && has
    }

    fn ask_tx(&mut self, rule: &'e Rule, test: u32, target: &Target) -> bool {
        let set = self.set;
        if let crate::target::Selection::Name(name) = &target.selection {
            let value = match set.names.known(name) {
                Some(name) => self.state.tx.value(name).cloned(),
                None => self.state.tx.made(name).cloned(),
            };
            return value.is_some_and(|value| self.ask_plainly(rule, test, Collection::Tx, name, &value));
        }
        let mut work = 0;
        let all = self.state.tx.all(&set.names).filter(|(name, _)| target.selection.has(name, &mut work));
        let all: Vec<Made> =
            all.map(|(name, value)| Made { name: name.into(), value: value.clone() }).collect();
        let mut holds = false;
        self.spend(work);
        for Made { name, value } in all {
            holds |= self.ask_plainly(rule, test, Collection::Tx, &name, &value);
        }
        holds
    }

    fn ask_matched(&mut self, rule: &'e Rule, test: u32, names: bool) -> bool {
        let mut holds = false;
        // What holds is noted behind these.
        for at in 0..self.matched.len() {
            let Some(matched) = self.matched.get(at).cloned() else { break };
            if self.state.end != End::Passed {
                break;
            }
            let value = if names { matched.full_name() } else { matched.value };
            holds |= self.ask_plainly(rule, test, matched.collection, &matched.name, &value);
        }
        holds
    }

    /// Asks about a value that no other rule looks at.
    fn ask_plainly(
        &mut self,
        rule: &'e Rule,
        test: u32,
        collection: Collection,
        name: &[u8],
        value: &[u8],
    ) -> bool {
        if !self.spend(ASKED + value.len()) {
            return false;
        }
        let seen = || Seen { collection, name, source: Source::Other(collection.label()) };
        let is_itself = *rule.forms == [FormId::ITSELF];
        if is_itself
            && let Some(asked) = self.set.gate.asked(test as usize)
            && let Some(answer) = self.compare(&asked.test, value)
        {
            if answer != rule.negated {
                self.hit(rule, test, seen(), value, value.len());
            }
            return answer != rule.negated;
        }
        let original = self.texts.add(value.to_vec().into());
        let (mut holds, mut last) = (false, None);
        for form in &rule.forms {
            let mut work = value.len();
            let text = self.texts.form(original, *form, &self.set.forms, &mut work);
            if !self.spend(work) || last.replace(text) == Some(text) {
                continue;
            }
            if let Some(end) = self.answer(rule, test, text) {
                holds = true;
                let bytes = self.texts.bytes(text).to_vec();
                self.hit(rule, test, seen(), &bytes, end);
            }
        }
        holds
    }

    /// Where in a text a rule finds something, at its end; of one that is negated, the text's end where it does not.
    pub(super) fn answer(&mut self, rule: &Rule, test: u32, text: TextId) -> Option<usize> {
        let found = self.find(test as usize, text);
        if self.state.end != End::Passed {
            return None;
        }
        match rule.negated {
            true => found.is_none().then(|| self.texts.bytes(text).len()),
            false => found,
        }
    }

    fn find(&mut self, test: usize, text: TextId) -> Option<usize> {
        let set = self.set;
        let asked = set.gate.asked(test)?;
        if asked.by_literals {
            let mut work = 0;
            let likely = bits::has(self.texts.likely(text, &set.gate, &mut work), test);
            if !self.spend(work) || !likely {
                return None;
            }
        }
        if !asked.is_possible(self.texts.folded(text)) {
            return None;
        }
        let length = self.texts.bytes(text).len();
        match &asked.test {
            Test::Rx(pattern) => self.match_pattern(pattern, test, text),
            Test::Phrases(_) if asked.by_literals => Some(length),
            Test::Phrases(phrases) => self.match_phrases(phrases, text),
            Test::Injection(injection) => {
                let judged = self.spend(length.saturating_mul(injection.passes()))
                    && injection.is_in(self.texts.bytes(text));
                judged.then_some(length)
            }
            other => {
                if !self.spend(length) {
                    return None;
                }
                let found = self.compare(other, self.texts.bytes(text));
                (found == Some(true)).then_some(length)
            }
        }
    }

    fn match_pattern(&mut self, pattern: &Pattern, test: usize, text: TextId) -> Option<usize> {
        let length = self.texts.bytes(text).len();
        if !self.spend(length) {
            return None;
        }
        match self.scratch.find(test, pattern, self.texts.bytes(text))? {
            Ok(found) => found,
            Err(WornOut) => {
                let slowly = length.saturating_mul(pattern.slowness());
                self.spend(slowly).then(|| pattern.find_slowly(self.texts.bytes(text))).flatten()
            }
        }
    }

    fn match_phrases(&mut self, phrases: &Phrases, text: TextId) -> Option<usize> {
        let length = self.texts.bytes(text).len();
        if phrases.short.meets(self.texts.folded(text)) {
            return Some(length);
        }
        if !self.spend(length.saturating_mul(phrases.long.len())) {
            return None;
        }
        let folded = self.texts.bytes(text).to_ascii_lowercase();
        phrases.long.iter().any(|phrase| memchr::memmem::find(&folded, phrase).is_some()).then_some(length)
    }

    /// What a test that compares says of a value; none where it is one that searches.
    fn compare(&self, test: &Test, value: &[u8]) -> Option<bool> {
        Some(match test {
            Test::Rx(_) | Test::Phrases(_) | Test::Injection(_) => return None,
            Test::Text(relation, text) => match text.plain() {
                Some(text) => relation.holds(value, text),
                None => relation.holds(value, &self.expand(text)),
            },
            Test::Number(order, text) => match text.plain() {
                Some(text) => order.holds(number(value), number(text)),
                None => order.holds(number(value), number(&self.expand(text))),
            },
            Test::ByteOutside(outside) => value.iter().any(|byte| outside.has(*byte)),
            Test::UrlEncoding => !is_url_encoded(value),
            Test::Utf8Encoding => !is_utf8(value),
            Test::Address(networks) => networks.has(value),
            Test::Always => true,
            Test::Never => false,
        })
    }

    fn hit(&mut self, rule: &'e Rule, test: u32, seen: Seen<'_>, value: &[u8], end: usize) {
        if self.tells && self.origin.is_none() {
            let around = value.get(end.saturating_sub(BEFORE)..value.len().min(end + BEHIND));
            self.origin = Some(Origin {
                source: seen.source,
                name: seen.name.into(),
                excerpt: around.unwrap_or_default().into(),
            });
        }
        let Seen { collection, name, .. } = seen;
        if !self.spend(ASKED + name.len() + value.len()) {
            return;
        }
        if rule.remembers {
            self.matched.push(Matched { collection, name: name.into(), value: value.into() });
        }
        if rule.captures {
            self.capture(rule, test, value);
        }
        self.apply_sets(rule);
    }

    fn capture(&mut self, rule: &Rule, test: u32, value: &[u8]) {
        use crate::names::TxName;
        let Some(asked) = self.set.gate.asked(test as usize) else { return };
        match &asked.test {
            Test::Rx(pattern) if !rule.negated => {
                if !self.spend(value.len().saturating_mul(pattern.slowness())) {
                    return;
                }
                for (group, span) in pattern.groups(value, &mut self.scratch.groups).into_iter().enumerate() {
                    let text = span.and_then(|span| value.get(span)).unwrap_or_default();
                    self.state.tx.set(TxName::group(group), Some(state::cut(text).into()));
                }
            }
            _ => self.state.tx.set(TxName::group(0), Some(state::cut(value).into())),
        }
    }
}

impl Matched {
    /// As in `ARGS:name`.
    fn full_name(&self) -> Box<[u8]> {
        let label = self.collection.label().as_bytes();
        match self.name.is_empty() {
            true => label.into(),
            false => [label, b":", &self.name].concat().into(),
        }
    }
}
