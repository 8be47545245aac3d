//! The way out through an HTTP proxy: who it is, what it is told, and a tunnel by CONNECT (RFC 9110, 9.3.6).

pub mod config;
mod environment;
mod error;
mod target;
mod tunnel;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::uri::Authority;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use wicketgate_config::Secret;
use wicketgate_tls::TlsStream;
use zeroize::Zeroizing;

pub use error::{ProxyError, ProxyFault};

use super::reached::{Reached, Socket};

/// An HTTP proxy that carriers are dialled through.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    url: ProxyUrl,
    credentials: Option<Credentials>,
    /// For the proxy itself, where TLS is spoken with it.
    tls: Option<Arc<ClientConfig>>,
}

/// Where a proxy is: `http://HOST[:PORT]` or `https://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProxyUrl {
    host: String,
    port: u16,
    secure: bool,
}

/// Who we are for a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Credentials {
    username: String,
    password: Secret,
}

impl Proxy {
    /// A connection to this place by way of the proxy, which resolves the name.
    ///
    /// # Errors
    /// The proxy cannot be reached, or does not give one.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<Reached, ProxyError> {
        let failed = |why| ProxyError { proxy: self.to_string(), why };
        let Inner { url, credentials, tls } = &*self.0;
        let socket = TcpStream::connect((url.host.as_str(), url.port)).await;
        let socket = socket.map_err(|error| failed(ProxyFault::Connect(error)))?;
        socket.set_nodelay(true).map_err(|error| failed(ProxyFault::Connect(error)))?;
        let local = socket.local_addr().ok();
        let target = target::Target::new(host, port).ok_or_else(|| failed(ProxyFault::Target))?;
        let socket = match tls {
            None => Socket::Tcp(tunnel::open(socket, &target, credentials.as_ref()).await.map_err(failed)?),
            Some(tls) => {
                let secure = secure(tls, &url.host, socket).await;
                let secure = secure.map_err(|error| failed(ProxyFault::Tls(error)))?;
                let tunnel = tunnel::open(secure, &target, credentials.as_ref()).await.map_err(failed)?;
                Socket::Other(Box::new(tunnel))
            }
        };
        Ok(Reached { socket, local })
    }
}

async fn secure(
    tls: &Arc<ClientConfig>,
    host: &str,
    socket: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = host.to_owned().try_into().map_err(std::io::Error::other)?;
    Ok(TlsStream::connect(socket, tls.clone(), name, None).await?)
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.url.fmt(f)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl ProxyUrl {
    /// Reads a URL, and what stands in it before `@`. Without a scheme it is `http://`, as in the environment.
    fn parse(text: &str) -> Result<(Self, Option<&str>), &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err("it begins with neither http:// nor https://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let place: Authority = place.parse().map_err(|_| "it is no URL of a host and a port alone")?;
        let host = place.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("it names no host");
        }
        let port = match place.port_u16() {
            Some(port) => port,
            None if !place.as_str().ends_with(place.host()) => return Err("its port is none"),
            None if secure => 443,
            None => 80,
        };
        Ok((Self { host, port, secure }, user))
    }
}

impl Credentials {
    /// What cannot be said by Basic (RFC 7617, 2) is refused.
    fn new(username: String, password: Secret) -> Result<Self, &'static str> {
        if username.is_empty() || username.contains(':') {
            return Err("a user name is not empty, and holds no colon");
        }
        if [&username, password.reveal()].iter().any(|text| text.chars().any(char::is_control)) {
            return Err("a user name and password hold no control characters");
        }
        Ok(Self { username, password })
    }

    /// `Basic ...`, masked when shown.
    fn header(&self) -> Option<HeaderValue> {
        let pair = Zeroizing::new(format!("{}:{}", self.username, self.password.reveal()));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_proxys_url_is_a_host_and_a_port() {
        let shown = |text| ProxyUrl::parse(text).map(|(url, user)| (url.to_string(), user));
        assert_eq!(shown("http://proxy:3128"), Ok(("http://proxy:3128".into(), None)));
        assert_eq!(shown("HTTPS://proxy/"), Ok(("https://proxy:443".into(), None)));
        assert_eq!(shown("proxy.example:8080"), Ok(("http://proxy.example:8080".into(), None)));
        assert_eq!(shown("http://[2001:db8::1]:3128"), Ok(("http://[2001:db8::1]:3128".into(), None)));
        assert_eq!(shown("http://u:p@s@proxy"), Ok(("http://proxy:80".into(), Some("u:p@s"))));
        for wrong in
            ["socks5://proxy:1080", "http://", "http://proxy:99999", "http://proxy/path", "", "http://:1"]
        {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_are_shown_to_nobody() {
        let credentials = Credentials::new("alice".into(), Secret::new("s3cret")).unwrap();
        assert_eq!(credentials.header().unwrap(), "Basic YWxpY2U6czNjcmV0");
        let (url, _) = ProxyUrl::parse("http://proxy:3128").unwrap();
        let proxy = Proxy(Arc::new(Inner { url, credentials: Some(credentials.clone()), tls: None }));
        for shown in [format!("{credentials:?} {:?}", credentials.header()), format!("{proxy:?} {proxy}")] {
            assert!(!shown.contains("s3cret") && !shown.contains("YWxp"), "{shown}");
        }
        for (user, password) in [("", "p"), ("a:b", "p"), ("a\r\n", "p"), ("a", "p\n")] {
            assert!(Credentials::new(user.into(), Secret::new(password)).is_err());
        }
    }
}
