//! Zero-downtime restart: a new process takes the listening sockets over from the old one.
//!
//! The old process listens on a Unix socket. The new one connects, gets duplicates of every listening socket
//! (SCM_RIGHTS), starts to accept, and then says so; only then the old one stops accepting. The queues before
//! accept belong to the sockets, so that no connection is lost; with SO_REUSEPORT each process would have its own. If the
//! new process fails before it serves, nothing has happened.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use socket2::{SockRef, Socket};
use tokio_util::sync::CancellationToken;

use super::address::BindAddress;
use super::bind::{BoundSocket, SocketFile, listen_unix};

/// What the new process says first, and what both say when it serves.
const GREETING: &[u8; 22] = b"wicketgate-handover/1\n";
const SERVING: &[u8; 8] = b"serving\n";
const DRAINING: &[u8; 9] = b"draining\n";

/// The kernel passes at most 253 descriptors at once (SCM_MAX_FD).
const SOCKETS_MAX: usize = 253;
/// Longest list of addresses: each at most 112 bytes.
const MANIFEST_MAX: usize = 32 * 1024;
/// Each step between the processes takes at most this long,
const STEP: Duration = Duration::from_secs(5);
/// and the new process at most this long until it serves.
const START: Duration = Duration::from_secs(60);
/// After a failed attempt, so that no failure repeats in a busy loop.
const PAUSE: Duration = Duration::from_millis(100);

/// Why sockets could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The other process is another user's.
    #[error("the process at the other end of the handover socket belongs to uid {0}, not to ours")]
    Stranger(u32),
    /// The other end spoke something else, or passed something else than what it said.
    #[error("handover: {0}")]
    Protocol(&'static str),
    /// The system failed, or the other process took too long.
    #[error("handover: {0}")]
    Io(#[from] io::Error),
}

/// A listening socket as it is offered to a successor.
#[derive(Debug)]
pub struct Offer {
    address: BindAddress,
    fd: OwnedFd,
    file: Option<Arc<SocketFile>>,
}

impl BoundSocket {
    /// A duplicate to be offered to a successor. It keeps the socket open: drop the [`Handover`] when draining.
    ///
    /// # Errors
    /// When no more descriptors are to be had.
    pub fn offer(&self) -> io::Result<Offer> {
        Ok(Offer {
            address: self.address.clone(),
            fd: self.as_fd().try_clone_to_owned()?,
            file: self.path.clone(),
        })
    }
}

/// The sockets that are offered to a successor: those of the configuration that is followed now.
#[derive(Clone, Debug)]
pub struct Offers(Arc<ArcSwap<Vec<Offer>>>);

impl Offers {
    /// These.
    pub fn new(offers: Vec<Offer>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(offers)))
    }

    /// These from now on; the socket at which successors ask stays as it is.
    ///
    /// # Errors
    /// When there are more than 253; then those before stay.
    pub fn replace(&self, offers: Vec<Offer>) -> Result<(), HandoverError> {
        check_count(&offers)?;
        self.0.store(Arc::new(offers));
        Ok(())
    }
}

fn check_count(offers: &[Offer]) -> Result<(), HandoverError> {
    match offers.len() {
        0..=SOCKETS_MAX => Ok(()),
        _ => Err(HandoverError::Protocol("more than 253 listening sockets")),
    }
}

/// Sockets taken over, and the connection to their old process, which serves until told.
#[derive(Debug)]
pub struct Takeover {
    /// The listening sockets, by the addresses they were configured with.
    pub sockets: Vec<(BindAddress, OwnedFd)>,
    peer: UnixStream,
}

impl Takeover {
    /// Tells the old process that we serve. When this returns, it has left the handover socket's path to us and stops
    /// accepting. Blocks for a moment.
    ///
    /// # Errors
    /// When the old process is gone or does not answer; then nobody else accepts any more, or both do.
    pub fn complete(mut self) -> Result<(), HandoverError> {
        self.peer.write_all(SERVING)?;
        let mut answer = [0; DRAINING.len()];
        self.peer.read_exact(&mut answer)?;
        if &answer == DRAINING { Ok(()) } else { Err(HandoverError::Protocol("unknown answer")) }
    }
}

/// Where successors ask for our listening sockets.
#[derive(Debug)]
pub struct Handover {
    listener: tokio::net::UnixListener,
    file: SocketFile,
    offers: Offers,
}

impl Handover {
    /// Asks the process that listens at `path` for its sockets; `None` when there is none. Blocks for a moment.
    ///
    /// # Errors
    /// When a process is there and does not hand over; it serves on.
    pub fn take(path: &Path) -> Result<Option<Takeover>, HandoverError> {
        let mut peer = match UnixStream::connect(path) {
            Ok(peer) => peer,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                    _ => Err(error.into()),
                };
            }
        };
        check_owner(&peer)?;
        peer.set_read_timeout(Some(STEP))?;
        peer.set_write_timeout(Some(STEP))?;
        peer.write_all(GREETING)?;
        let (length, fds) = receive_fds(&peer)?;
        if length > MANIFEST_MAX {
            return Err(HandoverError::Protocol("list of addresses too long"));
        }
        let mut manifest = vec![0; length];
        peer.read_exact(&mut manifest)?;
        let sockets = name_sockets(&manifest, fds)?;
        Ok(Some(Takeover { sockets, peer }))
    }

    /// Starts to listen for successors at `path`, for processes of the same user alone.
    ///
    /// # Errors
    /// When the path is in use by a living process or cannot be bound, or there are more than 253 sockets.
    pub fn listen(path: &Path, offers: Offers) -> Result<Self, HandoverError> {
        check_count(&offers.0.load())?;
        let (socket, file) = listen_unix(path, 0o600, 4)?;
        let listener = tokio::net::UnixListener::from_std(OwnedFd::from(socket).into())?;
        Ok(Self { listener, file, offers })
    }

    /// Waits until a successor serves; false when `stop` came first. Drain then.
    ///
    /// Attempts that come to nothing are logged, and the next one is waited for.
    pub async fn taken(self, stop: CancellationToken) -> bool {
        let Self { listener, file, offers } = self;
        loop {
            let attempt = async {
                let peer = listener.accept().await?.0.into_std()?;
                let copies = offers.0.load_full();
                tokio::task::spawn_blocking(move || give(peer, &copies)).await.map_err(io::Error::other)?
            };
            let given = tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                given = attempt => given,
            };
            match given {
                Ok(mut peer) => {
                    // The successor listens at this path next.
                    drop((listener, file));
                    offers
                        .0
                        .load()
                        .iter()
                        .filter_map(|offer| offer.file.as_ref())
                        .for_each(|file| file.keep());
                    if let Err(error) = peer.write_all(DRAINING) {
                        tracing::warn!(%error, "the successor went away when we said that we drain");
                    }
                    return true;
                }
                Err(error) => {
                    tracing::error!(%error, "listening sockets not handed over, we serve on");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Passes the sockets, and waits until the other process says that it serves.
fn give(mut peer: UnixStream, offers: &[Offer]) -> Result<UnixStream, HandoverError> {
    peer.set_nonblocking(false)?;
    check_owner(&peer)?;
    peer.set_read_timeout(Some(STEP))?;
    peer.set_write_timeout(Some(STEP))?;
    let mut greeting = [0; GREETING.len()];
    peer.read_exact(&mut greeting)?;
    if &greeting != GREETING {
        return Err(HandoverError::Protocol("unknown greeting"));
    }
    let lines: Vec<String> = offers.iter().map(|offer| offer.address.to_string()).collect();
    let manifest = lines.join("\n");
    let fds: Vec<BorrowedFd<'_>> = offers.iter().map(|offer| offer.fd.as_fd()).collect();
    send_fds(&peer, manifest.len(), &fds)?;
    peer.write_all(manifest.as_bytes())?;
    peer.set_read_timeout(Some(START))?;
    let mut answer = [0; SERVING.len()];
    peer.read_exact(&mut answer)?;
    if &answer == SERVING { Ok(peer) } else { Err(HandoverError::Protocol("unknown answer")) }
}

/// The file's mode keeps other users out; this does too where modes of sockets mean nothing.
fn check_owner(peer: &UnixStream) -> Result<(), HandoverError> {
    let uid = rustix::net::sockopt::socket_peercred(peer).map_err(io::Error::from)?.uid;
    if uid == rustix::process::geteuid() || uid.is_root() {
        Ok(())
    } else {
        Err(HandoverError::Stranger(uid.as_raw()))
    }
}

/// Sends the manifest's length, and with it the descriptors.
fn send_fds(peer: &UnixStream, length: usize, fds: &[BorrowedFd<'_>]) -> Result<(), HandoverError> {
    let length = u32::try_from(length).map_err(io::Error::other)?.to_be_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(HandoverError::Protocol("too many sockets"));
    }
    let sent = rustix::net::sendmsg(peer, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL);
    if sent.map_err(io::Error::from)? == length.len() {
        Ok(())
    } else {
        Err(HandoverError::Protocol("cut off"))
    }
}

/// Receives what `send_fds` sent.
fn receive_fds(peer: &UnixStream) -> Result<(usize, Vec<OwnedFd>), HandoverError> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut length)];
    let received = rustix::net::recvmsg(peer, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC);
    let received = received.map_err(io::Error::from)?.bytes;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received != length.len() {
        return Err(HandoverError::Protocol("cut off"));
    }
    Ok((u32::from_be_bytes(length) as usize, fds))
}

/// Joins addresses and descriptors, and checks that each socket listens where it is said to.
fn name_sockets(manifest: &[u8], fds: Vec<OwnedFd>) -> Result<Vec<(BindAddress, OwnedFd)>, HandoverError> {
    let text = str::from_utf8(manifest).map_err(|_| HandoverError::Protocol("garbled list of addresses"))?;
    let addresses: Result<Vec<BindAddress>, _> = text.lines().map(str::parse).collect();
    let addresses = addresses.map_err(|_| HandoverError::Protocol("garbled list of addresses"))?;
    if addresses.len() != fds.len() {
        return Err(HandoverError::Protocol("as many addresses as sockets were expected"));
    }
    let named = addresses.into_iter().zip(fds);
    named
        .map(|(address, fd)| {
            let socket = Socket::from(fd);
            if !listens_at(&SockRef::from(&socket), &address)? {
                return Err(HandoverError::Protocol("a socket listens elsewhere than was said"));
            }
            Ok((address, OwnedFd::from(socket)))
        })
        .collect()
}

fn listens_at(socket: &Socket, address: &BindAddress) -> io::Result<bool> {
    let local = socket.local_addr()?;
    let same = match address {
        BindAddress::Tcp(said) => local
            .as_socket()
            .is_some_and(|is| is.ip() == said.ip() && (is.port() == said.port() || said.port() == 0)),
        BindAddress::Unix(said) => local.as_pathname() == Some(said.as_path()),
    };
    Ok(same && socket.is_listener()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{TcpStream, ToSocketAddrs};

    use super::*;
    use crate::listener::{Activated, Inherited, ListenerConfig, RawListener};
    use wicketgate_config::Problems;

    fn config(folder: &Path) -> ListenerConfig {
        let yaml = format!("bind: ['127.0.0.1:0', 'unix:{}/w.sock']", folder.display());
        serde_saphyr::from_str::<RawListener>(&yaml).unwrap().check(&mut Problems::default())
    }

    fn offers(sockets: &[BoundSocket]) -> Offers {
        Offers::new(sockets.iter().map(|socket| socket.offer().unwrap()).collect())
    }

    fn bind_all(config: &ListenerConfig, inherited: &mut Inherited) -> Vec<BoundSocket> {
        let bind = |address| BoundSocket::bind(config, address, inherited).unwrap();
        config.bind.iter().map(bind).collect()
    }

    fn tcp(sockets: &[BoundSocket]) -> impl ToSocketAddrs + use<> {
        sockets[0].local_address().unwrap().to_string()
    }

    #[tokio::test]
    async fn sockets_pass_with_the_connections_that_wait_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let (config, path) = (config(folder.path()), folder.path().join("handover"));
        let old = bind_all(&config, &mut Inherited::default());
        let address = tcp(&old);
        let mut waiting = TcpStream::connect(&address).unwrap();
        waiting.write_all(b"before").unwrap();
        let mut local = UnixStream::connect(folder.path().join("w.sock")).unwrap();
        local.write_all(b"before").unwrap();
        let handover = Handover::listen(&path, offers(&old)).unwrap();
        let serving = tokio::spawn(handover.taken(CancellationToken::new()));

        let again = path.clone();
        let taken = tokio::task::spawn_blocking(move || Handover::take(&again)).await.unwrap();
        let mut taken = taken.unwrap().unwrap();
        let mut inherited = Inherited::new(std::mem::take(&mut taken.sockets), Activated::default());
        let new = bind_all(&config, &mut inherited);
        tokio::task::spawn_blocking(move || taken.complete()).await.unwrap().unwrap();
        assert!(serving.await.unwrap(), "the old one knows");
        drop(old);

        for socket in &new {
            socket.socket.set_nonblocking(false).unwrap();
            let (mut accepted, _) = socket.socket.accept().unwrap();
            let mut seen = [0; 6];
            accepted.read_exact(&mut seen).unwrap();
            assert_eq!(&seen, b"before");
        }
        TcpStream::connect(&address).unwrap();
        UnixStream::connect(folder.path().join("w.sock")).unwrap();
        let next = Handover::listen(&path, offers(&new)).unwrap();
        drop(next);
        drop(new);
        assert!(!folder.path().join("w.sock").exists(), "the last one removes the file");
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_successor_that_fails_to_start_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        let old = bind_all(&config(folder.path()), &mut Inherited::default());
        let handover = Handover::listen(&path, offers(&old)).unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(handover.taken(stop.clone()));
        for _ in 0..2 {
            let again = path.clone();
            let taken = tokio::task::spawn_blocking(move || Handover::take(&again)).await.unwrap();
            assert_eq!(taken.unwrap().unwrap().sockets.len(), 2);
        }
        let again = path.clone();
        let rude = tokio::task::spawn_blocking(move || {
            let mut peer = UnixStream::connect(again).unwrap();
            peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            let _ = peer.read_to_end(&mut answer);
            answer
        });
        assert!(rude.await.unwrap().is_empty());
        TcpStream::connect(tcp(&old)).unwrap();
        assert!(!serving.is_finished());
        stop.cancel();
        assert!(!serving.await.unwrap());
        assert!(!path.exists());
        assert!(folder.path().join("w.sock").exists(), "the listener's file stays with the listener");
    }

    #[tokio::test]
    async fn what_is_offered_can_be_replaced_while_a_successor_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (config, path) = (config(folder.path()), folder.path().join("handover"));
        let old = bind_all(&config, &mut Inherited::default());
        let offered = offers(&old[..1]);
        let handover = Handover::listen(&path, offered.clone()).unwrap();
        let serving = tokio::spawn(handover.taken(CancellationToken::new()));
        for some in [&old[..], &old[1..]] {
            offered.replace(some.iter().map(|socket| socket.offer().unwrap()).collect()).unwrap();
            let again = path.clone();
            let taken = tokio::task::spawn_blocking(move || Handover::take(&again)).await.unwrap();
            assert_eq!(taken.unwrap().unwrap().sockets.len(), some.len());
        }
        assert!(!serving.is_finished());
    }

    #[test]
    fn nobody_there_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Handover::take(&folder.path().join("handover")).unwrap().is_none());
    }

    #[test]
    fn what_was_passed_must_be_what_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let bound = bind_all(&config(folder.path()), &mut Inherited::default());
        let fd = || bound[0].as_fd().try_clone_to_owned().unwrap();
        assert!(name_sockets(b"127.0.0.1:0", vec![fd()]).is_ok());
        for wrong in [
            &b"127.0.0.2:0"[..],
            b"127.0.0.1:1",
            b"unix:/x",
            b"nonsense",
            b"\xff",
            b"",
            b"127.0.0.1:0\n127.0.0.1:0",
        ] {
            assert!(name_sockets(wrong, vec![fd()]).is_err(), "{}", wrong.escape_ascii());
        }
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(name_sockets(b"127.0.0.1:0", vec![other.into()]).is_err(), "not a listening socket");
    }
}
