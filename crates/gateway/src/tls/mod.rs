//! TLS on both sides: all that knows rustls stands here.

pub mod acme;
mod certificate;
mod chain;
mod client;
mod client_certificates;
pub mod config;
mod engine;
#[cfg(test)]
mod engine_tests;
mod fault;
mod handshake;
mod hsts;
mod pem;
mod profile;
mod relay;
mod resolver;
mod scratch;
mod server;
mod stream;
#[cfg(test)]
mod stream_tests;
mod subject;
#[cfg(test)]
pub(crate) mod testing;
mod version;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use certificate::{CertificateFiles, RawCertificate};
pub use chain::Chain;
pub use client::{ClientTlsConfig, RawClientTls};
pub use client_certificates::{ClientCertificates, RawClientCertificates, Renewed};
pub use fault::CertificateFault;
pub use handshake::HandshakeError;
pub use resolver::CertificateResolver;
pub use server::{Current, TlsServer};
pub use stream::{TlsStream, UnreadableCertificate};

/// The one provider of cryptography: AEAD suites only, X25519MLKEM768 preferred (`prefer-post-quantum`).
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
