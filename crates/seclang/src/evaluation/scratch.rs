//! What is kept from one request to the next: states of automata, which serve all requests of a thread.

use std::cell::RefCell;

use crate::pattern::{GroupStates, Pattern, States, WornOut};
use crate::set::RuleSet;

/// What a thread that asks rules keeps. It serves several sets of rules.
#[derive(Default)]
pub struct Scratch {
    /// The set that was asked last comes first.
    sets: Vec<(u64, Vec<States>)>,
    /// Bytes that all states take.
    kept: usize,
    /// For what groups of patterns find.
    pub(super) groups: GroupStates,
}

/// For so many sets of rules states are kept.
const SETS: usize = 8;
/// All states of a thread take no more than this, in bytes. It is far more than ordinary texts need.
const MOST: usize = 64 << 20;

thread_local! {
    /// What automata have learnt serves whoever asks on a thread.
    static OWN: RefCell<Scratch> = RefCell::default();
}

impl Scratch {
    /// Uses what this thread keeps.
    pub fn of_thread<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        OWN.with_borrow_mut(work)
    }

    /// The states of this set of rules come first.
    pub(super) fn use_for(&mut self, set: &RuleSet) {
        match self.sets.iter().position(|(number, _)| *number == set.number) {
            Some(0) => {}
            Some(at) => self.sets[..=at].rotate_right(1),
            None => {
                self.keep_sets(SETS - 1);
                let mut states = Vec::new();
                states.resize_with(set.gate.len(), || None);
                self.sets.insert(0, (set.number, states));
            }
        }
    }

    /// Asks a pattern, which is that of a test of the set in use.
    pub(super) fn find(
        &mut self,
        test: usize,
        pattern: &Pattern,
        text: &[u8],
    ) -> Option<Result<Option<usize>, WornOut>> {
        let states = self.sets.first_mut()?.1.get_mut(test)?;
        let before = size(states);
        let found = pattern.find(text, states);
        self.kept = (self.kept + size(states)).saturating_sub(before);
        self.keep_within(MOST);
        Some(found)
    }

    /// States of sets that were asked before the last ones go first: these may be sets that are in use no more.
    fn keep_within(&mut self, most: usize) {
        while self.kept > most && self.sets.len() > 1 {
            self.keep_sets(self.sets.len() - 1);
        }
        if self.kept > most {
            self.sets.iter_mut().flat_map(|(_, states)| states).for_each(|states| *states = None);
            self.kept = 0;
        }
    }

    fn keep_sets(&mut self, count: usize) {
        self.sets.truncate(count);
        self.kept = self.sets.iter().flat_map(|(_, states)| states).map(size).sum();
    }
}

fn size(states: &States) -> usize {
    states.as_ref().map_or(0, |states| states.memory_usage())
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn states_of_all_sets_are_bounded_together() {
        let mut scratch = Scratch::default();
        let pattern = Pattern::new("x[^y]{9}z").unwrap();
        let set = || RuleSet::parse("SecRule ARGS \"@rx x[^y]{9}z\" \"id:1\"", &[]).unwrap();
        let (old, new) = (set(), set());
        for set in [&old, &new] {
            scratch.use_for(set);
            assert!(matches!(scratch.find(0, &pattern, b"xxwxwxxwwxxxwwz"), Some(Ok(_))));
        }
        let held = |scratch: &Scratch| -> usize {
            scratch.sets.iter().flat_map(|(_, states)| states).map(size).sum()
        };
        let both = scratch.kept;
        assert_eq!((both, scratch.sets.len()), (held(&scratch), 2));
        scratch.keep_within(both - 1);
        assert_eq!((scratch.sets.len(), scratch.sets[0].0), (1, new.number));
        assert!(scratch.kept > 0 && scratch.kept == held(&scratch));
        scratch.keep_within(scratch.kept - 1);
        assert_eq!((scratch.kept, held(&scratch)), (0, 0));
    }
}
