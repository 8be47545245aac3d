//! How an agent or client that has nothing but a one-time token comes to a certificate of its site, through a gateway that can neither
//! use the token nor change what is asked.
//!
//! - [`token`]: what the administrator hands over; [`tokens`]: what the authority keeps of it
//! - [`message`]: what is asked and answered
//! - [`issuer`]: the authority, which dials out to a gateway; [`joiner`]: who wants to join
//! - [`config`]: the gateway's bounds

pub mod config;
pub mod issuer;
pub mod joiner;
pub mod message;
pub mod token;
pub mod tokens;
