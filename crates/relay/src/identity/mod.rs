//! An endpoint's identity: its certificate of the site's authority, and TLS with others of that site.
//!
//! All that knows rustls stands here. TLS 1.3 only, both sides show a certificate, the key exchange is X25519MLKEM768, and a
//! peer is whoever its SPIFFE name says, never whatever a host name says.

mod files;
mod tls;
mod verify;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use files::{IdentityFault, IdentityFiles};
pub use tls::{ALPN, Established, HandshakeError};
pub use verify::{Certified, name_of};

use crate::name::Name;

/// A party that can prove its name.
#[derive(Debug)]
pub struct Identity {
    /// The name in the certificate.
    pub name: Name,
    /// The certificate's serial number, in lower hexadecimal digits.
    pub serial: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    /// The site's authority, whose lists of revocations count.
    pub authorities: Vec<CertificateDer<'static>>,
}
