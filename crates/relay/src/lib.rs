//! Private sessions between a client and an agent, which both only dial out.
//!
//! - [`name`], [`authority`], [`identity`]: who is who at a site, and TLS between them
//! - [`session`]: a byte stream that outlives the connections it runs over; no sockets, no clock
//! - [`carrier`]: such connections
//! - [`revocation`]: who is not accepted any more
//! - [`control`], [`ticket`], [`probe`]: what endpoints and gateways say to each other
//! - [`broker`]: the gateway's part
//! - [`enrolment`]: how somebody new comes to a certificate
//! - [`doctor`]: what stands on the way to a gateway
//! - [`endpoint`]: what both ends have in common; [`agent`] and [`client`]: what each has alone

pub mod access;
pub mod agent;
pub mod authority;
pub mod broker;
pub mod carrier;
pub mod client;
pub mod config;
pub mod control;
pub mod doctor;
pub mod endpoint;
pub mod enrolment;
pub mod identity;
pub mod name;
pub mod probe;
pub mod revocation;
pub mod session;
mod session_id;
pub mod ticket;
