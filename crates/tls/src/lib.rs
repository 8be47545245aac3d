//! TLS over any byte stream, for the server's and the client's side, by rustls' unbuffered API: a connection that is idle holds no
//! buffers, and one that is not reads and writes several records at once.
//!
//! What a connection may be, its certificates, versions and suites, is the caller's: a [`rustls::ServerConfig`] or a
//! [`rustls::ClientConfig`]. A [`TlsStream`] then makes the handshake and carries bytes.

mod asked_name;
mod engine;
#[cfg(test)]
mod engine_tests;
mod error;
mod exporter;
mod handshake;
mod hello;
mod scratch;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod testing;
mod transport;

pub use asked_name::note as note_asked_name;
pub use error::HandshakeError;
pub use exporter::Exporter;
pub use hello::Hello;
pub use stream::TlsStream;
pub use transport::{Transport, or_pending};
