//! Where clients arrive: sockets, PROXY protocol, TLS, limits on open connections.

mod accept;
#[cfg(test)]
mod accept_tests;
mod activation;
mod address;
mod bind;
pub mod config;
mod connection;
mod handover;
mod limits;
mod proxy_protocol;

pub use accept::{Intake, Listener, serve};
pub use activation::{Activated, ActivationError};
pub use address::BindAddress;
pub use bind::{BindError, BoundSocket, Inherited, SocketFile, listen_unix};
pub use config::{ListenerConfig, Protocol, RawListener};
pub use connection::{Accepted, ClientAddress, Refusal, TlsFacts};
pub use handover::{Handover, HandoverError, Offer, Offers, Takeover};
pub use limits::Permit;
pub(crate) use proxy_protocol::fuzz_proxy_header;
