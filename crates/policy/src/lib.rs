//! What a message may say: a message goes in, a verdict comes out. Pure and synchronous.
//!
//! A [`Policy`] decodes a message once ([`format`]) into [`fields`], and asks the steps of its direction ([`step`]) in their
//! order. What they find are [`Finding`]s; what becomes of the message is a [`Verdict`].

mod config;
mod facts;
pub mod fields;
mod finding;
pub mod format;
#[doc(hidden)]
pub mod fuzz;
mod message;
mod policy;
pub mod step;
mod verdict;

pub use config::{RawBounds, RawPolicy};
pub use facts::{Facts, Identity};
pub use finding::{Action, Enforcement, Finding, masked};
pub use message::{DataKind, Direction, Message};
pub use policy::{Policy, Rules, Session};
pub use verdict::{Forward, Outcome, Reply, Verdict};
