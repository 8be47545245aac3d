//! Regular expressions as automata that are made while they read, within bounds of memory.

use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

/// The automaton of one rule; its states are kept in [`States`].
pub(super) struct Automaton {
    dfa: DFA,
    /// Whether it finds something only from the start of a text on, and so is soon done with most.
    anchored: bool,
}

/// The states of every rule's automaton that were needed so far. Many texts share them, so it is kept.
#[derive(Default)]
pub(super) struct States(Vec<Option<Box<Cache>>>);

/// An automaton keeps so many bytes of states, then starts anew.
const KEPT: usize = 512 << 10;
/// A rule's automaton is made of no more than this, in bytes.
const MAKING: usize = 2 << 20;
/// Who starts anew so often in one text, for want of states that serve for so many bytes each, gives up.
const STARTS: usize = 4;
const SERVED: usize = 4;

impl Automaton {
    /// Compiles a regular expression.
    pub(super) fn new(regex: &str, exact: bool) -> Option<Self> {
        let config = Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(KEPT)
            .minimum_cache_clear_count(Some(STARTS))
            .minimum_bytes_per_state(Some(SERVED));
        let syntax = syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .case_insensitive(!exact)
            .dot_matches_new_line(true);
        let thompson = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAKING));
        let dfa = DFA::builder().configure(config).syntax(syntax).thompson(thompson).build(regex).ok()?;
        Some(Self { anchored: dfa.get_nfa().is_always_start_anchored(), dfa })
    }

    /// Where the first finding in this part of `text` ends. A text that wears the automaton out is one.
    pub(super) fn find(
        &self,
        index: usize,
        states: &mut States,
        text: &[u8],
        window: Range<usize>,
    ) -> Option<usize> {
        if states.0.len() <= index {
            states.0.resize_with(index + 1, || None);
        }
        let cache = states.0[index].get_or_insert_with(|| Box::new(self.dfa.create_cache()));
        let end = window.end;
        let input = match self.anchored {
            true => Input::new(text).range(..end).anchored(Anchored::Yes).earliest(true),
            false => Input::new(text).range(window).earliest(true),
        };
        match self.dfa.try_search_fwd(cache, &input) {
            Ok(found) => found.map(|found| found.offset()),
            Err(_) => Some(end),
        }
    }
}
