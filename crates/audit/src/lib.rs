//! What happened: the events that an auditor asks for, under names that do not change.
//!
//! An [`Event`] is about [`Who`]. It is logged under [`TARGET`], so that the operator can send audit records where
//! they are kept. No event holds a credential, a query or a payload.

mod event;
mod who;

pub use event::{Event, Finding, Selector};
pub use who::Who;

/// The target under which events are logged, so that they can be sent elsewhere.
pub const TARGET: &str = "audit";
