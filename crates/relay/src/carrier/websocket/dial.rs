//! An endpoint's way to its gateway: HTTPS to whatever stands in front of it, and a WebSocket inside.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wicketgate_admission::fetch::FetchConfig;
use wicketgate_wire::Role;
use wicketgate_wire::handshake::{AnswerError, ClientHandshake, Nonce, Token};

use super::{SUBPROTOCOL, WebSocketPipe};
use crate::carrier::BoxedCarrier;

/// Where a gateway is found: a URL whose host is that of whatever stands in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) secure: bool,
}

impl Gateway {
    /// Reads a URL: `https://HOST[:PORT]/PATH`, or `http://` to an address of this machine.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "it is no URL")?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("it holds a user name");
        }
        if uri.query().is_some() {
            return Err("it holds a query");
        }
        let secure = match uri.scheme_str() {
            Some("https") => true,
            // Who listens on the way would learn when and how much is said, and of no name.
            Some("http") if is_loopback(&host) => false,
            Some("http") => return Err("plain http goes to addresses of this machine alone"),
            _ => return Err("it begins with neither https:// nor http://"),
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { uri, host, port, secure })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl std::fmt::Display for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

/// Why no carrier came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection.
    #[error("{host}:{port} cannot be reached: {error}")]
    Connect {
        /// Whom we asked.
        host: String,
        /// At which port.
        port: u16,
        /// What failed.
        error: std::io::Error,
    },
    /// TLS with whatever stands in front of the gateway failed.
    #[error("TLS with {host} failed: {error}")]
    Tls {
        /// Whom we asked.
        host: String,
        /// What failed.
        error: std::io::Error,
    },
    /// The exchange broke off.
    #[error("the request for a WebSocket failed: {0}")]
    Exchange(#[from] hyper::Error),
    /// Not a WebSocket.
    #[error("no WebSocket was opened: {0}")]
    Answer(#[from] AnswerError),
    /// A WebSocket, but not of a gateway.
    #[error("the WebSocket that was opened is none of a gateway: `{SUBPROTOCOL}` was not agreed to")]
    Subprotocol,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The URL cannot be asked for.
    #[error("the URL cannot be asked for: {0}")]
    Url(#[from] http::Error),
}

/// Dials carriers.
#[derive(Clone, Debug)]
pub struct Dialer {
    gateway: Gateway,
    tls: std::sync::Arc<rustls::ClientConfig>,
    timeout: Duration,
}

impl Dialer {
    /// Dials this gateway; `https` says whom to trust in front of it, and how long to wait.
    pub fn new(gateway: Gateway, https: &FetchConfig) -> Self {
        let mut tls = https.tls();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { gateway, tls: std::sync::Arc::new(tls), timeout: https.timeout }
    }

    /// Where it dials.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Opens a carrier.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn dial(&self) -> Result<BoxedCarrier, DialError> {
        let late = DialError::Late(self.timeout);
        tokio::time::timeout(self.timeout, self.open()).await.unwrap_or(Err(late))
    }

    async fn open(&self) -> Result<BoxedCarrier, DialError> {
        let Gateway { host, port, secure, .. } = &self.gateway;
        let unreachable = |error| DialError::Connect { host: host.clone(), port: *port, error };
        let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        if !secure {
            return self.upgrade(socket).await;
        }
        let untrusted = |error| DialError::Tls { host: host.clone(), error };
        let name = host.clone().try_into().map_err(|error| untrusted(std::io::Error::other(error)))?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, socket).await.map_err(untrusted)?;
        self.upgrade(stream).await
    }

    async fn upgrade<S>(&self, stream: S) -> Result<BoxedCarrier, DialError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let offer = Token::new(SUBPROTOCOL).into_iter().collect();
        let handshake = ClientHandshake::http1(Nonce::new(rand::random()), offer, Vec::new());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        let path = self.gateway.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).body(Empty::<Bytes>::new())?;
        let authority = self.gateway.uri.authority().map_or("", |authority| authority.as_str());
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(http::Error::from)?);
        // Firewalls refuse requests without one.
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("wicketgate/", env!("CARGO_PKG_VERSION"))));
        handshake.write(headers);
        let mut response = sender.send_request(request).await?;
        let on_upgrade = hyper::upgrade::on(&mut response);
        let (parts, _) = response.into_parts();
        let agreed = handshake.verify(&parts)?;
        if agreed.subprotocol.is_none() {
            return Err(DialError::Subprotocol);
        }
        let upgraded = on_upgrade.await?;
        Ok(match upgraded.downcast::<TokioIo<S>>() {
            Ok(parts) => Box::new(WebSocketPipe::new(parts.io.into_inner(), Role::Client, &parts.read_buf)),
            Err(upgraded) => {
                Box::new(WebSocketPipe::new(TokioIo::new(upgraded), Role::Client, &Bytes::new()))
            }
        })
    }
}
