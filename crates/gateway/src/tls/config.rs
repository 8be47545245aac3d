//! TLS towards clients, as configured on a listener.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::{ServerConfig, SupportedProtocolVersion};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use super::certificate::RawCertificate;
use super::client_certificates::{ClientCertificates, RawClientCertificates};
use super::provider;
use super::resolver::CertificateResolver;

/// TLS towards clients, as configured on a listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawServerTls {
    /// Certificates; a client gets the first one that is for the name it asks for, or the first of all.
    pub certificates: At<Vec<RawCertificate>>,
    /// The oldest version of TLS that is spoken: "1.2" (default) or "1.3".
    pub min_version: TlsVersion,
    /// Whether clients are asked for a certificate. Without this key nobody is.
    pub client_certificates: Option<RawClientCertificates>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

impl TlsVersion {
    /// This version and what came after it.
    pub(super) fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::V1_2 => &ALL,
            Self::V1_3 => &ALL[..1],
        }
    }
}

/// TLS towards clients: checked, with the certificates loaded.
#[derive(Clone, Debug)]
pub struct ServerTlsConfig {
    /// The certificates, to be watched and loaded anew.
    pub resolver: Arc<CertificateResolver>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
    /// Who may have issued clients' certificates; `None` where nobody is asked for one.
    pub clients: Option<Arc<ClientCertificates>>,
}

impl RawServerTls {
    /// Checks the values and loads the certificates; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> ServerTlsConfig {
        if self.certificates.is_empty() {
            problems.error(
                self.certificates.place,
                "TLS without a certificate",
                "list at least one: - { cert: FILE, key: FILE }",
            );
        }
        let pairs = self.certificates.value.into_iter().filter_map(|raw| raw.check(problems)).collect();
        let clients = self.client_certificates.and_then(|raw| raw.check(problems)).map(Arc::new);
        let resolver = Arc::new(CertificateResolver::new(pairs));
        ServerTlsConfig { resolver, min_version: self.min_version, clients }
    }
}

impl ServerTlsConfig {
    /// What rustls needs to accept connections that choose among these ALPN names, and to verify clients' certificates.
    ///
    /// Early data stays off: it can be replayed, and an upgrade is not idempotent (RFC 8470).
    ///
    /// # Errors
    /// When the cryptographic provider gives no randomness or does not know the versions.
    pub(super) fn rustls(
        &self,
        alpn: &[&[u8]],
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let resumable = verifier.is_none();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.min_version.and_later())?
            .with_client_cert_verifier(verifier.unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_cert_resolver(self.resolver.clone());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match resumable {
            // Tickets carry the state, under keys that rotate every six hours, so that none is kept here.
            true => config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?,
            // A resumed session would pass a certificate that was revoked, or has expired, since.
            false => config.send_tls13_tickets = 0,
        }
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::path::PathBuf;

    use super::super::testing::Issued;
    use super::*;
    use wicketgate_config::Severity;

    fn check(cert: PathBuf, key: PathBuf) -> Vec<(Severity, String, String)> {
        let raw = RawCertificate { cert: At::nowhere(cert), key: At::nowhere(key) };
        let raw = RawServerTls { certificates: At::nowhere(vec![raw]), ..Default::default() };
        let mut problems = Problems::default();
        raw.check(&mut problems);
        problems.iter().map(|p| (p.severity, p.what.clone(), p.help.clone())).collect()
    }

    fn only(found: &[(Severity, String, String)], severity: Severity, what: &str) {
        let mut of_severity = found.iter().filter(|problem| problem.0 == severity);
        let one = of_severity.next().filter(|_| of_severity.next().is_none());
        assert!(one.is_some_and(|one| one.1.contains(what)), "{found:?} should hold one {what}");
    }

    #[test]
    fn a_good_pair_has_no_problem_and_makes_a_config() {
        let files = Issued::new(&["a.example"]);
        assert_eq!(check(files.files().cert, files.files().key), []);
    }

    #[test]
    fn files_that_cannot_be_used_are_named_with_the_reason() {
        let (good, other) = (Issued::new(&["a.example"]), Issued::new(&["a.example"]));
        let (cert, key) = (good.files().cert, good.files().key);
        let missing = cert.with_file_name("missing.pem");
        only(&check(missing.clone(), key.clone()), Severity::Error, "missing.pem");
        only(&check(cert.clone(), missing), Severity::Error, "missing.pem");
        only(&check(cert.clone(), other.files().key), Severity::Error, "does not belong");
        only(&check(cert.clone(), cert.clone()), Severity::Error, "holds a certificate, not a private key");
        only(&check(key.clone(), key.clone()), Severity::Error, "holds a private key, not a certificate");
        only(&check(cert.parent().unwrap().into(), key.clone()), Severity::Error, "not a regular file");
        let text = cert.with_file_name("text.pem");
        fs::write(&text, "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n").unwrap();
        only(&check(text.clone(), key.clone()), Severity::Error, "broken PEM");
        fs::write(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        only(&check(text.clone(), key.clone()), Severity::Error, "cannot be parsed");
        fs::write(&text, "nothing").unwrap();
        only(&check(text.clone(), key), Severity::Error, "holds no certificate");
        fs::write(
            &text,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        let found = check(cert, text);
        assert!(found.iter().any(|p| p.0 == Severity::Error && p.1.contains("is encrypted")), "{found:?}");
    }

    #[test]
    fn doubtful_certificates_are_told() {
        let mut old = rcgen::CertificateParams::new(vec!["a.example".into()]).unwrap();
        old.not_before = rcgen::date_time_ymd(2001, 1, 1);
        old.not_after = rcgen::date_time_ymd(2002, 1, 1);
        let old = Issued::with(old);
        only(&check(old.files().cert, old.files().key), Severity::Warning, "expired");
        let nameless = Issued::with(rcgen::CertificateParams::new(Vec::new()).unwrap());
        only(
            &check(nameless.files().cert, nameless.files().key),
            Severity::Error,
            "no subject alternative name",
        );
    }

    #[test]
    fn a_key_that_everybody_can_read_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let issued = Issued::new(&["a.example"]);
        fs::set_permissions(issued.files().key, fs::Permissions::from_mode(0o644)).unwrap();
        only(&check(issued.files().cert, issued.files().key), Severity::Warning, "every user");
    }

    #[test]
    fn no_certificate_at_all_is_an_error() {
        let raw: RawServerTls = serde_saphyr::from_str("certificates: []\nmin_version: '1.3'\n").unwrap();
        assert_eq!(raw.min_version, TlsVersion::V1_3);
        let mut problems = Problems::default();
        raw.check(&mut problems);
        assert!(problems.has_errors());
    }
}
