//! A certificate authority of the test's own, its certificates, and TLS settings that trust it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::dir::Dir;

/// A root certificate with its key, ECDSA P-256, and a folder for PEM files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: Dir,
    ca_file: PathBuf,
}

/// A certificate and its key as PEM, in memory and in files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its PKCS #8 key.
    pub key: String,
    /// File with the certificate.
    pub certificate_file: PathBuf,
    /// File with the key.
    pub key_file: PathBuf,
    /// File with both, as HAProxy wants it.
    pub combined_file: PathBuf,
    serial: u64,
}

impl Authority {
    /// Makes a new root.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Wicketgate test root");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let dir = Dir::new()?;
        let ca_file = dir.write("ca.pem", issuer.pem())?;
        Ok(Self { issuer, dir, ca_file })
    }

    /// File with the root certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca_file.clone()
    }

    /// The root certificate.
    pub fn ca(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Issues a certificate for these names and IP addresses, good for servers and for clients.
    pub fn issue(&self, names: &[&str]) -> Result<Identity> {
        self.issue_with(names, |_| {})
    }

    /// Issues a certificate for this URI, such as a SPIFFE ID.
    pub fn issue_for_uri(&self, uri: &str) -> Result<Identity> {
        let name = SanType::URI(uri.try_into()?);
        self.issue_with(&["by-uri"], |params| params.subject_alt_names = vec![name])
    }

    /// Issues a certificate that has expired.
    pub fn issue_expired(&self, names: &[&str]) -> Result<Identity> {
        self.issue_with(names, |params| params.not_after = date_time_ymd(2001, 1, 1))
    }

    /// Issues a list of these revoked certificates, in PEM; one that is not `current` has expired.
    pub fn revocations(&self, revoked: &[&Identity], current: bool) -> Result<String> {
        let (this_update, next_update) = match current {
            true => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
            false => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
        };
        let entry = |identity: &&Identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    fn issue_with(&self, names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Result<Identity> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let first = names.first().context("a certificate needs a name")?.clone();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, first.as_str());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        adjust(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let key = key.serialize_pem();
        let stem = first.replace('*', "any");
        Ok(Identity {
            certificate_file: self.dir.write(format!("{stem}.crt.pem"), &certificate)?,
            key_file: self.dir.write(format!("{stem}.key.pem"), &key)?,
            combined_file: self.dir.write(format!("{stem}.both.pem"), format!("{certificate}{key}"))?,
            certificate,
            key,
            serial,
        })
    }

    /// Issues a certificate for `localhost`, 127.0.0.1 and ::1.
    pub fn localhost(&self) -> Result<Identity> {
        self.issue(&["localhost", "127.0.0.1", "::1"])
    }

    /// A client that trusts this root only and offers these protocols by ALPN.
    pub fn client(&self, alpn: &[&str]) -> Result<Arc<ClientConfig>> {
        self.client_config(alpn, None)
    }

    /// A client like [`Authority::client`] that shows a certificate when asked.
    pub fn client_as(&self, alpn: &[&str], identity: &Identity) -> Result<Arc<ClientConfig>> {
        self.client_config(alpn, Some(identity))
    }

    /// A client like [`Authority::client`] that speaks this version alone.
    pub fn client_of(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[&str],
    ) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca())?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])?
            .with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = protocols(alpn);
        Ok(Arc::new(config))
    }

    fn client_config(&self, alpn: &[&str], identity: Option<&Identity>) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca())?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            // Unchecked: an attacker shows a certificate without having its key.
            Some(identity) => {
                let key = provider().key_provider.load_private_key(identity.private_key()?)?;
                let shown = CertifiedKey::new(identity.chain()?, key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)))
            }
        };
        config.alpn_protocols = protocols(alpn);
        Ok(Arc::new(config))
    }
}

impl Identity {
    /// A server that shows this certificate and takes these protocols by ALPN.
    pub fn server(&self, alpn: &[&str]) -> Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain()?, self.private_key()?)?;
        config.alpn_protocols = protocols(alpn);
        Ok(Arc::new(config))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        Ok(vec![CertificateDer::from_pem_slice(self.certificate.as_bytes())?])
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>> {
        Ok(PrivateKeyDer::from_pem_slice(self.key.as_bytes())?)
    }
}

/// A client that trusts this root only and offers these protocols by ALPN.
pub fn trusting(root: CertificateDer<'static>, alpn: &[&str]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols(alpn);
    Ok(Arc::new(config))
}

/// The certificate that a server shows to a client that asks for `name`, once the client has verified it.
pub async fn shown(
    server: SocketAddr,
    name: &str,
    client: Arc<ClientConfig>,
) -> Result<CertificateDer<'static>> {
    let name = ServerName::try_from(name.to_owned())?;
    let stream = TlsConnector::from(client).connect(name, TcpStream::connect(server).await?).await?;
    let chain = stream.get_ref().1.peer_certificates();
    chain.and_then(|chain| chain.first()).cloned().context("the server showed no certificate")
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}
