//! An endpoint's identity: its certificate of the site's authority, and TLS with others of that site.
//!
//! All that knows rustls stands here. TLS 1.3 only, both sides show a certificate, the key exchange is X25519MLKEM768, and a
//! peer is whoever its SPIFFE name says, never whatever a host name says.

mod files;
mod fingerprint;
mod joining;
mod judged;
mod tls;
mod verify;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use files::{IdentityFault, IdentityFiles};
pub use fingerprint::Fingerprint;
pub(crate) use joining::carrier as joining_carrier;
pub use joining::{Arriving, join};
pub(crate) use judged::Judged;
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

impl Identity {
    /// Of a certificate by one of these authorities, and its key.
    ///
    /// # Errors
    /// The certificate is of none of them, out of its time, or of another key.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        authorities.iter().cloned().try_for_each(|authority| roots.add(authority))?;
        let roots = Arc::new(roots);
        let Certified { name, serial } = verify::certified(&chain, &roots)?;
        let identity = Self { name, serial, chain, key, roots, authorities };
        tls::check_key(&identity)?;
        Ok(identity)
    }

    /// Whose a certificate of the site is, in PEM.
    ///
    /// # Errors
    /// It is none of the site's authority, or out of its time.
    pub fn certified(&self, pem: &str) -> Result<Certified, rustls::Error> {
        let bad = |_| rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding);
        verify::certified(&[CertificateDer::from_pem_slice(pem.as_bytes()).map_err(bad)?], &self.roots)
    }
}
