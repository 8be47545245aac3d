//! Listeners with real clients: what is let in, what is refused, and that the next one is served.

#![allow(clippy::unwrap_used, clippy::large_futures)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wicketgate_audit::Audit;
use wicketgate_config::Problems;

use super::{
    Accepted, BindAddress, BoundSocket, Inherited, Intake, Listener, Protocol, RawListener, Refusal, serve,
};
use crate::tls::testing::Issued;
use crate::workers::Workers;

const PATIENCE: Duration = Duration::from_secs(10);

/// A served listener; what it accepts comes out of a channel.
struct Served {
    at: SocketAddr,
    intake: Intake,
    accepted: Receiver<Accepted>,
    task: JoinHandle<std::io::Result<()>>,
    current: Arc<ArcSwap<Listener>>,
}

fn listener(yaml: &str) -> Arc<Listener> {
    let raw: RawListener = serde_saphyr::from_str(yaml).unwrap();
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    Listener::new(config, None, &Arc::default(), None).unwrap()
}

impl Served {
    fn start(yaml: &str) -> Self {
        Self::with(listener(yaml), Intake::new(1000, Workers::here(), Audit::default()))
    }

    fn plain(rest: &str) -> Self {
        Self::start(&format!("bind: '127.0.0.1:0'\n{rest}"))
    }

    fn tls(issued: &Issued, rest: &str) -> Self {
        let files = issued.files();
        Self::plain(&format!(
            "tls: {{ certificates: [{{ cert: '{}', key: '{}' }}] }}\n{rest}",
            files.cert.display(),
            files.key.display()
        ))
    }

    fn with(listener: Arc<Listener>, intake: Intake) -> Self {
        let socket =
            BoundSocket::bind(&listener.config, &listener.config.bind[0], &mut Inherited::default()).unwrap();
        let at = match socket.local_address().unwrap() {
            BindAddress::Tcp(at) => at,
            BindAddress::Unix(_) => "0.0.0.0:0".parse().unwrap(),
        };
        let (sender, accepted) = channel(100);
        let handler = move |arrived: Result<Accepted, Refusal>| {
            let sender = sender.clone();
            async move {
                if let Ok(accepted) = arrived {
                    sender.send(accepted).await.unwrap();
                }
            }
        };
        let current = Arc::new(ArcSwap::new(listener));
        let task = tokio::spawn(serve(current.clone(), Arc::new(socket), intake.clone(), handler));
        Self { at, intake, accepted, task, current }
    }

    async fn next(&mut self) -> Accepted {
        timeout(PATIENCE, self.accepted.recv()).await.unwrap().unwrap()
    }

    async fn connect(&self, first: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(self.at).await.unwrap();
        client.write_all(first).await.unwrap();
        client
    }

    /// That a client who sends this is closed without an answer, and that the next honest one is served.
    async fn refuses(&mut self, first: &[u8], honest: &[u8]) {
        let mut client = self.connect(first).await;
        assert_eq!(rest(&mut client).await, b"", "{}", first.escape_ascii());
        let _honest = self.connect(honest).await;
        self.next().await;
    }
}

/// All that still comes; a reset counts as the end.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap();
    all
}

#[tokio::test]
async fn a_plain_connection_keeps_its_first_bytes_and_tells_its_addresses() {
    let mut served = Served::plain("protocols: [http/1.1, h2]");
    let mut client = served.connect(b"POST / HTTP/1.1\r\n").await;
    let mut accepted = served.next().await;
    assert_eq!(accepted.protocol, Protocol::Http1);
    assert_eq!(accepted.peer.client(), Some(client.local_addr().unwrap()));
    assert!(accepted.tls.is_none());
    accepted.stream.write_all(b"answer").await.unwrap();
    drop(client.shutdown().await);
    let mut seen = Vec::new();
    accepted.stream.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, b"POST / HTTP/1.1\r\n");
    drop(accepted);
    assert_eq!(rest(&mut client).await, b"answer");
}

#[tokio::test]
async fn the_preface_of_http_2_is_recognised_also_in_pieces() {
    let mut served = Served::plain("protocols: [http/1.1, h2]");
    let mut client = served.connect(b"P").await;
    client.set_nodelay(true).unwrap();
    for piece in [&b"R"[..], b"I", b" * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        client.write_all(piece).await.unwrap();
    }
    assert_eq!(served.next().await.protocol, Protocol::Http2);
    let mut only_1 = Served::plain("protocols: [http/1.1]");
    only_1.refuses(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET").await;
    let mut only_2 = Served::plain("protocols: [h2]");
    only_2.refuses(b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n").await;
}

#[tokio::test]
async fn tls_on_a_plain_listener_and_silence_are_closed() {
    let mut served = Served::plain("timeouts: { first_byte: 100ms }");
    served.refuses(b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET").await;
    served.refuses(b"", b"GET").await;
    served.refuses(b"PR", b"GET").await;
    let mut ended = served.connect(b"PR").await;
    ended.shutdown().await.unwrap();
    assert_eq!(rest(&mut ended).await, b"");
}

#[tokio::test]
async fn tls_tells_what_was_negotiated() {
    let issued = Issued::new(&["a.example"]);
    let mut served = Served::tls(&issued, "");
    for (offer, expected) in [
        (&[&b"h2"[..], b"http/1.1"][..], Protocol::Http2),
        (&[b"http/1.1"], Protocol::Http1),
        (&[], Protocol::Http1),
    ] {
        let connector = TlsConnector::from(issued.trusting(offer));
        let name = ServerName::try_from("a.example").unwrap();
        let mut client = connector.connect(name, served.connect(b"").await).await.unwrap();
        let mut accepted = served.next().await;
        assert_eq!(accepted.protocol, expected);
        let facts = accepted.tls.clone().unwrap();
        assert_eq!((facts.sni.as_deref(), facts.version), (Some("a.example"), "TLSv1.3"));
        assert!(facts.cipher.starts_with("TLS13_"), "{facts:?}");
        accepted.stream.write_all(b"hello").await.unwrap();
        accepted.stream.shutdown().await.unwrap();
        let mut seen = Vec::new();
        client.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"hello");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_listener_is_told_so() {
    let issued = Issued::new(&["a.example"]);
    let mut served = Served::tls(&issued, "timeouts: { tls: 100ms }");
    let mut client = served.connect(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head} {}", body.len());
    // Silence, and a handshake that stops half way.
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut client = served.connect(start).await;
        assert_eq!(rest(&mut client).await, b"");
    }
    let connector = TlsConnector::from(issued.trusting(&[]));
    let name = ServerName::try_from("a.example").unwrap();
    let _client = connector.connect(name, served.connect(b"").await).await.unwrap();
    served.next().await;
}

#[tokio::test]
async fn the_proxy_protocol_is_believed_from_trusted_peers_alone() {
    let line = b"PROXY TCP4 192.0.2.9 198.51.100.2 5000 443\r\n";
    let request = [&line[..], b"GET / HTTP/1.1\r\n\r\n"].concat();

    let mut required = Served::plain("proxy_protocol: { mode: required, from: [127.0.0.1] }");
    let _client = required.connect(&request).await;
    let mut accepted = required.next().await;
    assert_eq!(accepted.peer.client().unwrap().to_string(), "192.0.2.9:5000");
    assert_eq!(accepted.peer.peer.unwrap().ip().to_string(), "127.0.0.1");
    let mut seen = [0; 18];
    accepted.stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"GET / HTTP/1.1\r\n\r\n");
    required.refuses(b"GET / HTTP/1.1\r\n\r\n", &request).await;
    required.refuses(b"PROXY TCP4 nonsense\r\nGET / HTTP/1.1\r\n\r\n", &request).await;

    let mut stranger = Served::plain("proxy_protocol: { mode: required, from: [192.0.2.0/24] }");
    let mut client = stranger.connect(&request).await;
    assert_eq!(rest(&mut client).await, b"");
    assert!(stranger.accepted.try_recv().is_err());

    let mut optional = Served::plain("proxy_protocol: { mode: optional, from: [127.0.0.0/8] }");
    let client = optional.connect(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(optional.next().await.peer.client(), Some(client.local_addr().unwrap()));
    let _client = optional.connect(&request).await;
    assert_eq!(optional.next().await.peer.client().unwrap().to_string(), "192.0.2.9:5000");

    let mut forged = Served::plain("proxy_protocol: { mode: optional, from: [192.0.2.0/24] }");
    let _client = forged.connect(&request).await;
    let mut accepted = forged.next().await;
    assert_eq!(accepted.peer.told, None);
    let mut seen = [0; 5];
    accepted.stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"PROXY", "the bytes are the client's own");
}

#[tokio::test]
async fn version_2_with_extras_goes_before_tls() {
    let issued = Issued::new(&["a.example"]);
    let mut served = Served::tls(&issued, "proxy_protocol: { mode: required, from: [127.0.0.1] }");
    let extras = [&[4, 1, 44][..], &[7; 300]].concat();
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend(((12 + extras.len()) as u16).to_be_bytes());
    header.extend([192, 0, 2, 9, 198, 51, 100, 2, 0, 80, 1, 187]);
    header.extend(extras);
    let client = served.connect(&header).await;
    let name = ServerName::try_from("a.example").unwrap();
    let _client = TlsConnector::from(issued.trusting(&[])).connect(name, client).await.unwrap();
    let accepted = served.next().await;
    assert_eq!(accepted.peer.client().unwrap().to_string(), "192.0.2.9:80");
    assert!(accepted.tls.is_some());
}

#[tokio::test]
async fn an_address_has_its_fill_and_a_full_listener_waits() {
    let mut served = Served::plain("limits: { connections: 2, per_address: 1 }");
    let _client = served.connect(b"GET").await;
    let first = served.next().await;
    let mut second = served.connect(b"GET").await;
    assert_eq!(rest(&mut second).await, b"", "closed at once");
    drop(first);
    let _third = served.connect(b"GET").await;
    served.next().await;

    let mut served = Served::plain("limits: { connections: 1 }");
    let _one = served.connect(b"GET").await;
    let first = served.next().await;
    assert_eq!(first.listener.vacant(), 0);
    let mut two = served.connect(b"GET").await;
    let waits = timeout(Duration::from_millis(50), served.accepted.recv()).await;
    assert!(waits.is_err(), "the second waits in the backlog");
    drop(first);
    let mut second = served.next().await;
    second.stream.write_all(b"served").await.unwrap();
    drop(second);
    assert_eq!(rest(&mut two).await, b"served");
}

#[tokio::test]
async fn the_limit_in_all_holds_across_listeners() {
    let intake = Intake::new(1, Workers::here(), Audit::default());
    let mut one = Served::with(listener("bind: '127.0.0.1:0'"), intake.clone());
    let mut two = Served::with(listener("bind: '127.0.0.1:0'"), intake);
    let _client = one.connect(b"GET").await;
    let first = one.next().await;
    let _waiting = two.connect(b"GET").await;
    assert!(timeout(Duration::from_millis(50), two.accepted.recv()).await.is_err());
    drop(first);
    two.next().await;
}

#[tokio::test]
async fn stopping_closes_the_socket_and_leaves_connections_alone() {
    let mut served = Served::plain("");
    let mut client = served.connect(b"GET").await;
    let mut accepted = served.next().await;
    served.intake.stop.cancel();
    timeout(PATIENCE, &mut served.task).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(served.at).await.is_err());
    accepted.stream.write_all(b"still here").await.unwrap();
    drop(accepted);
    assert_eq!(rest(&mut client).await, b"still here");
    served.intake.tracker.close();
    timeout(PATIENCE, served.intake.tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn a_reload_shows_in_the_next_connection() {
    let mut served = Served::plain("name: old");
    let _one = served.connect(b"GET").await;
    assert_eq!(&*served.next().await.listener.config.name, "old");
    served.current.store(listener("bind: '127.0.0.1:0'\nname: new\nprotocols: [h2]"));
    let _two = served.connect(b"PRI * HTTP/2.0\r\n").await;
    assert_eq!(&*served.next().await.listener.config.name, "new");
}

#[tokio::test]
async fn a_unix_socket_is_served_and_its_file_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.sock");
    let mut served = Served::start(&format!("bind: 'unix:{}'", path.display()));
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"GET").await.unwrap();
    let accepted = served.next().await;
    assert_eq!(accepted.peer.client(), None);
    served.intake.stop.cancel();
    timeout(PATIENCE, &mut served.task).await.unwrap().unwrap().unwrap();
    assert!(!Path::new(&path).exists());
}
