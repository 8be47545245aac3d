//! Whether a chain is of the site's authority, and whose it is.

use std::sync::Arc;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::tls::provider;
use crate::name::{Name, Role};

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Its one SPIFFE name.
    pub name: Name,
    /// Its serial number, in lower hexadecimal digits.
    pub serial: String,
}

/// Reads a certificate's name; says nothing of whether it is true.
///
/// # Errors
/// A certificate that has not exactly one URI, or one that is no name (X509-SVID, section 2).
pub fn name_of(certificate: &CertificateDer<'_>) -> Result<Certified, Error> {
    let bad = || Error::InvalidCertificate(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad())?;
    let names = parsed.subject_alternative_name().map_err(|_| bad())?;
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let mut uris = names.filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let not_ours = || Error::InvalidCertificate(CertificateError::NotValidForName);
    match (uris.next(), uris.next()) {
        (Some(uri), None) => {
            let name = uri.parse().map_err(|_| not_ours())?;
            Ok(Certified { name, serial: format!("{:x}", parsed.serial) })
        }
        _ => Err(not_ours()),
    }
}

/// Verifies a chain as one that the site's authority has signed and that is in its time; gives whose it is.
pub(super) fn certified(chain: &[CertificateDer<'_>], roots: &RootCertStore) -> Result<Certified, Error> {
    let Some((end, intermediates)) = chain.split_first() else { return Err(Error::NoCertificatesPresented) };
    signed(end, intermediates, roots, UnixTime::now())?;
    name_of(end)
}

pub(super) fn signed(
    end: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<(), Error> {
    let algorithms = provider().signature_verification_algorithms;
    let parsed = ParsedCertificate::try_from(end)?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms.all)
}

/// Who may be at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// This very party.
    Party(Name),
    /// Any party of this site and role.
    Any(Arc<str>, Role),
}

impl Expected {
    pub(super) fn is(&self, name: &Name) -> bool {
        match self {
            Self::Party(expected) => expected == name,
            Self::Any(site, role) => *site == name.site && *role == name.role,
        }
    }

    /// Whether a certificate is of the site's authority, in its time, and of whoever may be there; of nobody else.
    pub(super) fn verify(
        &self,
        end: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        roots: &RootCertStore,
        now: UnixTime,
    ) -> Result<(), Error> {
        signed(end, intermediates, roots, now)?;
        match self.is(&name_of(end)?.name) {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
    }
}
