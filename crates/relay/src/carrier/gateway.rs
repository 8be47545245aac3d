//! Where a gateway is found.

use http::Uri;

/// Where a gateway is found: a URL whose host is that of whatever stands in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS is spoken there.
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

    /// Whether TLS is spoken there.
    pub const fn is_secure(&self) -> bool {
        self.secure
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
