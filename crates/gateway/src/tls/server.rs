//! What a listener's handshakes are made with, kept in step with the files of client authorities.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use wicketgate_relay::carrier::tls::ALPN as CARRIER;

use super::TlsStream;
use super::acme::{ALPN, ChallengeKind, Challenges, WithChallenges};
use super::chain::Chain;
use super::client_certificates::Loaded;
use super::config::ServerTlsConfig;
use super::relay::WithRelay;

/// What a listener's handshakes are made with.
#[derive(Debug)]
pub struct TlsServer {
    tls: ServerTlsConfig,
    alpn: Vec<&'static [u8]>,
    certificates: Arc<dyn ResolvesServerCert>,
    current: ArcSwap<Current>,
}

/// What handshakes are made with at one time.
#[derive(Debug)]
pub struct Current {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// What the configuration was made of, where clients are asked for certificates.
    clients: Option<Arc<Loaded>>,
}

impl TlsServer {
    /// For connections that choose among these ALPN names. Where names are proven on this listener, the authority's handshakes
    /// get the answers to its `challenges`. Carriers are taken where there is a certificate for the `relay`.
    ///
    /// # Errors
    /// When rustls cannot be set up.
    pub fn new(
        tls: ServerTlsConfig,
        mut alpn: Vec<&'static [u8]>,
        challenges: &Arc<Challenges>,
        relay: Option<&Arc<CertifiedKey>>,
    ) -> Result<Self, rustls::Error> {
        let mut certificates: Arc<dyn ResolvesServerCert> = tls.resolver.clone();
        if tls.acme.as_ref().is_some_and(|acme| acme.challenge == ChallengeKind::TlsAlpn01) {
            alpn.push(ALPN);
            let (own, challenges) = (tls.resolver.clone(), challenges.clone());
            certificates = Arc::new(WithChallenges { certificates: own, challenges });
        }
        if let Some(relay) = relay.cloned() {
            alpn.push(CARRIER);
            certificates = Arc::new(WithRelay { certificates, relay });
        }
        let current = ArcSwap::from_pointee(Current::new(&tls, &alpn, certificates.clone())?);
        Ok(Self { tls, alpn, certificates, current })
    }

    /// What the next handshake is made with. rustls names the authorities to clients out of a verifier that does not
    /// change, so that a new bundle takes a new configuration: the first connection after the change makes it.
    ///
    /// # Errors
    /// When rustls cannot be set up; the connection must be refused then.
    pub fn current(&self) -> Result<Arc<Current>, rustls::Error> {
        let current = self.current.load_full();
        let clients = self.tls.clients.as_ref().map(|clients| clients.loaded());
        if current.clients.as_ref().map(Arc::as_ptr) == clients.as_ref().map(Arc::as_ptr) {
            return Ok(current);
        }
        let next = Arc::new(Current::new(&self.tls, &self.alpn, self.certificates.clone())?);
        self.current.store(next.clone());
        Ok(next)
    }
}

impl Current {
    /// The certificates that a handshake made with it has verified, where the client showed some.
    pub fn chain(&self, stream: &TlsStream) -> Option<Chain> {
        Chain::new(stream.peer_certificates(), self.clients.as_deref()?)
    }

    fn new(
        tls: &ServerTlsConfig,
        alpn: &[&[u8]],
        certificates: Arc<dyn ResolvesServerCert>,
    ) -> Result<Self, rustls::Error> {
        let clients = tls.clients.as_ref().map(|clients| clients.loaded());
        let verifier = clients.as_ref().map(|loaded| loaded.verifier.clone());
        Ok(Self { config: tls.rustls(alpn, certificates, verifier)?, clients })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::large_futures)]
    use rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsConnector;
    use wicketgate_config::{At, OneOrMany, Problems};
    use wicketgate_testkit::tls::Authority;

    use super::*;
    use crate::net::Socket;
    use crate::tls::certificate::RawCertificate;
    use crate::tls::client_certificates::RawClientCertificates;
    use crate::tls::config::RawServerTls;
    use crate::tls::testing::tcp_pair;

    fn server(authority: &Authority, clients: Option<RawClientCertificates>) -> TlsServer {
        let own = authority.localhost().unwrap();
        let pair = RawCertificate { cert: At::nowhere(own.certificate_file), key: At::nowhere(own.key_file) };
        let certificates = At::nowhere(vec![pair]);
        let raw = RawServerTls { certificates, client_certificates: clients, ..Default::default() };
        let mut problems = Problems::default();
        let tls = raw.check(&mut problems);
        assert!(!problems.has_errors(), "{problems:?}");
        TlsServer::new(tls, Vec::new(), &Arc::default(), None).unwrap()
    }

    fn asking(authority: &Authority) -> RawClientCertificates {
        RawClientCertificates { ca: Some(At::nowhere(authority.ca_file())), ..Default::default() }
    }

    /// Whether each of two connections was a resumed one.
    async fn resumed(server: &TlsServer, client: Arc<rustls::ClientConfig>) -> [bool; 2] {
        let mut seen = [false; 2];
        for seen in &mut seen {
            let (near, far) = tcp_pair().await;
            let accepting =
                TlsStream::accept(Socket::Tcp(far), server.current().unwrap().config.clone(), None);
            let name = ServerName::try_from("localhost").unwrap();
            let connector = TlsConnector::from(client.clone());
            let (ours, theirs) = tokio::join!(accepting, connector.connect(name, near));
            let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
            ours.write_all(b"x").await.unwrap();
            ours.flush().await.unwrap();
            theirs.read_u8().await.unwrap();
            *seen = ours.is_resumed();
        }
        seen
    }

    #[tokio::test]
    async fn where_clients_are_asked_for_certificates_nothing_is_resumed() {
        let authority = Authority::new().unwrap();
        let device = authority.issue(&["device"]).unwrap();
        let client = || authority.client_as(&[], &device).unwrap();
        assert_eq!(resumed(&server(&authority, None), client()).await, [false, true]);
        let asking = server(&authority, Some(asking(&authority)));
        assert_eq!(resumed(&asking, client()).await, [false, false]);
        let (version, alpn) = (&rustls::version::TLS12, &[]);
        let old = authority.client_of(version, alpn).unwrap();
        assert_eq!(resumed(&server(&authority, None), old).await, [false, true]);
    }

    #[test]
    fn what_cannot_verify_clients_is_told() {
        let authority = Authority::new().unwrap();
        let expired = authority.revocations(&[], false).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.crl");
        std::fs::write(&list, expired).unwrap();
        let crl = |path: &std::path::Path| OneOrMany(vec![At::nowhere(path.to_owned())]);
        for (raw, errors, expected) in [
            (RawClientCertificates::default(), true, "without an authority"),
            (RawClientCertificates { crl: crl(&list), ..asking(&authority) }, false, "has expired"),
            (
                RawClientCertificates { crl: crl(&authority.ca_file()), ..asking(&authority) },
                true,
                "no certificate revocation list",
            ),
            (
                RawClientCertificates {
                    dangerous_accept_expired_crl: At::nowhere(true),
                    ..asking(&authority)
                },
                false,
                "no effect",
            ),
        ] {
            let mut problems = Problems::default();
            raw.check(&mut problems);
            let found: Vec<_> = problems.iter().map(|problem| problem.what.clone()).collect();
            assert_eq!(problems.has_errors(), errors, "{found:?}");
            assert!(found.iter().any(|what| what.contains(expected)), "{found:?} should hold {expected}");
        }
    }
}
