//! Who may connect: a request goes in, an [`Admitted`] comes out, and only that can reach an upstream.
//!
//! [`handshake`] judges what a request is. The route that takes it has a [`Guard`], which asks in one order: address,
//! TLS, limits of the address, origin, rules of attacks, identity, authorisation, limits of the identity.

pub mod address;
pub mod authentication;
pub mod authorization;
mod changes;
mod client;
pub mod close;
pub mod config;
pub mod credential;
pub mod disclosure;
pub mod fetch;
pub mod fuzz;
pub mod guard;
pub mod identity;
pub mod limits;
pub mod origin;
pub mod refusal;
mod request_rules;
pub mod revocation;
pub mod standing;
pub mod tls;

pub use changes::Changes;
pub use client::{Asked, Client};
pub use guard::{Admitted, Guard, Handshake, SessionRight, Step, Unproven, handshake};
pub use limits::{Counts, Limits, SharedRates, Slots};
pub use refusal::{Refusal, Rejected};
pub use request_rules::{Examined, RequestFinding, RequestRules, Unexcluded};
pub use standing::{Lost, Standing};
pub use wicketgate_config::{RawSecret, Secret};
use wicketgate_config::{file, secret};
pub use wicketgate_meter::Fill;
