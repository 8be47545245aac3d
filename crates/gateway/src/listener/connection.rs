//! From an accepted socket to a connection that is ready for HTTP: PROXY protocol, first bytes, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use wicketgate_admission::identity::ClientCertificate;
use wicketgate_relay::carrier::tls::ALPN as CARRIER;

use super::accept::Listener;
use super::config::{Protocol, ProxyMode};
use super::limits::Permit;
use super::proxy_protocol::{self, Recognised};
use crate::net::{Socket, Stream};
use crate::tls::acme::ALPN;
use crate::tls::{Chain, Current, HandshakeError, TlsStream, UnreadableCertificate, peer_identity};

/// A connection whose client can now be listened to.
pub struct Accepted {
    /// Its bytes.
    pub stream: Stream,
    /// What is spoken on it, by ALPN or by its first bytes.
    pub protocol: Protocol,
    /// Who is at the other end.
    pub peer: ClientAddress,
    /// What was negotiated, if it is TLS.
    pub tls: Option<TlsFacts>,
    /// Where it came in.
    pub listener: Arc<Listener>,
    /// Its place among the open connections: to be kept as long as it is open.
    pub permit: Permit,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The TCP peer; none on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The client, as a trusted peer told by the PROXY protocol.
    pub told: Option<SocketAddr>,
}

impl ClientAddress {
    /// The client's address: what a trusted peer told, else the peer's own. An IPv4 address mapped into
    /// IPv6 is shown as IPv4.
    pub fn client(&self) -> Option<SocketAddr> {
        let address = self.told.or(self.peer)?;
        Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// The same without its port.
    pub fn ip(&self) -> Option<IpAddr> {
        self.client().map(|address| address.ip())
    }
}

/// What was negotiated in a TLS handshake.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// The protocol agreed on by ALPN.
    pub alpn: Option<Protocol>,
    /// The name the client asked for.
    pub sni: Option<Box<str>>,
    /// The version, as logs show it: `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: &'static str,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The client's certificate, verified, where one was asked for and shown.
    pub client_certificate: Option<Arc<ClientCertificate>>,
    /// That certificate and those that it was verified by, as the client showed them.
    pub client_chain: Option<Arc<Chain>>,
}

/// Why a connection ended before it was one.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A peer that is not trusted to send a PROXY header came where one is required.
    #[error("a PROXY protocol header is required, and this peer is not trusted to send one")]
    Untrusted,
    /// No PROXY header came where one is required.
    #[error("a PROXY protocol header is required, and there is none")]
    NoProxyHeader,
    /// A PROXY header that is none.
    #[error("malformed PROXY protocol header: {0}")]
    BadProxyHeader(&'static str),
    /// The limit of connections of one address.
    #[error("this address has its fill of connections")]
    AddressFull,
    /// No byte came before the deadline.
    #[error("nothing came in time")]
    Silent,
    /// A TLS handshake where plain HTTP is spoken.
    #[error("TLS where plain HTTP is spoken")]
    TlsOnPlain,
    /// Plain HTTP where TLS is spoken; it was answered 400.
    #[error("plain HTTP where TLS is spoken")]
    PlainOnTls,
    /// HTTP in a version that the listener does not speak.
    #[error("{0:?} is not spoken here")]
    Protocol(Protocol),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(HandshakeError),
    /// A certificate authority saw the answer to its challenge; nothing is spoken in that protocol (RFC 8737 section 6.2).
    #[error("a certificate authority looked at the answer to its challenge, and that was all")]
    Challenge,
    /// The client's certificate passed, but cannot be read.
    #[error(transparent)]
    Certificate(#[from] UnreadableCertificate),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Refusal {
    /// A stable word for metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Untrusted => "proxy_untrusted",
            Self::NoProxyHeader => "proxy_missing",
            Self::BadProxyHeader(_) => "proxy_malformed",
            Self::AddressFull => "address_full",
            Self::Silent => "silent",
            Self::TlsOnPlain => "tls_on_plain",
            Self::PlainOnTls => "plain_on_tls",
            Self::Protocol(_) => "protocol_not_spoken",
            Self::Challenge => "acme_challenge",
            Self::Certificate(_) => "client_certificate",
            Self::Tls(error) if error.is_of_certificate() => "client_certificate",
            Self::Tls(_) => "tls_handshake",
            Self::Io(_) => "connection_lost",
        }
    }
}

/// What nginx answers too: a browser shows it to whoever typed http:// before this port.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
Content-Type: text/plain\r\nContent-Length: 61\r\nConnection: close\r\n\r\n\
This port speaks HTTPS: the plain HTTP request was refused.\r\n";

/// How long, and for how much, we listen on so that the answer is not lost in a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_MAX: u64 = 64 * 1024;

/// Makes a connection ready, under the listener's deadlines.
pub(super) async fn prepare(
    listener: Arc<Listener>,
    mut socket: Socket,
    peer: Option<SocketAddr>,
    mut permit: Permit,
) -> Result<Accepted, Refusal> {
    let deadline = Instant::now() + listener.config.first_byte_timeout;
    let told = match timeout_at(deadline, proxy_header(&listener, &mut socket, peer)).await {
        Ok(told) => told?,
        Err(_) => return Err(Refusal::Silent),
    };
    let peer = ClientAddress { peer, told };
    if let (Some(addresses), Some(ip)) = (&listener.addresses, peer.ip())
        && !permit.count_address(addresses, ip)
    {
        return Err(Refusal::AddressFull);
    }
    let (stream, protocol, tls) = match &listener.tls {
        None => {
            let protocol =
                timeout_at(deadline, first_bytes(&socket)).await.unwrap_or(Err(Refusal::Silent))?;
            (Stream::Plain(socket), protocol, None)
        }
        Some(server) => {
            let current = server.current().map_err(|error| Refusal::Tls(HandshakeError::Tls(error)))?;
            let deadline = Instant::now() + listener.config.tls_timeout;
            // Boxed, so that plain connections do not carry its size.
            match Box::pin(TlsStream::accept(socket, current.config.clone(), Some(deadline))).await {
                Ok(stream) if stream.alpn() == Some(ALPN) => return Err(Refusal::Challenge),
                Ok(stream) => {
                    let facts = TlsFacts::of(&stream, &current)?;
                    (Stream::Tls(Box::new(stream)), facts.alpn.unwrap_or(Protocol::Http1), Some(facts))
                }
                Err(HandshakeError::PlainHttp(socket)) => {
                    // Whether the answer arrives is the client's affair.
                    let _ = timeout(LINGER, answer_plain(socket)).await;
                    return Err(Refusal::PlainOnTls);
                }
                Err(error) => return Err(Refusal::Tls(error)),
            }
        }
    };
    // A carrier's protocol is agreed on only where the section `relay` allows it.
    if protocol != Protocol::Carrier && !listener.config.protocols.contains(&protocol) {
        return Err(Refusal::Protocol(protocol));
    }
    Ok(Accepted { stream, protocol, peer, tls, listener, permit })
}

/// Reads the PROXY protocol header, where one is expected; gives the client's address that it tells.
async fn proxy_header(
    listener: &Listener,
    socket: &mut Socket,
    peer: Option<SocketAddr>,
) -> Result<Option<SocketAddr>, Refusal> {
    let Some(expected) = &listener.config.proxy_protocol else {
        return Ok(None);
    };
    // Peers on a Unix socket passed its file's permissions.
    let trusted = peer.is_none_or(|peer| expected.from.iter().any(|network| network.contains(peer.ip())));
    match (trusted, expected.mode) {
        (true, _) => {}
        (false, ProxyMode::Required) => return Err(Refusal::Untrusted),
        (false, ProxyMode::Optional) => return Ok(None),
    }
    let decided = |bytes: &[u8]| match proxy_protocol::recognise(bytes) {
        Recognised::Incomplete => None,
        decided => Some(decided),
    };
    match socket.peek(decided).await? {
        Recognised::Header { length, source } => {
            let skipped = tokio::io::copy(&mut socket.take(length as u64), &mut tokio::io::sink()).await?;
            if skipped < length as u64 {
                return Err(Refusal::BadProxyHeader("cut off"));
            }
            Ok(source)
        }
        Recognised::Malformed(why) => Err(Refusal::BadProxyHeader(why)),
        Recognised::Absent | Recognised::Incomplete => match expected.mode {
            ProxyMode::Required => Err(Refusal::NoProxyHeader),
            ProxyMode::Optional => Ok(None),
        },
    }
}

/// What a plain connection speaks, by its first bytes, which stay where they are.
async fn first_bytes(socket: &Socket) -> Result<Protocol, Refusal> {
    // No method of HTTP/1.1 begins like HTTP/2's preface (RFC 9113 3.4), nor like a TLS record (type 22, version 3.x).
    let judge = |bytes: &[u8]| match bytes {
        [0x16, ..] => Some(Err(Refusal::TlsOnPlain)),
        [b'P', b'R', b'I', b' ', ..] => Some(Ok(Protocol::Http2)),
        [b'P'] | [b'P', b'R'] | [b'P', b'R', b'I'] => None,
        _ => Some(Ok(Protocol::Http1)),
    };
    socket.peek(judge).await?
}

async fn answer_plain(mut socket: Socket) -> io::Result<()> {
    socket.write_all(PLAIN_HTTP).await?;
    socket.shutdown().await?;
    tokio::io::copy(&mut (&mut socket).take(LINGER_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

impl TlsFacts {
    fn of(stream: &TlsStream, current: &Current) -> Result<Self, UnreadableCertificate> {
        let alpn = match stream.alpn() {
            Some(b"h2") => Some(Protocol::Http2),
            Some(b"http/1.1") => Some(Protocol::Http1),
            Some(CARRIER) => Some(Protocol::Carrier),
            _ => None,
        };
        let version = match stream.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "unknown",
        };
        let cipher = stream.cipher_suite().and_then(|suite| suite.as_str()).unwrap_or("unknown");
        Ok(Self {
            alpn,
            sni: stream.server_name().map(Box::from),
            version,
            cipher,
            resumed: stream.is_resumed(),
            client_certificate: peer_identity(stream)?.map(Arc::new),
            client_chain: current.chain(stream).map(Arc::new),
        })
    }
}

impl Protocol {
    /// Its name in ALPN (RFC 7301).
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
            Self::Carrier => CARRIER,
        }
    }
}
