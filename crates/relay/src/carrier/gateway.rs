//! Where a gateway is found, and the connection to whatever is there.

use std::io;

use http::Uri;
use tokio::net::TcpStream;

use super::DialError;
use super::proxy::Proxy;
use super::reached::{Reached, Socket, is_loopback};

/// Where a gateway is found: a URL whose host is that of whatever stands in front of it.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS is spoken there.
    pub(crate) secure: bool,
    /// On the way out.
    pub(crate) proxy: Option<Proxy>,
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
        let port = match (uri.port_u16(), uri.authority()) {
            (Some(port), _) => port,
            // Something follows the host: no port, or one beyond all.
            (None, Some(place)) if !place.as_str().ends_with(place.host()) => return Err("its port is none"),
            (None, _) if secure => 443,
            (None, _) => 80,
        };
        Ok(Self { uri, host, port, secure, proxy: None })
    }

    /// The same by way of this proxy.
    pub fn through(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// Where it is, for whoever is asked for the way there.
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects to its host.
    ///
    /// # Errors
    /// It, or the proxy on the way, cannot be reached or says no.
    pub(crate) async fn connect(&self) -> Result<Reached, DialError> {
        if let Some(proxy) = &self.proxy {
            return Ok(proxy.connect(&self.host, self.port).await?);
        }
        let unreachable =
            |error: io::Error| DialError::Connect { host: self.host.clone(), port: self.port, error };
        let socket = TcpStream::connect(self.place()).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        let local = socket.local_addr().ok();
        Ok(Reached { socket: Socket::Tcp(socket), local })
    }

    /// Whether TLS is spoken there.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl std::fmt::Display for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_or_is_left_out() {
        let port = |text| Gateway::parse(text).map(|gateway| gateway.port);
        assert_eq!(port("https://remote.example/relay"), Ok(443));
        assert_eq!(port("https://remote.example:8443/relay"), Ok(8443));
        assert_eq!(port("http://[::1]/relay"), Ok(80));
        assert_eq!(port("http://[::1]:8080/relay"), Ok(8080));
        for wrong in ["https://remote.example:99999/relay", "https://remote.example:/relay"] {
            assert_eq!(port(wrong), Err("its port is none"), "{wrong}");
        }
    }
}
