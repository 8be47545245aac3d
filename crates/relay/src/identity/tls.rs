//! TLS between two parties of a site.

use std::io;
use std::sync::Arc;

use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ConfigBuilder, ConfigSide, ServerConfig, SupportedProtocolVersion};
use wicketgate_tls::{Exporter, TlsStream, Transport};

use super::Identity;
use super::joining::Arriving;
use super::judged::Judged;
use super::verify::{Certified, Expected, name_of};
use crate::name::{Name, Role};

/// What both ends of a connection of ours speak; another version of the relay gets another name.
pub const ALPN: &[u8] = b"wicketgate/1";
/// What both ends of a session speak inside.
const END_TO_END: &[u8] = b"wicketgate-session/1";

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// TLS that stands, and who is at its other end.
#[derive(Debug)]
pub struct Established<S> {
    /// The stream.
    pub stream: TlsStream<S>,
    /// The other end.
    pub peer: Certified,
    exporter: Arc<Exporter>,
}

/// Why TLS with another party of the site did not come about.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The handshake failed, or the other end is of another site, name or role.
    #[error("TLS with the other party failed: {0}")]
    Tls(#[from] io::Error),
    /// It speaks something else.
    #[error("the other party does not speak this relay's protocol")]
    Protocol,
    /// Our own identity cannot be used.
    #[error("this identity cannot be used: {0}")]
    Identity(#[from] rustls::Error),
}

/// The one provider of cryptography here: the hybrid key exchange alone.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> = std::sync::LazyLock::new(|| {
        Arc::new(CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
            ..aws_lc_rs::default_provider()
        })
    });
    PROVIDER.clone()
}

/// Whether the key is that of the certificate.
pub(super) fn check_key(identity: &Identity) -> Result<(), rustls::Error> {
    identity.server(None).map(drop)
}

impl Identity {
    /// As the client of TLS to a gateway of the site.
    ///
    /// # Errors
    /// The handshake failed, or the other end is none.
    pub async fn connect_gateway<S: Transport>(&self, stream: S) -> Result<Established<S>, HandshakeError> {
        let expected = Expected::Any(self.name.site.clone(), Role::Gateway);
        self.connect(stream, expected, ALPN).await
    }

    /// As the client of TLS end to end, with this agent and no other.
    ///
    /// # Errors
    /// The handshake failed, or the other end is another.
    pub async fn connect_agent<S: Transport>(
        &self,
        stream: S,
        agent: &Name,
    ) -> Result<Established<S>, HandshakeError> {
        self.connect(stream, Expected::Party(agent.clone()), END_TO_END).await
    }

    /// As the server of TLS to an endpoint of the site, an agent, a client or its authority: a gateway's part.
    ///
    /// # Errors
    /// The handshake failed, or the other end is none.
    pub async fn accept_endpoint<S: Transport>(
        &self,
        arriving: Arriving<S>,
    ) -> Result<Established<S>, HandshakeError> {
        let expected = [Role::Agent, Role::Client, Role::Authority]
            .map(|role| Expected::Any(self.name.site.clone(), role));
        let (config, exporter) = self.server(Some(ALPN))?;
        let stream = arriving.0.accept(config, None).await.map_err(io::Error::from)?;
        expecting(stream, exporter, &expected, ALPN)
    }

    /// As the server of TLS end to end, with this client and no other: an agent's part.
    ///
    /// # Errors
    /// The handshake failed, or the other end is another.
    pub async fn accept_client<S: Transport>(
        &self,
        stream: S,
        client: &Name,
    ) -> Result<Established<S>, HandshakeError> {
        self.accept(stream, &[Expected::Party(client.clone())], END_TO_END).await
    }

    /// For the client's side of carrier `tls`: the gateway proves itself, the endpoint does so inside, where it has to.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn carrier(&self) -> Result<ClientConfig, rustls::Error> {
        let expected = Expected::Any(self.name.site.clone(), Role::Gateway);
        let mut config = self.expecting(expected)?.with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// What a gateway shows of itself on carrier `tls`.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn certified_key(&self) -> Result<CertifiedKey, rustls::Error> {
        CertifiedKey::from_der(self.shown(), self.key.clone_key(), &provider())
    }

    /// The chain up to the authority itself, for whoever knows that by its fingerprint alone.
    pub(super) fn shown(&self) -> Vec<CertificateDer<'static>> {
        let above = self.authorities.iter().filter(|authority| !self.chain.contains(authority));
        self.chain.iter().chain(above).cloned().collect()
    }

    async fn connect<S: Transport>(
        &self,
        stream: S,
        expected: Expected,
        protocol: &[u8],
    ) -> Result<Established<S>, HandshakeError> {
        let (config, exporter) = self.client(expected, protocol)?;
        // No name travels: whom we expect, we know by its certificate.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let stream = TlsStream::connect(stream, config, nobody, None).await.map_err(io::Error::from)?;
        established(stream, exporter, protocol)
    }

    async fn accept<S: Transport>(
        &self,
        stream: S,
        expected: &[Expected],
        protocol: &[u8],
    ) -> Result<Established<S>, HandshakeError> {
        let (config, exporter) = self.server(Some(protocol))?;
        let stream = TlsStream::accept(stream, config, None).await.map_err(io::Error::from)?;
        expecting(stream, exporter, expected, protocol)
    }

    /// For one connection, and what exports its secret.
    fn client(
        &self,
        expected: Expected,
        protocol: &[u8],
    ) -> Result<(Arc<ClientConfig>, Arc<Exporter>), rustls::Error> {
        let mut config =
            self.expecting(expected)?.with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![protocol.to_vec()];
        config.enable_sni = false;
        // Each connection proves anew who is at its other end.
        config.resumption = Resumption::disabled();
        let exporter = Exporter::new();
        config.key_log = exporter.clone();
        Ok((Arc::new(config), exporter))
    }

    fn expecting(
        &self,
        expected: Expected,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
        let roots = self.roots.clone();
        let verifier = Judged::by(
            move |end, intermediates, now| expected.verify(end, intermediates, &roots, now),
            provider(),
        );
        Ok(versions(ClientConfig::builder_with_provider(provider()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier))
    }

    /// For one connection, and what exports its secret.
    fn server(&self, protocol: Option<&[u8]>) -> Result<(Arc<ServerConfig>, Arc<Exporter>), rustls::Error> {
        let clients = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = versions(ServerConfig::builder_with_provider(provider()))?
            .with_client_cert_verifier(clients)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = protocol.into_iter().map(<[u8]>::to_vec).collect();
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        let exporter = Exporter::new();
        config.key_log = exporter.clone();
        Ok((Arc::new(config), exporter))
    }
}

/// Sees that one of these is at the other end.
fn expecting<S>(
    stream: TlsStream<S>,
    exporter: Arc<Exporter>,
    expected: &[Expected],
    protocol: &[u8],
) -> Result<Established<S>, HandshakeError> {
    let established = established(stream, exporter, protocol)?;
    if !expected.iter().any(|expected| expected.is(&established.peer.name)) {
        let unexpected = io::Error::new(io::ErrorKind::PermissionDenied, "another party than expected");
        return Err(HandshakeError::Tls(unexpected));
    }
    Ok(established)
}

pub(super) fn versions<Side: ConfigSide>(
    builder: ConfigBuilder<Side, rustls::WantsVersions>,
) -> Result<ConfigBuilder<Side, rustls::WantsVerifier>, rustls::Error> {
    builder.with_protocol_versions(VERSIONS)
}

fn established<S>(
    stream: TlsStream<S>,
    exporter: Arc<Exporter>,
    protocol: &[u8],
) -> Result<Established<S>, HandshakeError> {
    if stream.alpn() != Some(protocol) {
        return Err(HandshakeError::Protocol);
    }
    let certificate = stream.peer_certificates().and_then(<[_]>::first);
    let peer = name_of(certificate.ok_or(rustls::Error::NoCertificatesPresented)?)?;
    Ok(Established { stream, peer, exporter })
}

/// The length of what the session's records are authenticated by, in bytes.
const SECRET: usize = 32;

impl<S> Established<S> {
    /// What only the two ends of this connection know (RFC 8446 section 7.5).
    ///
    /// # Errors
    /// TLS that is not established.
    pub fn secret(&self, label: &[u8], context: &[u8]) -> Result<[u8; SECRET], rustls::Error> {
        let mut secret = [0; SECRET];
        self.exporter.export(self.stream.state(), label, context, &mut secret)?;
        Ok(secret)
    }
}
