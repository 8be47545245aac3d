//! Socket activation: the service manager listens, and passes its sockets along (`sd_listen_fds(3)`). Each is the listener's that is
//! configured with its address. Who comes while the gateway starts again waits in the socket, and nobody is refused.

use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use socket2::Socket;

use super::address::BindAddress;

/// Why a socket of the service manager's cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// It is for something else.
    #[error(
        "the service manager passes a socket that takes no connections: in the socket unit, use ListenStream= and Accept=no"
    )]
    NotListening,
    /// IPv4 clients would come by addresses of IPv6.
    #[error(
        "the service manager's socket {0} takes IPv4 too: in the socket unit, set BindIPv6Only=ipv6-only, and give IPv4 a ListenStream= of its own"
    )]
    BothFamilies(BindAddress),
    /// No listener wants it, and its clients would wait for ever.
    #[error(
        "the service manager listens at {0}, and no listener does: add it to a listener's `bind`, or take it out of the socket unit"
    )]
    Unclaimed(BindAddress),
    /// The system's own.
    #[error("the service manager's socket cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The sockets, by the addresses that they listen at.
#[derive(Debug, Default)]
pub struct Activated(pub(super) Vec<(BindAddress, OwnedFd)>);

impl Activated {
    /// As `LISTEN_FDS` and `LISTEN_PID` say, which are taken out of the environment. Call it once, and before there are other threads.
    ///
    /// # Errors
    /// What is passed is nothing that can be listened at.
    pub fn of_environment() -> Result<Self, ActivationError> {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            // Whatever it is, it is asked for as one or the other, and looked at then.
            let tcp = passed.take_tcp_listener(index).ok().flatten().map(OwnedFd::from);
            let mut unix = || passed.take_unix_listener(index).ok().flatten().map(OwnedFd::from);
            let fd = tcp.or_else(&mut unix).ok_or(ActivationError::NotListening)?;
            sockets.push(named(fd)?);
        }
        Ok(Self(sockets))
    }
}

fn named(fd: OwnedFd) -> Result<(BindAddress, OwnedFd), ActivationError> {
    let socket = Socket::from(fd);
    let local = socket.local_addr()?;
    let tcp = local.as_socket().map(BindAddress::Tcp);
    let address = tcp.or_else(|| local.as_pathname().map(|path| BindAddress::Unix(path.to_owned())));
    let address = address.ok_or(ActivationError::NotListening)?;
    if !socket.is_listener()? {
        return Err(ActivationError::NotListening);
    }
    if local.is_ipv6() && !socket.only_v6()? {
        return Err(ActivationError::BothFamilies(address));
    }
    Ok((address, socket.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    use socket2::{Domain, Type};

    use super::*;

    #[test]
    fn a_socket_is_named_by_where_it_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = BindAddress::Tcp(listener.local_addr().unwrap());
        assert_eq!(named(listener.into()).unwrap().0, address);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(named(listener.into()).unwrap().0, BindAddress::Unix(path));
    }

    #[test]
    fn what_takes_no_connections_is_refused() {
        let mute = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(matches!(named(mute.into()), Err(ActivationError::NotListening)));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(named(udp.into()), Err(ActivationError::NotListening)));
        let unnamed = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        assert!(matches!(named(unnamed.into()), Err(ActivationError::NotListening)));
    }

    #[test]
    fn a_socket_of_both_families_is_refused() {
        let both = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        both.set_only_v6(false).unwrap();
        both.bind(&"[::]:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
        both.listen(1).unwrap();
        let error = named(both.into()).unwrap_err().to_string();
        assert!(error.contains("[::]:") && error.contains("BindIPv6Only=ipv6-only"), "{error}");
    }
}
