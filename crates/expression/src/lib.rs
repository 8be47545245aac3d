//! Expressions of the configuration, in [CEL](https://cel.dev): compiled and surveyed once at load, then asked within bounds.
//!
//! A [`Vocabulary`] says what an expression may speak of. [`Expression`] is one that passed; its [`Needs`] say what has to be
//! in the [`Scope`] that it is asked over. A tree of foreign data, such as a message, stands there as a [`LazyValue`]:
//! an expression converts only what it touches, and whatever it touches is charged to its [budget](BUDGET).

mod answer;
mod equal;
mod expression;
mod fault;
mod function;
mod json;
mod lazy;
mod meter;
mod native;
mod prepare;
mod scalar;
mod scope;
mod survey;
mod tree;
mod vocabulary;

pub use answer::Answer;
pub use expression::{Expression, MAX_LENGTH};
pub use fault::Fault;
pub use function::{Argument, Described, FUNCTIONS, Function, Gives};
pub use json::Json;
pub use lazy::LazyValue;
pub use meter::BUDGET;
pub use scalar::Scalar;
pub use scope::{Bound, Record, Scope};
pub use survey::{Invalid, MAX_NESTING, Needs};
pub use tree::{Shown, Tree};
pub use vocabulary::{Shape, Variable, Vocabulary, Wanted};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
