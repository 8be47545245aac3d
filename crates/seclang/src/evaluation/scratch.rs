//! What is kept from one request to the next: states of automata, which serve all requests of a thread.

use crate::pattern::States;
use crate::set::RuleSet;

/// What a thread that asks rules keeps. It serves several sets of rules.
#[derive(Default)]
pub struct Scratch(Vec<(u64, Vec<States>)>);

/// For so many sets of rules states are kept.
const SETS: usize = 8;

impl Scratch {
    /// The states of this set of rules come first.
    pub(super) fn use_for(&mut self, set: &RuleSet) {
        match self.0.iter().position(|(number, _)| *number == set.number) {
            Some(0) => {}
            Some(at) => self.0.swap(0, at),
            None => {
                self.0.truncate(SETS - 1);
                let mut states = Vec::new();
                states.resize_with(set.gate.len(), || None);
                self.0.insert(0, (set.number, states));
            }
        }
    }

    /// The states of a test of the set in use.
    pub(super) fn states(&mut self, test: usize) -> Option<&mut States> {
        self.0.first_mut()?.1.get_mut(test)
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("sets", &self.0.len()).finish_non_exhaustive()
    }
}
