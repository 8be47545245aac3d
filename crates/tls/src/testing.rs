//! For the tests beside this code: a certificate made on the spot, and pairs of connected sockets.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const NAME: &str = "a.example";

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// A self-signed certificate for [`NAME`] and its key.
#[derive(Debug)]
pub(crate) struct Issued {
    chain: Vec<CertificateDer<'static>>,
    shown: Arc<CertifiedKey>,
}

/// Shows one certificate, and notes what was asked for.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        crate::note_asked_name(hello.server_name());
        Some(self.0.clone())
    }
}

impl Issued {
    pub(crate) fn new() -> Self {
        let issued = rcgen::generate_simple_self_signed(vec![NAME.into()]).unwrap();
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let chain = vec![CertificateDer::from(issued.cert)];
        let shown = Arc::new(CertifiedKey::from_der(chain.clone(), key, &provider()).unwrap());
        Self { chain, shown }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.chain[0]
    }

    pub(crate) fn server(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let mut config =
            builder.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(Shows(self.shown.clone())));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        Arc::new(config)
    }

    /// A client's configuration that trusts this certificate alone.
    pub(crate) fn trusting(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        self.speaking(rustls::ALL_VERSIONS, alpn)
    }

    /// The same, in these versions.
    pub(crate) fn speaking(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&[u8]],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.chain[0].clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions);
        let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

/// Two ends of one TCP connection over loopback.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}
