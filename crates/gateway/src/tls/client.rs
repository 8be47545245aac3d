//! TLS towards upstreams: whom we trust, whom we ask for, who we say we are.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use super::certificate::RawCertificate;
use super::pem::{read_authorities, unusable_authority};
use super::profile::{Algorithms, Narrowing, Profile};
use super::provider;
use super::version::TlsVersion;

/// TLS towards an upstream. Its certificate is always verified, against the system's roots if not told otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawClientTls {
    /// PEM file with the authorities to trust instead of the system's.
    pub ca: Option<At<PathBuf>>,
    /// The name the upstream's certificate must be for, instead of the host in its URL.
    pub server_name: Option<At<String>>,
    /// Our own certificate, where the upstream asks for one.
    pub certificate: Option<RawCertificate>,
    /// Which versions, cipher suites and groups are spoken: `modern`, `intermediate` (default), `fips`.
    pub profile: At<Profile>,
    /// The oldest version of TLS that is spoken, "1.2" or "1.3"; the profile's if absent. It can only narrow the profile.
    pub min_version: Option<At<TlsVersion>>,
    /// Takes any certificate for good: whoever sits between us and the upstream can read and change everything.
    pub dangerous_accept_any_certificate: At<bool>,
}

/// The same, checked and complete.
#[derive(Clone, Debug)]
pub struct ClientTlsConfig {
    config: ClientConfig,
    /// The name to verify instead of the URL's host.
    pub server_name: Option<ServerName<'static>>,
}

impl RawClientTls {
    /// Checks the values and loads the files; what is wrong goes to `problems`, and then nothing comes back.
    pub fn check(self, problems: &mut Problems) -> Option<ClientTlsConfig> {
        let server_name = match &self.server_name {
            None => None,
            Some(name) => match ServerName::try_from(name.value.clone()) {
                Ok(name) => Some(name),
                Err(_) => {
                    let help = "write a DNS name or an IP address, without scheme and port";
                    problems.error(name.place, format!("`{}` is no server name", name.value), help);
                    return None;
                }
            },
        };
        let identity = match self.certificate {
            None => None,
            Some(raw) => Some(raw.check(problems)?.1.certified),
        };
        let verifier = verifier(self.ca, &self.dangerous_accept_any_certificate, problems)?;
        let narrowing = Narrowing { min_version: self.min_version, ..Narrowing::default() };
        let algorithms = Algorithms::choose(&self.profile, narrowing, problems);
        let builder = ClientConfig::builder_with_provider(algorithms.provider)
            .with_protocol_versions(&algorithms.versions);
        let builder = match builder {
            Ok(builder) => builder.dangerous().with_custom_certificate_verifier(verifier),
            Err(error) => {
                problems.error(
                    self.dangerous_accept_any_certificate.place,
                    format!("TLS cannot be set up ({error})"),
                    "choose another `profile` or `min_version`",
                );
                return None;
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(certified) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))),
        };
        config.require_ems |= algorithms.require_ems;
        Some(ClientTlsConfig { config, server_name })
    }
}

impl ClientTlsConfig {
    /// What rustls needs to connect and offer these ALPN names, the preferred one first. Keep it: sessions are
    /// resumed among the connections that share it.
    pub fn rustls(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

fn verifier(
    ca: Option<At<PathBuf>>,
    any: &At<bool>,
    problems: &mut Problems,
) -> Option<Arc<dyn ServerCertVerifier>> {
    if any.value {
        if let Some(ca) = ca {
            let help = "remove `dangerous_accept_any_certificate` to verify against `ca`";
            problems.error(ca.place, "`ca` has no effect when any certificate is accepted", help);
            return None;
        }
        problems.warning(
            any.place,
            "the upstream's certificate is not verified",
            "give its authority as `ca` instead",
        );
        return Some(Arc::new(AcceptAny));
    }
    let Some(ca) = ca else {
        return match rustls_platform_verifier::Verifier::new(provider()) {
            Ok(verifier) => Some(Arc::new(verifier)),
            Err(error) => {
                let what = format!("the system's trusted authorities cannot be loaded ({error})");
                problems.error(any.place, what, "install ca-certificates, or give a PEM file as `ca`");
                None
            }
        };
    };
    let verifier = read_authorities(&ca).and_then(|roots| {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        builder.build().map_err(|error| unusable_authority(&ca, &error))
    });
    match verifier {
        Ok(verifier) => Some(verifier),
        Err(fault) => {
            problems.error(ca.place, fault.what, fault.help);
            None
        }
    }
}

/// Believes every certificate. Signatures are still verified, so that the peer at least has the key to it.
#[derive(Debug)]
pub(super) struct AcceptAny;

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::config::{RawServerTls, ServerTlsConfig};
    use super::super::testing::{Issued, tcp_pair};
    use super::super::{HandshakeError, TlsStream};
    use super::*;
    use crate::net::Socket;

    fn server(issued: &Issued) -> ServerTlsConfig {
        let (cert, key) = (At::nowhere(issued.files().cert), At::nowhere(issued.files().key));
        let certificates = At::nowhere(vec![RawCertificate { cert, key }]);
        RawServerTls { certificates, ..Default::default() }.check(&mut Problems::default())
    }

    fn client(raw: RawClientTls) -> ClientTlsConfig {
        let mut problems = Problems::default();
        let config = raw.check(&mut problems);
        assert!(!problems.has_errors(), "{problems:?}");
        config.unwrap()
    }

    async fn connect(
        to: &Issued,
        config: &ClientTlsConfig,
        name: &'static str,
    ) -> Result<TlsStream, HandshakeError> {
        let (near, far) = tcp_pair().await;
        let accepting = TlsStream::accept(Socket::Tcp(far), server(to).plain(&[]), None);
        let name = ServerName::try_from(name).unwrap();
        let connecting = TlsStream::connect(Socket::Tcp(near), config.rustls(&[]), name, None);
        tokio::join!(accepting, connecting).1
    }

    #[tokio::test]
    async fn a_server_is_verified_against_the_authority_and_the_name() {
        let (ours, other) = (Issued::new(&["a.example"]), Issued::new(&["a.example"]));
        let trusting = |issued: &Issued| {
            client(RawClientTls { ca: Some(At::nowhere(issued.files().cert)), ..Default::default() })
        };
        assert!(connect(&ours, &trusting(&ours), "a.example").await.is_ok());
        let wrong_name = connect(&ours, &trusting(&ours), "b.example").await.unwrap_err();
        assert!(matches!(&wrong_name, HandshakeError::Tls(Error::InvalidCertificate(_))), "{wrong_name}");
        let stranger = connect(&other, &trusting(&ours), "a.example").await.unwrap_err();
        assert!(matches!(&stranger, HandshakeError::Tls(Error::InvalidCertificate(_))), "{stranger}");
    }

    #[tokio::test]
    async fn any_certificate_is_taken_by_explicit_word_alone() {
        let raw = RawClientTls { dangerous_accept_any_certificate: At::nowhere(true), ..Default::default() };
        let mut problems = Problems::default();
        let config = raw.check(&mut problems).unwrap();
        assert!(!problems.has_errors() && problems.iter().count() == 1, "{problems:?}");
        assert!(connect(&Issued::new(&["a.example"]), &config, "b.example").await.is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let found = |raw: RawClientTls| {
            let mut problems = Problems::default();
            assert!(raw.check(&mut problems).is_none());
            problems.iter().map(|p| p.what.clone()).collect::<Vec<_>>().join("\n")
        };
        let issued = Issued::new(&["a.example"]);
        let name = Some(At::nowhere("https://a.example".to_owned()));
        assert!(found(RawClientTls { server_name: name, ..Default::default() }).contains("no server name"));
        let key = Some(At::nowhere(issued.files().key));
        assert!(found(RawClientTls { ca: key, ..Default::default() }).contains("private key"));
        let both = RawClientTls {
            ca: Some(At::nowhere(issued.files().cert)),
            dangerous_accept_any_certificate: At::nowhere(true),
            ..Default::default()
        };
        assert!(found(both).contains("no effect"));
    }
}
