//! Who may connect: a request goes in, an [`Admitted`] comes out, and only that can reach an upstream.
//!
//! [`handshake`] judges what a request is. The route that takes it has a [`Guard`], which asks in one order: address,
//! TLS, limits of the address, origin, identity, authorisation, limits of the identity.

pub mod config;
pub mod credential;
pub mod guard;
pub mod identity;
pub mod limits;
pub mod refusal;
mod secret;

pub use guard::{Admitted, Client, Guard, Handshake, handshake};
pub use limits::{Counts, Limits, SharedRates, Slots};
pub use refusal::Refusal;
pub use secret::Secret;
