//! All rules, compiled once for the process: one automaton of literals that says which rules are worth a look, and one
//! for each rule.

use std::ops::Range;
use std::sync::LazyLock;

use super::automaton::{Automaton, States};
use super::class::Class;
use super::form::Form;
use super::libinjection::Confirm;
use super::rule::{FILES, Reads, Rule, RuleFile};
use super::rule_set::RuleSet;
use super::settings::Sensitivity;
use super::summary::Summary;
use aho_corasick::automaton::Automaton as _;
use aho_corasick::{Anchored, MatchKind, dfa};

/// In longer texts, a rule reads so many bytes before and behind its literals.
const LONG: usize = 2048;
const BEFORE: usize = 512;
const BEHIND: usize = 1024;

/// All rules of this build.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// Compiled rules.
pub(super) struct Catalog {
    rules: Vec<Compiled>,
    literals: Option<dfa::DFA>,
    /// The rules of each literal.
    of_literal: Vec<Vec<u16>>,
}

/// One rule.
pub(super) struct Compiled {
    pub(super) id: String,
    pub(super) class: Class,
    pub(super) from: Sensitivity,
    pub(super) score: u32,
    pub(super) confirm: Option<Confirm>,
    forms: Vec<Form>,
    reads: Reads,
    needs: Vec<Summary>,
    longest: usize,
    /// A rule that does not compile finds something everywhere: nothing passes by a mistake in the rules.
    automaton: Option<Automaton>,
}

/// Where the literals of rules stood in a text.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) rules: RuleSet,
    spans: Vec<(u32, u32)>,
}

impl Catalog {
    fn embedded() -> Self {
        let mut rules = Vec::new();
        for (name, text) in FILES {
            match RuleFile::read(name, text) {
                Ok(file) => rules.extend(file.rules),
                Err(_) => return Self::broken(),
            }
        }
        Self::new(&rules).unwrap_or_else(|_| Self::broken())
    }

    /// The catalogue that refuses everything.
    fn broken() -> Self {
        Self { rules: Vec::new(), literals: None, of_literal: Vec::new() }
    }

    fn new(rules: &[Rule]) -> Result<Self, aho_corasick::BuildError> {
        let mut literals: Vec<&str> =
            rules.iter().flat_map(|rule| &rule.literals).map(String::as_str).collect();
        literals.sort_unstable();
        literals.dedup();
        let rules_of = |literal: &&str| {
            let own =
                rules.iter().enumerate().filter(|(_, rule)| rule.literals.iter().any(|own| own == literal));
            own.map(|(index, _)| index as u16).collect()
        };
        Ok(Self {
            of_literal: literals.iter().map(rules_of).collect(),
            literals: Some(
                dfa::Builder::new()
                    .match_kind(MatchKind::Standard)
                    .ascii_case_insensitive(true)
                    .start_kind(aho_corasick::StartKind::Unanchored)
                    .build(&literals)?,
            ),
            rules: rules.iter().map(Compiled::new).collect(),
        })
    }

    /// Whether it can be used at all.
    pub(super) fn is_broken(&self) -> bool {
        self.literals.is_none()
    }

    pub(super) fn rules(&self) -> &[Compiled] {
        &self.rules
    }

    pub(super) fn rule(&self, index: usize) -> Option<&Compiled> {
        self.rules.get(index)
    }

    /// Finds the rules whose literals stand in `text`.
    pub(super) fn candidates(&self, text: &[u8], found: &mut Candidates) {
        found.rules.clear();
        found.spans.resize(self.rules.len(), (0, 0));
        let Some(automaton) = &self.literals else { return };
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
        for (at, &byte) in text.iter().enumerate() {
            state = automaton.next_state(Anchored::No, state, byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                for index in 0..automaton.match_len(state) {
                    let literal = automaton.match_pattern(state, index);
                    for &rule in &self.of_literal[literal.as_usize()] {
                        found.add(usize::from(rule), at as u32);
                    }
                }
            }
        }
    }
}

impl Candidates {
    fn add(&mut self, rule: usize, at: u32) {
        let Some(span) = self.spans.get_mut(rule) else { return };
        *span = if self.rules.insert(rule) { (at, at) } else { (span.0, at) };
    }

    /// The part of a text of `length` that a rule has to read.
    pub(super) fn window(&self, rule: usize, length: usize) -> Range<usize> {
        let (first, last) =
            self.spans.get(rule).map_or((0, 0), |&(first, last)| (first as usize, last as usize));
        if length <= LONG {
            return 0..length;
        }
        first.saturating_sub(BEFORE)..last.saturating_add(BEHIND).min(length)
    }
}

impl Compiled {
    fn new(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            class: rule.class,
            from: rule.from,
            score: rule.score,
            confirm: rule.confirm,
            forms: rule.forms.clone(),
            reads: rule.part,
            needs: rule.needs(),
            longest: rule.longest,
            automaton: Automaton::new(&rule.regex, rule.exact),
        }
    }

    /// Whether it reads texts in this form.
    pub(super) fn reads_form(&self, form: Form) -> bool {
        form == Form::Text || self.forms.contains(&form)
    }

    /// Whether it reads keys, or values.
    pub(super) fn reads(&self, is_key: bool) -> bool {
        match self.reads {
            Reads::All => true,
            Reads::Keys => is_key,
            Reads::Values => !is_key,
        }
    }

    /// Whether a text of this length and such characters can hold what it looks for.
    pub(super) fn is_possible(&self, length: usize, summary: Summary) -> bool {
        length <= self.longest && self.needs.iter().all(|needs| summary.has_any(*needs))
    }

    /// Whether its regular expression became an automaton.
    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        self.automaton.is_some()
    }

    /// Where the first finding in this part of `text` ends.
    pub(super) fn find(
        &self,
        index: usize,
        states: &mut States,
        text: &[u8],
        window: Range<usize>,
    ) -> Option<usize> {
        match &self.automaton {
            Some(automaton) => automaton.find(index, states, text, window),
            None => Some(window.end),
        }
    }
}
