//! A certificate revocation list of the site's authority (RFC 5280 section 5).

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// The longest list, in bytes of DER: about a thousand certificates. It goes to every endpoint in one message.
pub const MAX_LIST: usize = 40 << 10;

/// Which certificates the authority has revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
    number: u64,
    serials: BTreeMap<String, OffsetDateTime>,
}

/// Why a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is none.
    #[error("holds no certificate revocation list")]
    Unreadable,
    /// Another has signed it.
    #[error("is not signed by the site's authority")]
    Foreign,
    /// It would not fit in a message.
    #[error("is longer than {MAX_LIST} bytes")]
    TooLong,
}

impl RevocationList {
    /// Reads a list in PEM that one of these authorities has signed.
    ///
    /// # Errors
    /// It is none, or another's.
    pub fn from_pem(text: &str, authorities: &[CertificateDer<'_>]) -> Result<Self, ListError> {
        let der = CertificateRevocationListDer::from_pem_slice(text.as_bytes());
        Self::from_der(&der.map_err(|_| ListError::Unreadable)?, authorities)
    }

    /// Reads a list in DER that one of these authorities has signed. How old it is does not count: what it revokes stays revoked.
    ///
    /// # Errors
    /// It is none, or another's.
    pub fn from_der(der: &[u8], authorities: &[CertificateDer<'_>]) -> Result<Self, ListError> {
        if der.len() > MAX_LIST {
            return Err(ListError::TooLong);
        }
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| ListError::Unreadable)?;
        if !rest.is_empty() {
            return Err(ListError::Unreadable);
        }
        if !authorities.iter().any(|authority| is_signed_by(&list, authority)) {
            return Err(ListError::Foreign);
        }
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let serials = list.iter_revoked_certificates().map(|revoked| {
            (format!("{:x}", revoked.user_certificate), revoked.revocation_date.to_datetime())
        });
        Ok(Self { number: number.unwrap_or_default(), serials: serials.collect(), der: der.to_vec() })
    }

    /// As the authority has signed it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Counts the lists of an authority.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether it revokes the certificate of this serial number, in lower hexadecimal digits.
    pub fn covers(&self, serial: &str) -> bool {
        self.serials.contains_key(serial)
    }

    /// The serial numbers of what it revokes, and since when.
    pub fn serials(&self) -> impl ExactSizeIterator<Item = (&str, OffsetDateTime)> {
        self.serials.iter().map(|(serial, since)| (serial.as_str(), *since))
    }
}

/// `wicketgate ca init` makes authorities with keys of P-256 alone.
fn is_signed_by(list: &CertificateRevocationList<'_>, authority: &CertificateDer<'_>) -> bool {
    let Ok((_, authority)) = X509Certificate::from_der(authority) else { return false };
    let key =
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &authority.public_key().subject_public_key.data);
    list.signature_algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256
        && list.issuer() == authority.subject()
        && key.verify(list.tbs_cert_list.as_ref(), &list.signature_value.data).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::authority::Authority;

    #[test]
    fn a_list_grows_and_counts_only_where_its_authority_has_signed_it() {
        let made = || Authority::create("site.example", Duration::from_secs(86_400)).unwrap();
        let (made, other) = (made(), made());
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let own = [der(&made.certificate)];
        let authority = Authority::open(&made.certificate, &made.key).unwrap();
        let first = authority.revoke(None, vec!["4a01".into()]).unwrap();
        let second = authority.revoke(Some(&first.pem), vec!["4b02".into(), "4a01".into()]).unwrap();
        assert_eq!((first.count, second.count), (1, 2));
        let read = |pem: &str| RevocationList::from_pem(pem, &own).unwrap();
        let (before, after) = (read(&first.pem), read(&second.pem));
        assert!(before.number() < after.number());
        assert!(before.covers("4a01") && !before.covers("4b02") && after.covers("4b02"));
        // The same name, and another key.
        let foreign = RevocationList::from_pem(&first.pem, &[der(&other.certificate)]);
        assert_eq!(foreign, Err(ListError::Foreign));
        let mut bent = after.der().to_vec();
        for at in 0..bent.len() {
            bent[at] ^= 1;
            // What is not signed is how the signature is wrapped.
            let says = RevocationList::from_der(&bent, &own).ok();
            assert!(says.is_none_or(|says| says.serials == after.serials), "bent at {at}");
            bent[at] ^= 1;
        }
        assert_eq!(RevocationList::from_der(&[0; MAX_LIST + 1], &own), Err(ListError::TooLong));
        assert_eq!(RevocationList::from_pem("no list", &own), Err(ListError::Unreadable));
    }

    #[tokio::test]
    async fn an_endpoint_goes_by_the_latest_list_and_never_back() {
        let made = Authority::create("site.example", Duration::from_secs(86_400)).unwrap();
        let authority = Authority::open(&made.certificate, &made.key).unwrap();
        let own = [CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap()];
        let der = |pem: &str| RevocationList::from_pem(pem, &own).unwrap().der().to_vec();
        let first = authority.revoke(None, vec!["1".into()]).unwrap().pem;
        let second = authority.revoke(Some(&first), vec!["2".into()]).unwrap().pem;
        let newest = super::super::Newest::default();
        newest.take(&der(&first), &own).unwrap();
        assert!(newest.covers("1") && !newest.covers("2"));
        let (told, ()) =
            tokio::join!(tokio::time::timeout(Duration::from_secs(5), newest.covered("2")), async {
                newest.take(&der(&second), &own).unwrap()
            });
        told.unwrap();
        newest.take(&der(&first), &own).unwrap();
        assert!(newest.covers("2"));
        assert!(newest.take(b"none", &own).is_err());
    }
}
