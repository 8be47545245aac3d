//! What a message may say: a message goes in, a verdict comes out. Pure and synchronous.
//!
//! A [`Policy`] decodes a message once ([`mod@format`]) into [`fields`], and asks the steps of its direction ([`step`]) in their
//! order. What they find are [`Finding`]s; what becomes of the message is a [`Verdict`].

mod component;
mod condition;
mod config;
mod cover;
mod exclusion;
mod facts;
pub mod fields;
mod finding;
pub mod format;
#[doc(hidden)]
pub mod fuzz;
pub mod guard;
mod listen;
mod message;
mod packets;
mod policy;
mod reloaded;
mod rewrite;
pub mod step;
#[cfg(test)]
mod testing;
mod verdict;
mod view;

pub use config::{RawBounds, RawPolicy};
pub use cover::{Covered, Uncovered};
pub use exclusion::{About, Unexcluded};
pub use facts::{Facts, Identity};
pub use finding::{Action, Enforcement, Finding, masked};
pub use listen::Heard;
pub use message::{DataKind, Direction, Message};
pub use policy::{Policy, Rules, Session};
pub use reloaded::Reloaded;
pub use step::reveals_secret;
pub use verdict::{Forward, Keep, Outcome, Pictures, Reply, Verdict};

#[cfg(test)]
mod tests;
