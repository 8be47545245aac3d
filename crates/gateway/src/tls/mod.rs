//! TLS on both sides: all that knows rustls stands here.

mod certificate;
mod client;
pub mod config;
mod engine;
#[cfg(test)]
mod engine_tests;
mod handshake;
mod resolver;
mod scratch;
mod stream;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
pub(crate) mod testing;
mod watch;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use certificate::{CertificateFault, CertificateFiles, RawCertificate};
pub use client::{ClientTlsConfig, RawClientTls};
pub use handshake::HandshakeError;
pub use resolver::CertificateResolver;
pub use stream::TlsStream;
pub use watch::CertificateWatcher;

/// The one provider of cryptography: AEAD suites only, X25519MLKEM768 preferred (`prefer-post-quantum`).
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
