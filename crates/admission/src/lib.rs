//! Who may connect: a request goes in, an [`Admitted`] comes out, and only that can reach an upstream.
//!
//! [`handshake`] judges what a request is. The route that takes it has a [`Guard`], which asks in one order: address,
//! TLS, limits of the address, origin, identity, authorisation, limits of the identity.

mod changes;
pub mod close;
pub mod config;
pub mod credential;
pub mod fetch;
pub mod file;
pub mod guard;
pub mod identity;
pub mod limits;
pub mod refusal;
pub mod revocation;
mod secret;
pub mod standing;

pub use changes::Changes;
pub use guard::{Admitted, Client, Guard, Handshake, handshake};
pub use limits::{Counts, Limits, SharedRates, Slots};
pub use refusal::Refusal;
pub use secret::Secret;
pub use standing::{Lost, Standing};
