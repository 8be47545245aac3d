//! Who asks, and for what: what every check of a guard goes by.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::ClientCertificate;

/// Who asks, as far as the connection and trusted proxies tell.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The address; none on a Unix socket that tells none.
    pub address: Option<IpAddr>,
    /// Whether the client's side is TLS.
    pub secure: bool,
    /// Whether the client's side is a network that others can listen on, and neither loopback nor a Unix socket.
    pub remote: bool,
    /// The certificate that the client proved to have.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// What is asked for, as routing understood it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The name of the route.
    pub route: &'a str,
    /// The host in one spelling, without its port; empty where the request names none.
    pub host: &'a str,
    /// The path in one spelling.
    pub path: &'a str,
}
