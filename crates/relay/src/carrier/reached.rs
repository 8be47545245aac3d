//! A connection to somebody's host, before anything is said on it.

use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::BoxedCarrier;

/// A connection to a gateway's host.
pub(crate) struct Reached {
    pub(crate) socket: Socket,
    /// Our own address on it.
    pub(crate) local: Option<SocketAddr>,
}

/// What carriers are opened over.
pub(crate) enum Socket {
    /// TCP, be it through a proxy.
    Tcp(TcpStream),
    /// TLS with a proxy.
    Other(BoxedCarrier),
}

/// Whether this is a name or an address of this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
