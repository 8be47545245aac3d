//! Rules at work: each phase's in their order, on one request.

mod ask;
mod change;
mod quiet;
mod scratch;
mod state;
mod texts;
mod values;

pub use scratch::Scratch;
pub(crate) use state::State;

use std::sync::Arc;

use crate::bits::Bits;
use crate::request::{End, Found, Outcome, Request, Source};
use crate::rule::{Disruption, Entry, Phase, Rule};
use crate::set::{Budget, RuleSet};
use state::Matched;
use texts::Texts;
use values::{UNITED, Values};

/// The most findings of one request that are told.
const MAX_FOUND: usize = 64;

/// Where the first link of a chain found something.
struct Origin {
    source: Source,
    name: Box<[u8]>,
    excerpt: Box<[u8]>,
}

/// One request on its way through the rules.
pub(crate) struct Evaluation<'e, 'm> {
    set: &'e RuleSet,
    state: State,
    request: &'e Request<'m>,
    values: Values<'m>,
    texts: Texts<'m>,
    scratch: &'e mut Scratch,
    /// For groups of many values and each form the tests that may find something in any of them.
    unions: Vec<Option<Box<[u64]>>>,
    phase: Phase,
    /// Rules that find nothing in the head.
    quiet: Option<Arc<Bits>>,
    /// Bytes that may still be looked at.
    left: u64,
    budget: u64,
    /// What the chain that is asked found so far.
    matched: Vec<Matched>,
    /// Where its first link found something, for a chain that is told.
    origin: Option<Origin>,
    tells: bool,
}

impl<'e, 'm> Evaluation<'e, 'm> {
    pub(crate) fn new(
        set: &'e RuleSet,
        state: State,
        request: &'e Request<'m>,
        budget: Budget,
        scratch: &'e mut Scratch,
    ) -> Self {
        scratch.use_for(set);
        let mut texts = Texts::new(set.forms.len(), set.gate.words());
        let values = Values::new(request, &mut texts);
        texts.ready();
        let budget = budget.base.saturating_add(budget.per_byte.saturating_mul(values.size(request)));
        Self {
            set,
            state,
            request,
            values,
            texts,
            scratch,
            unions: vec![None; UNITED * set.forms.len()],
            phase: Phase::Head,
            quiet: None,
            left: budget,
            budget,
            matched: Vec::new(),
            origin: None,
            tells: false,
        }
    }

    /// These rules find nothing in the head.
    pub(crate) fn know(&mut self, quiet: &Arc<Bits>) {
        self.quiet = Some(quiet.clone());
    }

    /// Asks the rules of a phase.
    pub(crate) fn phase(&mut self, phase: Phase) {
        self.phase = phase;
        let set = self.set;
        let mut behind: Option<u32> = None;
        let mut skip = 0;
        for entry in &set.phases[phase as usize] {
            match *entry {
                Entry::Marker(marker) => {
                    if behind == Some(marker) {
                        behind = None;
                    }
                }
                Entry::Rule(_) if behind.is_some() => {}
                Entry::Rule(_) if skip > 0 => skip -= 1,
                Entry::Rule(index) => {
                    if self.state.is_over() {
                        return;
                    }
                    if self.state.removed.has(index) || !self.holds(index) {
                        continue;
                    }
                    let Some(rule) = set.rules.get(index) else { continue };
                    self.tell(index, rule);
                    behind = rule.flow.skip_after;
                    skip = rule.flow.skip;
                    match rule.flow.end {
                        None => {}
                        Some(Disruption::Refuse) if self.state.detects_only => {}
                        Some(Disruption::Refuse) => self.state.end = End::Refused(index),
                        Some(Disruption::AllowPhase) => return,
                        Some(Disruption::Allow) => self.state.allowed = true,
                    }
                }
            }
        }
    }

    /// Whether a rule and all links of its chain hold.
    fn holds(&mut self, head: usize) -> bool {
        self.matched.clear();
        self.origin = None;
        let set = self.set;
        self.tells = set.rules.get(head).is_some_and(|rule| rule.told);
        let mut link = Some(head);
        let mut asked = 0;
        while let Some((at, rule)) = link.and_then(|link| Some((link, set.rules.get(link)?))) {
            if !self.link_holds(head, at, rule) {
                return false;
            }
            asked += 1;
            link = rule.next.filter(|_| asked < set.rules.len());
        }
        let mut link = Some(head);
        while let Some(rule) = link.and_then(|link| set.rules.get(link)) {
            for control in &rule.controls {
                self.state.control(control);
            }
            link = rule.next;
        }
        true
    }

    fn tell(&mut self, index: usize, rule: &Rule) {
        if !rule.told || self.state.found.len() >= MAX_FOUND {
            return;
        }
        let origin = self.origin.take();
        let Origin { source, name, excerpt } = origin.unwrap_or_else(|| Origin {
            source: Source::Other("REQUEST"),
            name: Box::default(),
            excerpt: Box::default(),
        });
        self.state.found.push(Found { rule: index, source, name, excerpt });
    }

    /// Takes work from the budget; where there is none left, nobody knows what the rules would say.
    fn spend(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes as u64) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                self.state.end = End::OverBudget;
                false
            }
        }
    }

    pub(crate) fn into_state(self) -> State {
        self.state
    }

    pub(crate) fn outcome(self) -> Outcome {
        let end = self.state.end;
        Outcome { end, work: self.budget - self.left, found: self.state.found }
    }

    /// The value of a variable that rules set.
    fn tx(&self, name: crate::names::TxName) -> Option<Arc<[u8]>> {
        self.state.tx.value(name).cloned()
    }
}
