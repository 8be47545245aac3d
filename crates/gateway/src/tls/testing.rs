//! For the tests beside this code: certificates made on the spot, and pairs of connected sockets.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::certificate::CertificateFiles;
use super::provider;

/// A self-signed certificate in a folder of its own.
pub(crate) struct Issued {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Issued {
    pub(crate) fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Self::with(rcgen::CertificateParams::new(names).unwrap())
    }

    pub(crate) fn with(params: rcgen::CertificateParams) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issued = Self { folder: tempfile::tempdir().unwrap(), der: certificate.der().clone() };
        let files = issued.files();
        std::fs::write(&files.cert, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
        issued
    }

    pub(crate) fn files(&self) -> CertificateFiles {
        let path = |name| self.folder.path().join(name);
        CertificateFiles { cert: path("cert.pem"), key: path("key.pem") }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.der.to_vec()
    }

    /// A client's configuration that trusts this certificate alone.
    pub(crate) fn trusting(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
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
