//! TLS towards targets: verified against an authority, by name, with the protocol agreed.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls::RawClientTls;
use crate::upstream::config::Protocol;

/// An authority, and a certificate for `localhost` that it has issued.
struct Authority {
    folder: TempDir,
    acceptor: Arc<ServerConfig>,
}

impl Authority {
    fn new(alpn: &[u8]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config =
            builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        Self { folder, acceptor: Arc::new(config) }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server that shakes hands and opens a WebSocket, over HTTP/2 where that was agreed.
    async fn server(&self) -> Server {
        let acceptor = TlsAcceptor::from(self.acceptor.clone());
        Server::new(move |stream, _| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut builder = h2::server::Builder::new();
                    let mut connection = builder.enable_connect_protocol().handshake(stream).await.unwrap();
                    while let Some(Ok((request, mut respond))) = connection.accept().await {
                        assert_eq!(request.uri().scheme_str(), Some("https"));
                        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
                        send.send_data(Bytes::from_static(b"early"), true).unwrap();
                    }
                } else {
                    let head = read_head(&mut stream).await;
                    let answer = switching(&head, "") + "early";
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            }
        })
        .await
    }
}

fn trusting(authority: &Authority) -> Option<At<RawClientTls>> {
    Some(At::nowhere(RawClientTls { ca: Some(At::nowhere(authority.ca())), ..RawClientTls::default() }))
}

async fn all_bytes(mut websocket: WebSocket) -> Vec<u8> {
    let mut all = websocket.already_read.to_vec();
    soon(websocket.stream.read_to_end(&mut all)).await.unwrap();
    all
}

#[tokio::test]
async fn a_websocket_opens_over_tls_of_both_protocols() {
    for (protocol, alpn) in [(Protocol::Http1, &b"http/1.1"[..]), (Protocol::Http2, b"h2")] {
        let authority = Authority::new(alpn);
        let server = authority.server().await;
        let url = format!("wss://localhost:{}", server.address.port());
        let upstream = upstream(&[url], |raw| {
            raw.protocol = protocol;
            raw.tls = trusting(&authority);
        });
        assert_eq!(all_bytes(open_websocket(&upstream).await).await, b"early");
    }
}

#[tokio::test]
async fn a_stranger_and_a_wrong_name_are_502_and_get_no_request() {
    let (ours, other) = (Authority::new(b"http/1.1"), Authority::new(b"http/1.1"));
    let server = ours.server().await;
    let port = server.address.port();
    for (url, trusted) in
        [(format!("wss://localhost:{port}"), &other), (format!("wss://127.0.0.1:{port}"), &ours)]
    {
        let upstream = upstream(&[url], |raw| raw.tls = trusting(trusted));
        let error = open(&upstream).await.err().unwrap();
        assert_eq!((error.label(), error.status().as_u16()), ("tls", 502), "{error}");
    }
}

#[tokio::test]
async fn http2_over_tls_must_be_agreed_on() {
    let authority = Authority::new(b"http/1.1");
    let server = authority.server().await;
    let upstream = upstream(&[format!("https://localhost:{}", server.address.port())], |raw| {
        raw.protocol = Protocol::Http2;
        raw.tls = trusting(&authority);
    });
    let error = open(&upstream).await.err().unwrap();
    assert!(matches!(error.label(), "tls" | "no_http2"), "{error}");
}

#[tokio::test]
async fn a_target_that_never_shakes_hands_is_a_504() {
    let authority = Authority::new(b"http/1.1");
    let server = Server::new(|mut stream, _| async move {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
    })
    .await;
    let upstream = upstream(&[format!("wss://localhost:{}", server.address.port())], |raw| {
        raw.tls = trusting(&authority);
        raw.timeouts.handshake = ms(50);
    });
    let error = open(&upstream).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("handshake_timeout", 504));
}
