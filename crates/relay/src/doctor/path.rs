//! The way to whatever answers at the URL: its name, a connection, TLS, and who ends that.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wicketgate_admission::fetch::FetchConfig;
use wicketgate_tls::TlsStream;

use super::certificate::{self, Shown, anyone};
use super::clean;
use super::finding::{Check, Finding};
use crate::carrier::{BoxedCarrier, Gateway, Proxy, Socket};
use crate::identity::ALPN;

/// The most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;
/// A certificate with fewer days left is told of: long enough to renew it, longer than what renews by itself leaves over.
const FEW_DAYS: i64 = 10;

/// A way that has been walked once.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) gateway: Gateway,
    pub(super) timeout: Duration,
    /// None where a proxy asks for the name.
    address: Option<SocketAddr>,
    /// As endpoints do it.
    strict: Arc<ClientConfig>,
    /// The same, trusting anybody: what an untrusted product says helps to find it.
    lenient: Arc<ClientConfig>,
    trusted: bool,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) connected: Option<SocketAddr>,
    pub(super) certificate: Option<Shown>,
    pub(super) raw_tls: Option<bool>,
}

/// Walks the way for the first time; `None` where it leads nowhere.
pub(super) async fn walk(
    gateway: &Gateway,
    https: &FetchConfig,
    seen: &mut Seen,
    found: &mut Vec<Finding>,
) -> Option<Way> {
    if let Some(proxy) = &gateway.proxy {
        through(proxy, gateway, https.timeout, found).await?;
    } else {
        seen.addresses = names(gateway, https.timeout, found).await?;
        seen.connected = Some(connect(&seen.addresses, https.timeout, found).await?);
    }
    let mut strict = https.tls();
    strict.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut way = Way {
        gateway: gateway.clone(),
        timeout: https.timeout,
        address: seen.connected,
        lenient: Arc::new(anyone(vec![b"http/1.1".to_vec()])?),
        strict: Arc::new(strict),
        trusted: true,
    };
    if way.gateway.secure {
        seen.certificate = Some(way.certificate(found).await?);
        let agreed = way.passes_raw().await;
        seen.raw_tls = Some(agreed);
        let text = match agreed {
            true => {
                "`wicketgate/1` is agreed to: TLS reaches a gateway unopened, and sessions need no WebSocket"
            }
            false => {
                "`wicketgate/1` is not agreed to: something on the way ends TLS, and sessions go inside WebSocket"
            }
        };
        found.push(Finding::pass(Check::RawTls, text));
    }
    Some(way)
}

/// Whether the proxy on the way gives a connection.
async fn through(proxy: &Proxy, gateway: &Gateway, limit: Duration, found: &mut Vec<Finding>) -> Option<()> {
    let start = Instant::now();
    let problem = match timeout(limit, gateway.connect()).await {
        Ok(Ok(_)) => {
            let (host, port) = gateway.place();
            let text = format!("{proxy} connects to {host}:{port} in {} ms", start.elapsed().as_millis());
            found.push(Finding::pass(Check::Proxy, text));
            return Some(());
        }
        Ok(Err(error)) => clean::text(&error.to_string()),
        Err(_) => format!("the proxy {proxy} gives no connection within {limit:?}"),
    };
    found.push(Finding::fail(Check::Proxy, problem));
    None
}

async fn names(gateway: &Gateway, limit: Duration, found: &mut Vec<Finding>) -> Option<Vec<SocketAddr>> {
    let host = gateway.host.as_str();
    let looked = timeout(limit, tokio::net::lookup_host((host, gateway.port))).await;
    let problem = match looked {
        Ok(Ok(addresses)) => {
            let mut addresses: Vec<_> = addresses.take(MAX_ADDRESSES).collect();
            addresses.dedup();
            if !addresses.is_empty() {
                let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
                found.push(Finding::pass(Check::Dns, shown.join(", ")));
                return Some(addresses);
            }
            format!("`{host}` has no address")
        }
        Ok(Err(error)) => format!("`{host}` has no address: {}", clean::text(&error.to_string())),
        Err(_) => format!("no answer about `{host}` within {limit:?}"),
    };
    found.push(Finding::fail(Check::Dns, problem));
    None
}

/// The first address that takes a connection.
async fn connect(addresses: &[SocketAddr], limit: Duration, found: &mut Vec<Finding>) -> Option<SocketAddr> {
    let mut silent = Vec::new();
    for address in addresses {
        let start = Instant::now();
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                let text = format!("{address} in {} ms", start.elapsed().as_millis());
                found.push(match silent.is_empty() {
                    true => Finding::pass(Check::Tcp, text),
                    // Each connection waits for those before it.
                    false => Finding::warn(Check::Tcp, format!("{text}; {}", silent.join("; "))),
                });
                return Some(*address);
            }
            Ok(Err(error)) => silent.push(format!("{address}: {error}")),
            Err(_) => silent.push(format!("{address}: no answer within {limit:?}")),
        }
    }
    found.push(Finding::fail(Check::Tcp, silent.join("; ")));
    None
}

impl Way {
    /// Opens a connection for HTTP.
    pub(super) async fn open(&self) -> io::Result<BoxedCarrier> {
        let open = async {
            let socket = self.socket().await?;
            if !self.gateway.secure {
                return Ok(socket);
            }
            let config = if self.trusted { &self.strict } else { &self.lenient };
            Ok(Box::new(self.secure(socket, config.clone()).await?) as BoxedCarrier)
        };
        timeout(self.timeout, open).await.unwrap_or_else(|_| Err(late(self.timeout)))
    }

    /// What endpoints dial by fails where this is `false`.
    pub(super) const fn is_trusted(&self) -> bool {
        self.trusted
    }

    async fn socket(&self) -> io::Result<BoxedCarrier> {
        if let Some(address) = self.address {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            return Ok(Box::new(socket));
        }
        match self.gateway.connect().await.map_err(io::Error::other)?.socket {
            Socket::Tcp(socket) => Ok(Box::new(socket)),
            Socket::Other(socket) => Ok(socket),
        }
    }

    async fn secure(
        &self,
        socket: BoxedCarrier,
        config: Arc<ClientConfig>,
    ) -> io::Result<TlsStream<BoxedCarrier>> {
        let name = self.gateway.host.clone().try_into().map_err(io::Error::other)?;
        Ok(TlsStream::connect(socket, config, name, None).await?)
    }

    async fn tls(&self, config: Arc<ClientConfig>) -> io::Result<TlsStream<BoxedCarrier>> {
        let open = async { self.secure(self.socket().await?, config).await };
        timeout(self.timeout, open).await.unwrap_or_else(|_| Err(late(self.timeout)))
    }

    /// Who ends TLS, and whether endpoints trust it.
    async fn certificate(&mut self, found: &mut Vec<Finding>) -> Option<Shown> {
        let refused = match self.tls(self.strict.clone()).await {
            Ok(stream) => {
                let shown = certificate::shown(&stream)?;
                let (text, left) = (shown.to_string(), shown.days_left);
                found.push(match left < FEW_DAYS {
                    true => Finding::warn(Check::Certificate, text),
                    false => Finding::pass(Check::Certificate, text),
                });
                return Some(shown);
            }
            Err(error) => clean::text(&error.to_string()),
        };
        self.trusted = false;
        match self.tls(self.lenient.clone()).await {
            Ok(stream) => {
                let shown = Shown { trusted: false, ..certificate::shown(&stream)? };
                if shown.days_until > 0 {
                    let text = format!("the certificate is good in {} days only: {shown}", shown.days_until);
                    found.push(Finding::warn(Check::Clock, text));
                }
                found.push(Finding::fail(Check::Certificate, format!("{refused}; {shown}")));
                Some(shown)
            }
            Err(error) => {
                let error = clean::text(&error.to_string());
                found.push(Finding::fail(Check::Certificate, format!("no TLS comes about: {error}")));
                None
            }
        }
    }

    /// Whether TLS that offers nothing but the relay's own protocol gets it agreed to.
    async fn passes_raw(&self) -> bool {
        let Some(config) = anyone(vec![ALPN.to_vec()]) else { return false };
        match self.tls(Arc::new(config)).await {
            Ok(stream) => stream.alpn() == Some(ALPN),
            Err(_) => false,
        }
    }
}

fn late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))
}
