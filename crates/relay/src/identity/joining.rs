//! TLS with a gateway for whoever has no certificate yet, and knows the site's authority by its fingerprint alone.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};
use wicketgate_tls::{Hello, TlsStream, Transport};

use super::judged::Judged;
use super::tls::{ALPN, provider, versions};
use super::verify::{name_of, signed};
use super::{Fingerprint, HandshakeError, Identity};
use crate::name::Role;

/// What is spoken with whoever wants to join.
const JOIN: &[u8] = b"wicketgate-join/1";

/// Somebody who has said hello, and nothing of who it is.
#[derive(Debug)]
pub struct Arriving<S>(pub(super) Hello<S>);

impl<S: Transport> Arriving<S> {
    /// Reads the first message of TLS, of which `early` has come already: a gateway's part.
    ///
    /// # Errors
    /// It is none.
    pub async fn read(stream: S, early: BytesMut) -> Result<Self, HandshakeError> {
        Ok(Self(Hello::read(stream, early).await.map_err(io::Error::from)?))
    }

    /// Whether it wants to join, having no certificate.
    pub fn wants_to_join(&self) -> bool {
        self.0.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == JOIN))
    }
}

impl Identity {
    /// As the server of TLS to somebody who does not say who it is: a gateway's part.
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn accept_joining<S: Transport>(
        &self,
        arriving: Arriving<S>,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let mut config = versions(ServerConfig::builder_with_provider(provider()))?
            .with_no_client_auth()
            .with_single_cert(self.shown(), self.key.clone_key())?;
        config.alpn_protocols = vec![JOIN.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(arriving.0.accept(Arc::new(config), None).await.map_err(io::Error::from)?)
    }
}

/// For carrier `tls`: the gateway proves itself by the authority of this fingerprint.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn carrier(authority: Fingerprint) -> Result<ClientConfig, Error> {
    config(authority, ALPN)
}

/// As the client of TLS to a gateway of the site whose authority has this fingerprint; gives that authority's certificate too.
///
/// # Errors
/// The handshake failed, or the other end is none.
pub async fn join<S: Transport>(
    authority: Fingerprint,
    stream: S,
) -> Result<(TlsStream<S>, CertificateDer<'static>), HandshakeError> {
    let config = Arc::new(config(authority, JOIN)?);
    let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
    let stream = TlsStream::connect(stream, config, nobody, None).await.map_err(io::Error::from)?;
    if stream.alpn() != Some(JOIN) {
        return Err(HandshakeError::Protocol);
    }
    let own = stream.peer_certificates().and_then(|shown| find(authority, shown));
    let own = own.ok_or(Error::NoCertificatesPresented)?.clone().into_owned();
    Ok((stream, own))
}

fn config(authority: Fingerprint, protocol: &[u8]) -> Result<ClientConfig, Error> {
    let verifier =
        Judged::by(move |end, intermediates, now| verify(authority, end, intermediates, now), provider());
    let mut config = versions(ClientConfig::builder_with_provider(provider()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.enable_sni = protocol == ALPN;
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn find<'a, 'b>(authority: Fingerprint, shown: &'a [CertificateDer<'b>]) -> Option<&'a CertificateDer<'b>> {
    shown.iter().find(|shown| Fingerprint::of(shown) == authority)
}

/// Takes a gateway that the authority of this fingerprint has named so, and nobody else.
fn verify(
    root: Fingerprint,
    end: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Error> {
    let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let authority = find(root, intermediates).ok_or_else(unknown)?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone().into_owned())?;
    signed(end, &[], &roots, now)?;
    match name_of(end)?.name.role {
        Role::Gateway => Ok(()),
        _ => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
    }
}
