//! What a verified client certificate says about its holder.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wicketgate_admission::identity::ClientCertificate;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_DOMAIN_COMPONENT, OID_USERID, OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_LOCALITY_NAME,
    OID_X509_ORGANIZATION_NAME, OID_X509_ORGANIZATIONAL_UNIT, OID_X509_STATE_OR_PROVINCE_NAME,
    OID_X509_STREET_ADDRESS,
};
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

use super::TlsStream;

/// A certificate that rustls verified, but whose names cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the names in the client's certificate cannot be read")]
pub struct UnreadableCertificate;

/// The peer's own certificate and what it says, once it was verified.
///
/// # Errors
/// A certificate that was verified and yet cannot be read.
pub fn peer_identity(stream: &TlsStream) -> Result<Option<ClientCertificate>, UnreadableCertificate> {
    let leaf = stream.peer_certificates().and_then(<[_]>::first);
    leaf.map(|leaf| client_certificate(leaf).ok_or(UnreadableCertificate)).transpose()
}

/// Reads the holder's names out of a certificate in DER; `None` where it cannot be parsed.
pub(super) fn client_certificate(der: &[u8]) -> Option<ClientCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut found = ClientCertificate {
        subject: distinguished_name(certificate.subject()),
        common_name: common_name(certificate.subject()),
        serial: hexadecimal(certificate.raw_serial()),
        not_after: time(certificate.validity().not_after.timestamp()),
        ..ClientCertificate::default()
    };
    // Doubled or malformed extensions name nobody.
    let names = certificate.subject_alternative_name().ok()?.map(|names| &names.value.general_names);
    for name in names.into_iter().flatten() {
        let (list, name) = match name {
            GeneralName::DNSName(name) => (&mut found.dns, name.to_ascii_lowercase()),
            GeneralName::RFC822Name(name) => (&mut found.email, (*name).to_owned()),
            GeneralName::URI(name) => (&mut found.uri, (*name).to_owned()),
            _ => continue,
        };
        // A name with a NUL or a line end is read otherwise elsewhere (CVE-2009-2408).
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) {
            list.push(name);
        }
    }
    Some(found)
}

/// The one common name; of several, programs differ on which counts, so that none does.
fn common_name(subject: &X509Name<'_>) -> Option<String> {
    let mut names = subject.iter_common_name();
    let first = names.next()?;
    match names.next() {
        None => first.as_str().ok().map(str::to_owned),
        Some(_) => None,
    }
}

/// RFC 4514 section 2: the last name first, `+` between the parts of one, escaped.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let names: Vec<_> = name.iter_rdn().collect();
    let parts = names.iter().rev().map(|name| name.iter().map(attribute).collect::<Vec<_>>().join("+"));
    parts.collect::<Vec<_>>().join(",")
}

/// Sections 2.3 and 2.4: a type that the RFC names and whose value is a string, as text; else `#` and its BER.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.as_str();
    match (short_name(attribute.attr_type()), value) {
        (Some(name), Ok(value)) => format!("{name}={}", escaped(value)),
        (name, _) => {
            let name = name.map_or_else(|| attribute.attr_type().to_id_string(), str::to_owned);
            format!("{name}=#{}", hexadecimal_of(&encoded(attribute)))
        }
    }
}

/// The value's BER: its tag, its length, itself.
fn encoded(attribute: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    let value = attribute.attr_value();
    let mut bytes = vec![value.header.tag().0 as u8];
    match u8::try_from(value.data.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length = value.data.len().to_be_bytes();
            let digits = length.iter().skip_while(|&&byte| byte == 0).copied().collect::<Vec<_>>();
            bytes.push(0x80 | digits.len() as u8);
            bytes.extend(digits);
        }
    }
    bytes.extend(value.data);
    bytes
}

/// The table of RFC 4514 section 3.
fn short_name(kind: &Oid<'_>) -> Option<&'static str> {
    let table = [
        (&OID_X509_COMMON_NAME, "CN"),
        (&OID_X509_LOCALITY_NAME, "L"),
        (&OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
        (&OID_X509_ORGANIZATION_NAME, "O"),
        (&OID_X509_ORGANIZATIONAL_UNIT, "OU"),
        (&OID_X509_COUNTRY_NAME, "C"),
        (&OID_X509_STREET_ADDRESS, "STREET"),
        (&OID_DOMAIN_COMPONENT, "DC"),
        (&OID_USERID, "UID"),
    ];
    table.into_iter().find(|(known, _)| *known == kind).map(|(_, name)| name)
}

/// Section 2.4; control characters in hexadecimal digits too, which it allows.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', character]),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            character if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            character => text.push(character),
        }
    }
    text
}

/// A serial number; DER puts a zero before a high first bit.
fn hexadecimal(serial: &[u8]) -> String {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => hexadecimal_of(rest),
        serial => hexadecimal_of(serial),
    }
}

fn hexadecimal_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn time(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType, SerialNumber};

    use super::*;

    fn issue(adjust: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        client_certificate(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn the_names_of_a_certificate_are_told() {
        let certificate = issue(|params| {
            let name = &mut params.distinguished_name;
            name.push(DnType::CountryName, "DE");
            name.push(DnType::OrganizationName, "Ex, Ample + Sons");
            name.push(DnType::CommonName, "#7 ");
            params.serial_number = Some(SerialNumber::from_slice(&[0xab, 0, 0x0c]));
            params.subject_alt_names = vec![
                SanType::DnsName("Device.Example".try_into().unwrap()),
                SanType::URI("spiffe://site/device/7".try_into().unwrap()),
                SanType::Rfc822Name("seven@example".try_into().unwrap()),
                SanType::DnsName("evil\nname".try_into().unwrap()),
            ];
            params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        });
        assert_eq!(certificate.subject, "CN=\\#7\\ ,O=Ex\\, Ample \\+ Sons,C=DE");
        assert_eq!(certificate.common_name.as_deref(), Some("#7 "));
        assert_eq!(certificate.dns, ["device.example"]);
        assert_eq!(certificate.uri, ["spiffe://site/device/7"]);
        assert_eq!(certificate.email, ["seven@example"]);
        assert_eq!(certificate.serial, "ab000c");
        assert_eq!(certificate.not_after, Some(UNIX_EPOCH + Duration::from_secs(2_208_988_800)));
    }

    #[test]
    fn types_without_a_name_and_values_that_are_no_text_are_shown_in_hexadecimal() {
        let certificate = issue(|params| {
            let name = &mut params.distinguished_name;
            name.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "x");
            name.push(DnType::CommonName, DnValue::BmpString("ab".try_into().unwrap()));
        });
        assert_eq!(certificate.subject, "CN=#1e0400610062,1.2.3.4=#0c0178");
        assert_eq!(certificate.common_name, None);
    }

    #[test]
    fn what_looks_like_more_names_stays_one() {
        let certificate = issue(|params| {
            params.distinguished_name.push(DnType::CommonName, "mallory,CN=admin\0");
        });
        assert_eq!(certificate.subject, "CN=mallory\\,CN\\=admin\\00");
    }

    #[test]
    fn what_is_no_certificate_is_nobody() {
        assert_eq!(client_certificate(b"\x30\x03abc"), None);
    }
}
