//! The opening handshake: RFC 6455 section 4 over HTTP/1.1, RFC 8441 over HTTP/2.
//!
//! - [`server`]: judges a client's request and builds our answer
//! - [`client`]: builds our own request to an upstream and verifies its answer
//! - [`headers`]: what a proxy takes out before a request goes on
//! - [`extension`], [`subprotocol`], [`tokens`]: linear, bounded parsers of the lists in between
//! - [`key`]: the nonce and its proof
//! - [`error`]: every way in which a request or an answer can be wrong

pub mod client;
pub mod error;
pub mod extension;
pub mod headers;
pub mod key;
pub mod server;
pub mod subprotocol;
pub mod tokens;

pub use client::{Agreed, ClientHandshake};
pub use error::{AnswerError, HandshakeError};
pub use extension::Extension;
pub use key::{Accept, Nonce};
pub use server::{Transport, Upgrade, is_upgrade_attempt, read_upgrade};
pub use tokens::{ListBounds, ListError, Token};

/// The only protocol version there is (RFC 6455 section 4.1).
pub const VERSION: &str = "13";

/// The `Upgrade` token of HTTP/1.1 and the `:protocol` of HTTP/2.
pub const PROTOCOL: &str = "websocket";
