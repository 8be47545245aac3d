//! Ports that a program started by a test can bind, without a race for them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use socket2::{Domain, Socket, Type};

/// A TCP port kept for a program that is about to bind it.
///
/// The port is bound with `SO_REUSEADDR` and does not listen. Linux then hands it to nobody who asks for any free port,
/// refuses connections to it, and lets a server that itself sets `SO_REUSEADDR` (all servers do) bind and
/// listen on it. Keep the value as long as the server may bind, also again.
#[derive(Debug)]
pub struct Port {
    addr: SocketAddr,
    _kept: Socket,
}

impl Port {
    /// Keeps a free port on 127.0.0.1.
    pub fn free() -> io::Result<Self> {
        Self::free_on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Keeps a free port on this address.
    pub fn free_on(ip: IpAddr) -> io::Result<Self> {
        let wanted = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&wanted.into())?;
        let addr =
            socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet address"))?;
        Ok(Self { addr, _kept: socket })
    }

    /// The address to bind, and to connect to once bound.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_kept_port_refuses_until_a_server_binds_it() {
        let port = Port::free().unwrap();
        assert_eq!(TcpStream::connect(port.addr()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let server = TcpListener::bind(port.addr()).unwrap();
        TcpStream::connect(port.addr()).unwrap();
        drop(server);
    }

    /// As in a restart without a gap, where old and new process share the port.
    #[test]
    fn two_servers_may_share_a_kept_port() {
        let port = Port::free().unwrap();
        let share = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&port.addr().into()).unwrap();
            socket.listen(1).unwrap();
            socket
        };
        let (_old, _new) = (share(), share());
        TcpStream::connect(port.addr()).unwrap();
    }
}
