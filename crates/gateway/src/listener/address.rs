//! The address a listener is bound to.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest path that fits a Unix socket's address (`sun_path` with its closing zero).
const UNIX_PATH_MAX: usize = 107;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BindAddress {
    /// `0.0.0.0:443`, `[::]:443`. Port 0 lets the system choose.
    Tcp(SocketAddr),
    /// `unix:/run/wicketgate.sock`.
    Unix(PathBuf),
}

impl BindAddress {
    /// Whether none but clients on this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                _ if !path.starts_with('/') || path.contains('\0') => {
                    Err(format!("`{text}` is no absolute path: write it as in unix:/run/wicketgate.sock"))
                }
                1..=UNIX_PATH_MAX => Ok(Self::Unix(path.into())),
                n => Err(format!("a Unix socket's path has at most {UNIX_PATH_MAX} bytes, and this one {n}")),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!("`{text}` is no address to listen at: write IP:PORT, as in 0.0.0.0:443 or [::]:443, or unix:/PATH")
        })
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in ["0.0.0.0:443", "[::]:443", "[fe80::1]:80", "unix:/run/w.sock"] {
            assert_eq!(text.parse::<BindAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        for text in ["443", ":443", "localhost:443", "unix:run/w.sock", "unix:", "1.2.3.4", "::1:443"] {
            assert!(text.parse::<BindAddress>().unwrap_err().contains("write"), "{text}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<BindAddress>().unwrap_err().contains("108"));
    }
}
