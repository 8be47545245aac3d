//! TLS on both sides: what a connection may be. How it is made and carries bytes is the crate `wicketgate-tls`.

pub mod acme;
mod certificate;
mod chain;
mod client;
mod client_certificates;
pub mod config;
mod fault;
mod hsts;
mod pem;
mod profile;
mod relay;
mod resolver;
mod server;
mod subject;
#[cfg(test)]
pub(crate) mod testing;
mod version;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::net::Socket;

pub use certificate::{CertificateFiles, RawCertificate};
pub use chain::Chain;
pub use client::{ClientTlsConfig, RawClientTls};
pub use client_certificates::{ClientCertificates, RawClientCertificates, Renewed};
pub use fault::CertificateFault;
pub use resolver::{CertificateResolver, ShownCertificate};
pub use server::{Current, TlsServer};
pub use subject::{UnreadableCertificate, peer_identity};

/// An established TLS connection over a socket.
pub type TlsStream = wicketgate_tls::TlsStream<Socket>;
/// Why a TLS handshake over a socket came to nothing.
pub type HandshakeError = wicketgate_tls::HandshakeError<Socket>;

/// The one provider of cryptography: AEAD suites only, X25519MLKEM768 preferred (`prefer-post-quantum`).
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
