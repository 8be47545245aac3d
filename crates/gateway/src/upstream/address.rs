//! Where a target listens: `ws://host:port`, `wss://`, `http://`, `https://` or `unix:/path`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use http::{HeaderValue, Uri};

/// The address of a target, as written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where to connect to.
    pub endpoint: Endpoint,
    /// Whether TLS runs over the connection.
    pub tls: bool,
    /// What a request is sent with where it brings no `Host` of its own: host, and the port unless it is the scheme's.
    pub authority: HeaderValue,
    text: String,
}

/// Where a socket connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address that needs no resolving.
    Ip(SocketAddr),
    /// A name to be resolved, and the port.
    Name(String, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The name or address that the target's certificate must be for; `None` for a Unix socket.
    pub fn host(&self) -> Option<String> {
        match &self.endpoint {
            Endpoint::Ip(address) => Some(address.ip().to_string()),
            Endpoint::Name(name, _) => Some(name.clone()),
            Endpoint::Unix(_) => None,
        }
    }

    /// The URL scheme of plain requests over HTTP/2.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The address as it was configured; it can hold no credentials.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(format!("`{text}` does not name a socket by its full path"));
            }
            let authority = HeaderValue::from_static("localhost");
            return Ok(Self {
                endpoint: Endpoint::Unix(path.into()),
                tls: false,
                authority,
                text: text.into(),
            });
        }
        let uri: Uri = text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
        let (tls, usual) = match uri.scheme_str() {
            Some("ws" | "http") => (false, 80),
            Some("wss" | "https") => (true, 443),
            _ => return Err(format!("`{text}` begins with none of ws, wss, http, https, unix")),
        };
        if uri.path_and_query().is_some_and(|path| path != "/") {
            return Err(format!("`{text}` has a path: a target is an origin, routes rewrite paths"));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = uri.host().unwrap_or_default();
        let port = match authority.strip_prefix(host) {
            Some("") => usual,
            Some(_) => {
                uri.port_u16().filter(|port| *port != 0).ok_or(format!("`{text}` has no valid port"))?
            }
            None => return Err(format!("`{text}` holds credentials: set an `Authorization` header instead")),
        };
        let endpoint = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => Endpoint::Ip(SocketAddr::new(ip, port)),
            Err(_) if host.is_empty() || host.contains('[') => {
                return Err(format!("`{text}` has no valid host"));
            }
            Err(_) => Endpoint::Name(host.to_owned(), port),
        };
        let authority = if port == usual { host.to_owned() } else { format!("{host}:{port}") };
        let authority =
            HeaderValue::from_str(&authority).map_err(|_| format!("`{text}` has no valid host"))?;
        Ok(Self { endpoint, tls, authority, text: text.trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parsed(text: &str) -> (Endpoint, bool, String) {
        let address: Address = text.parse().unwrap();
        (address.endpoint, address.tls, address.authority.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_form_is_understood() {
        let name = |host: &str, port| Endpoint::Name(host.into(), port);
        assert_eq!(parsed("ws://chat:8080"), (name("chat", 8080), false, "chat:8080".into()));
        assert_eq!(parsed("wss://chat.example/"), (name("chat.example", 443), true, "chat.example".into()));
        assert_eq!(parsed("http://chat:80"), (name("chat", 80), false, "chat".into()));
        let v6 = Endpoint::Ip("[::1]:9000".parse().unwrap());
        assert_eq!(parsed("https://[::1]:9000"), (v6, true, "[::1]:9000".into()));
        let unix = Endpoint::Unix("/run/app.sock".into());
        assert_eq!(parsed("unix:/run/app.sock"), (unix.clone(), false, "localhost".into()));
        assert_eq!(parsed("unix:///run/app.sock").0, unix);
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "chat",
            "chat:80",
            "ftp://chat",
            "ws://",
            "ws://:80",
            "ws://chat:0",
            "ws://chat:99999",
            "ws://chat:x",
            "ws://chat/path",
            "ws://chat/?q",
            "ws://user@chat",
            "ws://u:p@chat:80",
            "ws://[::1",
            "unix:app.sock",
            "unix:",
            "ws://a b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
