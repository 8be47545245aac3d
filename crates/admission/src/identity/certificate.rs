//! Identity by the client certificate of the TLS connection, which the listener has verified.

use std::sync::Arc;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Claims, Denied, Identity};

/// A client certificate that the listener verified against its CA bundle and CRLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject's distinguished name, as RFC 4514 writes it.
    pub subject: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// The names of the subject alternative name extension, by kind.
    pub dns: Vec<String>,
    /// Its `rfc822Name`s.
    pub email: Vec<String>,
    /// Its `uniformResourceIdentifier`s: SPIFFE IDs stand here.
    pub uri: Vec<String>,
    /// The serial number in lower-case hexadecimal digits.
    pub serial: String,
    /// When it expires.
    pub not_after: Option<SystemTime>,
}

/// The client certificate of the TLS connection. The listener has to ask for one, by `tls.client_certificates`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCertificateMethod {
    /// Which name in it is the subject of the identity. A certificate without one is refused.
    pub subject: SubjectName,
}

/// Which name in a certificate is the subject of the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectName {
    /// The whole distinguished name.
    #[default]
    DistinguishedName,
    /// The common name.
    CommonName,
    /// The first DNS name among the alternative names.
    Dns,
    /// The first mail address among the alternative names.
    Email,
    /// The first URI among the alternative names, such as a SPIFFE ID.
    Uri,
}

/// Makes the certificate an identity.
///
/// # Errors
/// No certificate, none of the names in it, or one that has expired since the connection began.
pub(super) fn identify(
    method: &Arc<str>,
    subject: SubjectName,
    certificate: Option<&ClientCertificate>,
) -> Result<Identity, Denied> {
    let certificate = certificate.ok_or(Denied::Missing)?;
    if certificate.not_after.is_some_and(|end| end < SystemTime::now()) {
        return Err(Denied::Expired);
    }
    let name = match subject {
        SubjectName::DistinguishedName => Some(&certificate.subject),
        SubjectName::CommonName => certificate.common_name.as_ref(),
        SubjectName::Dns => certificate.dns.first(),
        SubjectName::Email => certificate.email.first(),
        SubjectName::Uri => certificate.uri.first(),
    };
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Denied::Claim("subject".into()))?;
    let list = |names: &[String]| Value::from(names.to_vec());
    let mut claims = Claims::new();
    claims.insert("subject".into(), certificate.subject.as_str().into());
    claims.insert("common_name".into(), certificate.common_name.clone().into());
    claims.insert("dns".into(), list(&certificate.dns));
    claims.insert("email".into(), list(&certificate.email));
    claims.insert("uri".into(), list(&certificate.uri));
    Ok(Identity {
        method: method.clone(),
        subject: name.as_str().into(),
        token_id: Some(certificate.serial.as_str().into()),
        issued: None,
        expires: certificate.not_after,
        claims: Arc::new(claims),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_subject_is_the_name_that_was_asked_for() {
        let certificate = ClientCertificate {
            subject: "CN=device 7".into(),
            uri: vec!["spiffe://site/device/7".into()],
            serial: "0a".into(),
            ..ClientCertificate::default()
        };
        let by = |subject| identify(&"devices".into(), subject, Some(&certificate));
        assert_eq!(&*by(SubjectName::Uri).unwrap().subject, "spiffe://site/device/7");
        assert_eq!(&*by(SubjectName::DistinguishedName).unwrap().subject, "CN=device 7");
        assert_eq!(by(SubjectName::Email).unwrap_err(), Denied::Claim("subject".into()));
        let ended = ClientCertificate { not_after: Some(SystemTime::UNIX_EPOCH), ..certificate.clone() };
        let expired = identify(&"devices".into(), SubjectName::Uri, Some(&ended));
        assert_eq!(expired.unwrap_err(), Denied::Expired);
        let none = identify(&"devices".into(), SubjectName::Uri, None);
        assert_eq!(none.unwrap_err(), Denied::Missing);
    }
}
