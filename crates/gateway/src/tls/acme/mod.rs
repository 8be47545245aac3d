//! Certificates from an authority that speaks ACME (RFC 8555): ordered, proven, kept, renewed.

mod challenge;
pub mod config;
mod directory;
mod error;
mod keeper;
mod order;
mod storage;

pub(super) use challenge::WithChallenges;
pub use challenge::{ALPN, Challenges};
pub use config::{AcmeConfig, ChallengeKind, RawAcme};
pub use keeper::AcmeKeeper;
pub use storage::prepare;
