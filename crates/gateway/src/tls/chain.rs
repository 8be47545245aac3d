//! A client's certificates, kept as long as its connection or session, to be verified again when authorities or lists change.

use std::sync::atomic::{AtomicU64, Ordering};

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::client_certificates::{ClientCertificates, Loaded};

/// A client's certificates as a handshake verified them, its own first.
#[derive(Debug)]
pub struct Chain {
    certificates: Box<[CertificateDer<'static>]>,
    /// The number of the authorities and lists that it was last verified against.
    verified: AtomicU64,
}

impl Chain {
    /// What a handshake verified against these authorities and lists; `None` where the client showed nothing.
    pub(super) fn new(certificates: Option<&[CertificateDer<'static>]>, loaded: &Loaded) -> Option<Self> {
        let certificates = certificates.filter(|certificates| !certificates.is_empty())?;
        Some(Self { certificates: certificates.into(), verified: AtomicU64::new(loaded.number) })
    }
}

impl ClientCertificates {
    /// Whether a chain that a handshake has verified still stands: not revoked, and of an authority that is still among ours.
    /// What is not known ends nothing: lists that are missing or overdue refuse handshakes alone. Verified once for each
    /// change of the files.
    pub fn still_accepts(&self, chain: &Chain) -> bool {
        let loaded = self.loaded();
        if chain.verified.load(Ordering::Relaxed) == loaded.number {
            return true;
        }
        let stands = loaded.still_accepts(chain);
        if stands {
            chain.verified.store(loaded.number, Ordering::Relaxed);
        }
        stands
    }
}

impl Loaded {
    fn still_accepts(&self, chain: &Chain) -> bool {
        let Some((own, intermediates)) = chain.certificates.split_first() else { return false };
        match self.verifier.verify_client_cert(own, intermediates, UnixTime::now()) {
            Ok(_) => true,
            Err(rustls::Error::InvalidCertificate(error)) => matches!(
                error,
                // Its time is the identity's affair.
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
                    | CertificateError::UnknownRevocationStatus
                    | CertificateError::ExpiredRevocationList
                    | CertificateError::ExpiredRevocationListContext { .. }
            ),
            Err(_) => false,
        }
    }
}
