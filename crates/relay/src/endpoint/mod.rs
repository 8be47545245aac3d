//! What agents and clients have in common: one control connection to the gateway, and sessions whose carriers they dial.

mod backoff;
pub mod bounds;
mod carry;
pub mod config;
pub mod control;
pub(crate) mod datagrams;
mod joined;
pub mod link;
mod paced;
mod pieces;
pub mod streams;

pub use backoff::Backoff;
