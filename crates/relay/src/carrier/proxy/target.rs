//! Where a tunnel leads.

use std::fmt;

use http::uri::Authority;

/// Where a tunnel leads: a host, which the proxy resolves, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Authority);

impl Target {
    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
