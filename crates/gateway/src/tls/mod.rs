//! TLS on both sides: all that knows rustls stands here.

pub mod config;
mod stream;

pub use stream::TlsStream;
