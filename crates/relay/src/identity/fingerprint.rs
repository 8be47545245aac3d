//! By what an authority is known to whoever has not its certificate.

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;

/// The SHA-256 of an authority's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; digest::SHA256_OUTPUT_LEN]);

impl Fingerprint {
    /// Of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut own = [0; digest::SHA256_OUTPUT_LEN];
        own.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
        Self(own)
    }

    /// As it is written.
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; digest::SHA256_OUTPUT_LEN]> for Fingerprint {
    fn from(bytes: [u8; digest::SHA256_OUTPUT_LEN]) -> Self {
        Self(bytes)
    }
}
