//! A site's own certificate authority: its key may stay offline, and it speaks for one site alone.

use std::collections::BTreeMap;
use std::slice;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::name::{Name, NameError, Role};
use crate::revocation::{ListError, RevocationList};

/// How long an authority serves where nothing is said: ten years.
pub const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a party's certificate serves where nothing is said: a year.
pub const PARTY_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// The name of an authority that is connected to a gateway.
pub const AUTHORITY: &str = "ca";
/// Clocks of endpoints may be late by this much.
const EARLIER: Duration = Duration::from_secs(300);

/// A certificate and its private key, both in PEM.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: Zeroizing<String>,
    /// The certificate's serial number, in lower hexadecimal digits.
    pub serial: String,
}

/// A certificate of a key that stays where it was made.
#[derive(Debug)]
pub struct Certificate {
    /// In PEM.
    pub pem: String,
    /// Its serial number, in lower hexadecimal digits.
    pub serial: String,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The name cannot stand in a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The authority's files do not belong together or are broken.
    #[error("the authority cannot be used: {0}")]
    Unusable(#[from] rcgen::Error),
    /// The key is another's.
    #[error("the key is not that of the authority's certificate")]
    Mismatch,
    /// The authority names no site.
    #[error("the authority's certificate names no site: it was not made by `wicketgate ca init`")]
    Siteless,
    /// The time lies beyond what a certificate can say.
    #[error("no certificate can be valid that long")]
    Lifetime,
    /// A list of what is revoked cannot be used.
    #[error("the list {0}")]
    List(#[from] ListError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}

/// A site's authority, able to sign.
#[derive(Debug)]
pub struct Authority {
    site: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Makes the authority of a site.
    ///
    /// # Errors
    /// A site that no name can have.
    pub fn create(site: &str, lifetime: Duration) -> Result<Issued, AuthorityError> {
        Name::new(site, Role::Gateway, "any")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(&format!("Authority of {site}"));
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{site}").try_into()?)];
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let serial = term(&mut params, lifetime)?;
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Issued { certificate, key: Zeroizing::new(key.serialize_pem()), serial })
    }

    /// Takes an authority's certificate and key, both in PEM.
    ///
    /// # Errors
    /// Files that are broken, not of each other, or of no authority of ours.
    pub fn open(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key)?;
        let site = read(certificate, &key)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key)?;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes());
        let certificate = certificate.map_err(|_| AuthorityError::Siteless)?;
        Ok(Self { site, issuer, certificate })
    }

    /// The site that it speaks for.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Makes a key and a certificate for a party of the site.
    ///
    /// # Errors
    /// A text that is no name.
    pub fn issue(&self, role: Role, name: &str, lifetime: Duration) -> Result<Issued, AuthorityError> {
        let name = Name::new(&self.site, role, name)?;
        let key = KeyPair::generate()?;
        let Certificate { pem, serial } = self.certify(&name, &key, lifetime)?;
        Ok(Issued { certificate: pem, key: Zeroizing::new(key.serialize_pem()), serial })
    }

    /// Makes a certificate for a party whose private key stays with it.
    ///
    /// # Errors
    /// The time lies beyond what a certificate can say.
    pub fn certify(
        &self,
        name: &Name,
        key: &impl PublicKeyData,
        lifetime: Duration,
    ) -> Result<Certificate, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(&name.name);
        params.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let serial = term(&mut params, lifetime)?;
        Ok(Certificate { pem: params.signed_by(key, &self.issuer)?.pem(), serial })
    }

    /// The key of a request for a certificate (PKCS #10, DER), whose holder has signed it. What else it says does not count.
    ///
    /// # Errors
    /// It is none, or its key is not of P-256.
    pub fn requested(request: &[u8]) -> Result<PublicKey, AuthorityError> {
        let request = CertificateSigningRequestParams::from_der(&request.into())?;
        match *request.public_key.algorithm() == PKCS_ECDSA_P256_SHA256 {
            true => Ok(request.public_key),
            false => Err(rcgen::Error::UnsupportedSignatureAlgorithm.into()),
        }
    }

    /// Who it is itself, on connections to gateways, for this long.
    ///
    /// # Errors
    /// The system gives no randomness, or the time lies beyond what a certificate can say.
    pub fn identity(&self, lifetime: Duration) -> Result<Identity, AuthorityError> {
        let issued = self.issue(Role::Authority, AUTHORITY, lifetime)?;
        let unusable = || AuthorityError::Mismatch;
        let certificate =
            CertificateDer::from_pem_slice(issued.certificate.as_bytes()).map_err(|_| unusable())?;
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).map_err(|_| unusable())?;
        Identity::new(vec![certificate], key, vec![self.certificate.clone()]).map_err(|_| unusable())
    }
}

/// A list of what is revoked.
#[derive(Debug)]
pub struct Revoked {
    /// The list, in PEM.
    pub pem: String,
    /// How many certificates stand in it.
    pub count: usize,
}

impl Authority {
    /// Adds certificates, by their serial numbers in hexadecimal digits, to a list of this authority's, or to an empty one.
    ///
    /// # Errors
    /// A list that is another's, or that would be longer than endpoints are told.
    pub fn revoke(&self, before: Option<&str>, serials: Vec<String>) -> Result<Revoked, AuthorityError> {
        let before = before
            .map(|pem| RevocationList::from_pem(pem, slice::from_ref(&self.certificate)))
            .transpose()?;
        let number = before.as_ref().map_or(0, RevocationList::number) + 1;
        let now = SystemTime::now();
        let mut all: BTreeMap<String, OffsetDateTime> =
            serials.into_iter().map(|serial| (serial, now.into())).collect();
        let earlier = before.iter().flat_map(RevocationList::serials);
        all.extend(earlier.map(|(serial, since)| (serial.to_owned(), since)));
        let revoked = all.iter().map(|(serial, since)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&bytes(serial)),
            revocation_time: *since,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: OffsetDateTime::from(now - EARLIER),
            // What is revoked stays so: nothing that reads it asks how old it is.
            next_update: OffsetDateTime::from(now + AUTHORITY_LIFETIME),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = params.signed_by(&self.issuer)?.pem()?;
        // As gateways will read it.
        let list = RevocationList::from_pem(&pem, slice::from_ref(&self.certificate))?;
        Ok(Revoked { count: list.serials().len(), pem })
    }
}

/// The bytes of a number in hexadecimal digits.
fn bytes(digits: &str) -> Vec<u8> {
    let padded = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let pairs = padded.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// The serial number of a certificate in PEM, in lower hexadecimal digits.
///
/// # Errors
/// It holds none.
pub fn serial_of(certificate: &str) -> Result<String, rustls::Error> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes());
    let bad = |_| rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding);
    Ok(crate::identity::name_of(&der.map_err(bad)?)?.serial)
}

fn distinguished(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// Sets a serial number at random and the time of validity; gives the number.
fn term(params: &mut CertificateParams, lifetime: Duration) -> Result<String, AuthorityError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| AuthorityError::Randomness)?;
    // Positive, and with a first digit that is no zero (RFC 5280 section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let now = SystemTime::now();
    let end = now.checked_add(lifetime).ok_or(AuthorityError::Lifetime)?;
    params.not_before = OffsetDateTime::from(now - EARLIER);
    // A year of five digits stands in no certificate.
    let end = end.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| AuthorityError::Lifetime)?;
    let end = i64::try_from(end.as_secs()).map_err(|_| AuthorityError::Lifetime)?;
    params.not_after = OffsetDateTime::from_unix_timestamp(end).map_err(|_| AuthorityError::Lifetime)?;
    Ok(serial.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The site that an authority's certificate names, once the key is seen to be its own.
fn read(certificate: &str, key: &KeyPair) -> Result<String, AuthorityError> {
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(|_| AuthorityError::Siteless)?;
    let parsed = pem.parse_x509().map_err(|_| AuthorityError::Siteless)?;
    if parsed.public_key().subject_public_key.data != key.public_key_raw() {
        return Err(AuthorityError::Mismatch);
    }
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let mut sites = names.filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix("spiffe://").map(str::to_owned),
        _ => None,
    });
    sites.next().ok_or(AuthorityError::Siteless)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_authority_issues_names_of_its_own_site() {
        let made = Authority::create("site.example", AUTHORITY_LIFETIME).unwrap();
        let authority = Authority::open(&made.certificate, &made.key).unwrap();
        assert_eq!(authority.site(), "site.example");
        let agent = authority.issue(Role::Agent, "office-pc", PARTY_LIFETIME).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(agent.certificate.as_bytes()).unwrap();
        let certified = crate::identity::name_of(&pem.contents.into()).unwrap();
        assert_eq!(certified.name.to_string(), "spiffe://site.example/agent/office-pc");
        assert_eq!(certified.serial, agent.serial);
        assert!(matches!(
            authority.issue(Role::Agent, "a/b", PARTY_LIFETIME),
            Err(AuthorityError::Name(NameError::Name))
        ));
        assert!(matches!(authority.issue(Role::Agent, "a", Duration::MAX), Err(AuthorityError::Lifetime)));
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, other) = (
            Authority::create("one", AUTHORITY_LIFETIME).unwrap(),
            Authority::create("one", AUTHORITY_LIFETIME).unwrap(),
        );
        assert!(Authority::open(&one.certificate, "nothing").is_err());
        assert!(Authority::open("nothing", &one.key).is_err());
        // What it signed is not of the authority that the certificate names.
        let mixed = Authority::open(&one.certificate, &other.key);
        assert!(matches!(mixed, Err(AuthorityError::Mismatch)));
    }
}
