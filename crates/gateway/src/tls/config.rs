//! TLS towards clients, as configured on a listener.

use std::sync::Arc;

use http::HeaderValue;
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use super::acme::{AcmeConfig, ChallengeKind, RawAcme};
use super::certificate::{Certificate, CertificateFiles, RawCertificate};
use super::client_certificates::{ClientCertificates, RawClientCertificates};
use super::hsts::RawHsts;
use super::profile::{Algorithms, Narrowing, Profile};
use super::resolver::CertificateResolver;
use super::version::TlsVersion;

/// TLS towards clients, as configured on a listener.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawServerTls {
    /// Certificates; a client gets the first one that is for the name it asks for, or the first of all. At least one, unless
    /// there is `acme`.
    pub certificates: At<Vec<RawCertificate>>,
    /// A certificate that is ordered from an authority, and renewed by itself. It stands before `certificates`.
    pub acme: Option<RawAcme>,
    /// Which versions, cipher suites and groups are spoken: `modern`, `intermediate` (default), `fips`.
    pub profile: At<Profile>,
    /// The oldest version of TLS that is spoken, "1.2" or "1.3"; the profile's if absent. It can only narrow the profile, as the
    /// next two.
    pub min_version: Option<At<TlsVersion>>,
    /// Of the profile's cipher suites these alone, by their IANA names, as in `TLS_AES_128_GCM_SHA256`.
    pub cipher_suites: Option<At<Vec<At<String>>>>,
    /// Of the profile's groups for key exchange these alone, as in `X25519MLKEM768`, `X25519`, `secp256r1`, `secp384r1`.
    pub groups: Option<At<Vec<At<String>>>>,
    /// Whether clients are asked for a certificate. Without this key nobody is.
    pub client_certificates: Option<RawClientCertificates>,
    /// Tells browsers to come by TLS alone. Without this key the header is left to backends.
    pub hsts: Option<RawHsts>,
}

/// TLS towards clients: checked, with the certificates loaded.
#[derive(Clone, Debug)]
pub struct ServerTlsConfig {
    /// The certificates, to be watched and loaded anew.
    pub resolver: Arc<CertificateResolver>,
    /// What is ordered from an authority.
    pub acme: Option<At<AcmeConfig>>,
    /// Who may have issued clients' certificates; `None` where nobody is asked for one.
    pub clients: Option<Arc<ClientCertificates>>,
    /// The header `Strict-Transport-Security`.
    pub hsts: Option<HeaderValue>,
    algorithms: Algorithms,
}

impl RawServerTls {
    /// Checks the values and loads the certificates; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> ServerTlsConfig {
        if self.certificates.is_empty() && self.acme.is_none() {
            problems.error(
                self.certificates.place,
                "TLS without a certificate",
                "list at least one, - { cert: FILE, key: FILE }, or have one ordered by `acme`",
            );
        }
        let clients = self.client_certificates.and_then(|raw| raw.check(problems)).map(Arc::new);
        let acme = self.acme.and_then(|raw| {
            let (place, challenge) = (raw.domains.place, raw.challenge.clone());
            if challenge.value == ChallengeKind::TlsAlpn01
                && clients.as_ref().is_some_and(|clients| clients.is_required())
            {
                problems.error(
                    challenge.place,
                    "the authority has no client certificate, so that it cannot prove names by `tls-alpn-01` here",
                    "choose `challenge: http-01`, or `mode: optional` and routes that ask for one",
                );
            }
            raw.check(problems).map(|value| At { value, place })
        });
        let ordered = acme.as_ref().map(|acme| ordered(acme, problems));
        let listed = self.certificates.value.into_iter().filter_map(|raw| raw.check(problems));
        let listed = listed.map(|(files, certificate)| (files, Some(certificate)));
        let pairs = ordered.into_iter().chain(listed).collect();
        let narrowing = Narrowing {
            min_version: self.min_version,
            cipher_suites: self.cipher_suites,
            groups: self.groups,
        };
        ServerTlsConfig {
            resolver: Arc::new(CertificateResolver::new(pairs)),
            acme,
            clients,
            hsts: self.hsts.and_then(|raw| raw.check(problems)),
            algorithms: Algorithms::choose(&self.profile, narrowing, problems),
        }
    }
}

/// The file of a certificate that is ordered, and what is in it by now.
fn ordered(acme: &At<AcmeConfig>, problems: &mut Problems) -> (CertificateFiles, Option<Certificate>) {
    let file = acme.file();
    let files = CertificateFiles { cert: file.clone(), key: file.clone() };
    if !file.exists() {
        return (files, None);
    }
    let loaded = Certificate::load(&files);
    match &loaded {
        Ok(certificate) => {
            if let Some((what, help)) = certificate.unwise(&file) {
                problems.warning(acme.place, what, help);
            }
        }
        Err(fault) => problems.warning(acme.place, fault.what.clone(), "it is ordered anew at the start"),
    }
    (files, loaded.ok())
}

impl ServerTlsConfig {
    /// Whether nothing can be negotiated that NIST has not approved (SP 800-52).
    pub fn is_approved(&self) -> bool {
        self.algorithms.are_approved()
    }

    /// What rustls needs to accept connections that choose among these ALPN names, with these certificates, and to
    /// verify clients'.
    ///
    /// Early data stays off: it can be replayed, and an upgrade is not idempotent (RFC 8470).
    ///
    /// # Errors
    /// When the cryptographic provider gives no randomness or does not know the versions.
    pub(super) fn rustls(
        &self,
        alpn: &[&[u8]],
        certificates: Arc<dyn ResolvesServerCert>,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let resumable = verifier.is_none();
        let mut config = ServerConfig::builder_with_provider(self.algorithms.provider.clone())
            .with_protocol_versions(&self.algorithms.versions)?
            .with_client_cert_verifier(verifier.unwrap_or_else(|| Arc::new(NoClientAuth)))
            .with_cert_resolver(certificates);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.require_ems |= self.algorithms.require_ems;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match resumable {
            // Tickets carry the state, under keys that rotate every six hours, so that none is kept here.
            true => config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?,
            // A resumed session would pass a certificate that was revoked, or has expired, since.
            false => config.send_tls13_tickets = 0,
        }
        Ok(Arc::new(config))
    }

    /// The same without answers to challenges and without client certificates.
    #[cfg(test)]
    pub(super) fn plain(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        #[allow(clippy::unwrap_used)]
        self.rustls(alpn, self.resolver.clone(), None).unwrap()
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
        assert_eq!(raw.min_version.as_ref().unwrap().value, TlsVersion::V1_3);
        let mut problems = Problems::default();
        raw.check(&mut problems);
        assert!(problems.has_errors());
    }
}
