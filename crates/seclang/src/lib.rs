//! ModSecurity's rule language: files of rules are read, compiled, and asked about requests and messages.
//!
//! A [`RuleSet`] is loaded once. A [`Request`] is what its rules are asked about, in two phases: [`RuleSet::baseline`] for a
//! head, [`RuleSet::judge`] for a body; [`RuleSet::ask`] for a [`Head`] that has none. What a file says and is not done so
//! stands in [`RuleSet::notes`]. No sockets, no clock; the work for a request is bounded by a [`Budget`].
//!
//! Patterns are PCRE's, matched by automata in linear time (`pattern`). All literals that rules need are looked for at once
//! in each form of each value (`gate`), and a rule is asked only where what it needs is there.

mod action;
mod bits;
mod byte_set;
mod compile;
pub mod config;
mod evaluation;
mod forms;
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod head;
mod judge;
mod library;
mod load;
mod macros;
mod names;
mod note;
mod operator;
mod pattern;
mod request;
mod rule;
mod set;
mod target;
mod told;
mod transform;

pub use evaluation::Scratch;
pub use head::{Exclusions, Head};
pub use judge::Baseline;
pub use note::{Effect, LoadError, Note, Place};
pub use request::{Argument, End, Found, Outcome, Part, Request, RuleMask, Source};
pub use rule::Severity;
pub use set::{Budget, RuleInfo, RuleSet};

#[cfg(test)]
mod tests;
