//! The WebSocket protocol as values and rules: no sockets, no clock.
//!
//! - [`handshake`]: who may upgrade and what an upstream's answer must say (RFC 6455 section 4, RFC 8441)
//! - [`deflate`]: permessage-deflate, negotiated and bounded (RFC 7692)
//! - [`budget`]: memory shared by many sessions, reserved before it is used

pub mod budget;
pub mod deflate;
pub mod handshake;

#[doc(hidden)]
pub mod fuzz;
