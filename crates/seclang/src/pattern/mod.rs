//! Regular expressions: PCRE's notation, matched in linear time, within bounds of memory.

mod needs;
mod translate;

use std::fmt;
use std::sync::Arc;

pub(crate) use needs::Needs;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, Compiler};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::ParserBuilder;
pub use translate::Untranslatable;
pub(crate) use translate::translate;

/// A compiled regular expression.
#[derive(Clone)]
pub(crate) struct Pattern(Arc<Inner>);

struct Inner {
    dfa: DFA,
    pike: PikeVM,
    needs: Needs,
    anchored: bool,
    wider: bool,
    /// It finds any text, from end to end.
    whole: bool,
}

/// The states of an automaton that were needed so far, kept by whoever asks.
pub(crate) type States = Option<Box<Cache>>;
/// What finding groups takes, kept for all patterns together.
pub(crate) type GroupStates = Option<Box<pikevm::Cache>>;

/// An automaton keeps so many bytes of states, then starts anew.
const KEPT: usize = 512 << 10;
/// It is made of no more than this, in bytes.
const MAKING: usize = 4 << 20;
/// What was started anew so often and then has states that serve for less than so many bytes each gives up, and is forgotten.
const STARTS: usize = 8;
const SERVED: usize = 4;
/// A name is short: what is longer has a name by accident.
const LONGEST_NAME: usize = 4096;

impl Pattern {
    /// Compiles a pattern. Like ModSecurity 3 does, `.` means any byte, and `^` and `$` the ends of lines.
    pub(crate) fn new(pattern: &str) -> Result<Self, Untranslatable> {
        let translated = translate(pattern.as_bytes())?;
        let parsed = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .dot_matches_new_line(true)
            .multi_line(true)
            .nest_limit(250)
            .build()
            .parse(&translated.regex);
        let hir = parsed.map_err(|error| Untranslatable::Invalid(last_line(&error.to_string())))?;
        let thompson = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAKING));
        let nfa =
            Compiler::new().configure(thompson).build_from_hir(&hir).map_err(|_| Untranslatable::TooLarge)?;
        let config = Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(KEPT)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(STARTS))
            .minimum_bytes_per_state(Some(SERVED));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone());
        let dfa = dfa.map_err(|_| Untranslatable::TooLarge)?;
        let anchored = nfa.is_always_start_anchored();
        let pike = PikeVM::new_from_nfa(nfa).map_err(|_| Untranslatable::TooLarge)?;
        let needs = needs::needs(&hir);
        let (wider, whole) = (translated.wider, pattern == "^.*$");
        Ok(Self(Arc::new(Inner { dfa, pike, needs, anchored, wider, whole })))
    }

    /// What a text must have for it to find anything.
    pub(crate) fn needs(&self) -> &Needs {
        &self.0.needs
    }

    /// Whether it may find more than the pattern says.
    pub(crate) fn is_wider(&self) -> bool {
        self.0.wider
    }

    /// Where the first finding ends. What wears the automaton out is told: it is asked in another, slower way.
    pub(crate) fn find(&self, text: &[u8], states: &mut States) -> Result<Option<usize>, WornOut> {
        let cache = states.get_or_insert_with(|| Box::new(self.0.dfa.create_cache()));
        let anchored = if self.0.anchored { Anchored::Yes } else { Anchored::No };
        let input = Input::new(text).anchored(anchored).earliest(true);
        let found = self.0.dfa.try_search_fwd(cache, &input);
        if found.is_err() {
            // It counts its starts as long as it lives, and would give up sooner in the next text.
            *states = None;
        }
        found.map(|found| found.map(|found| found.offset())).map_err(|_| WornOut)
    }

    /// The same in memory that does not grow, and time by the product of text and pattern.
    pub(crate) fn find_slowly(&self, text: &[u8]) -> Option<usize> {
        let mut cache = self.0.pike.create_cache();
        let mut slots = [None; 2];
        let input = Input::new(text).earliest(true);
        self.0.pike.search_slots(&mut cache, &input, &mut slots)?;
        slots[1].map(|end| end.get())
    }

    /// How much dearer that is, for each byte of a text.
    pub(crate) fn slowness(&self) -> usize {
        self.0.pike.get_nfa().states().len()
    }

    /// What its groups found, from the whole on; at most ten.
    pub(crate) fn groups(
        &self,
        text: &[u8],
        states: &mut GroupStates,
    ) -> Vec<Option<std::ops::Range<usize>>> {
        if self.0.whole {
            return vec![Some(0..text.len())];
        }
        let cache = match states {
            Some(cache) => {
                cache.reset(&self.0.pike);
                cache
            }
            None => states.insert(Box::new(self.0.pike.create_cache())),
        };
        let mut captures = Captures::all(self.0.pike.get_nfa().group_info().clone());
        self.0.pike.captures(cache, text, &mut captures);
        if cache.memory_usage() > KEPT {
            *states = None;
        }
        let spans = (0..captures.group_len().min(10)).map(|group| captures.get_group(group));
        spans.map(|span| span.map(|span| span.range())).collect()
    }

    /// How many groups there are, with the whole; at most ten.
    pub(crate) fn len_groups(&self) -> usize {
        self.0.pike.get_nfa().group_info().group_len(regex_automata::PatternID::ZERO).min(10)
    }

    /// Whether it finds something in a name; the work that this took is added to `work`.
    pub(crate) fn is_in_name(&self, name: &[u8], work: &mut usize) -> bool {
        let name = &name[..name.len().min(LONGEST_NAME)];
        *work += name.len();
        if !self.0.needs.are_in(name) {
            return false;
        }
        // Its states are made first, which costs as much as a byte does.
        *work += (name.len() + 1).saturating_mul(self.slowness());
        self.find_slowly(name).is_some()
    }
}

/// An automaton needs too many states for a text.
#[derive(Debug)]
pub(crate) struct WornOut;

/// What is wrong, without the drawing of where.
fn last_line(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("needs", &self.0.needs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_worn_out_by_one_text_serves_the_next() {
        let pattern = Pattern::new("x[^y]{60}z").unwrap();
        let mut seed = 1u64;
        let mut hostile = Vec::new();
        hostile.resize_with(1 << 20, || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 63 == 0 { b'x' } else { b'w' }
        });
        let mut states = None;
        assert!(pattern.find(&hostile, &mut states).is_err() && states.is_none());
        let honest = format!("{}x{}z", "w".repeat(100), "w".repeat(60));
        assert_eq!(pattern.find(honest.as_bytes(), &mut states).ok(), Some(Some(honest.len())));
    }
}
