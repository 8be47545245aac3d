//! Listening sockets: made, taken over from the process before, or passed by the service manager.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

use super::activation::{Activated, ActivationError};
use super::address::BindAddress;
use super::config::ListenerConfig;

/// Why an address cannot be listened at, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}; {help}")]
pub struct BindError {
    /// The address.
    pub address: BindAddress,
    /// What the system said.
    pub source: io::Error,
    /// What to do.
    pub help: String,
}

/// A socket that listens, not yet served. A Unix socket's file is removed when it is dropped, unless another process
/// has taken the socket over.
#[derive(Debug)]
pub struct BoundSocket {
    /// The address as configured.
    pub address: BindAddress,
    pub(super) socket: Socket,
    pub(super) path: Option<Arc<SocketFile>>,
    made_with: Settings,
}

/// What a socket is made with and keeps.
#[derive(Clone, Copy, Debug)]
struct Settings {
    mode: u32,
    backlog: u16,
    reuse_port: bool,
}

impl Settings {
    const fn of(config: &ListenerConfig) -> Self {
        Self { mode: config.mode, backlog: config.backlog, reuse_port: config.reuse_port }
    }
}

/// Listening sockets that are there already.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Those of the process before, by the address they were configured with.
    handed_over: Vec<(BindAddress, OwnedFd)>,
    activated: Activated,
}

/// A Unix socket's file, ours to remove.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode, so that a successor's file of the same name stays.
    identity: (u64, u64),
    kept: AtomicBool,
}

impl Inherited {
    /// From what a takeover gave, and the service manager.
    pub fn new(handed_over: Vec<(BindAddress, OwnedFd)>, activated: Activated) -> Self {
        Self { handed_over, activated }
    }

    /// The socket for this address, and whether its file is the service manager's.
    fn take(&mut self, address: &BindAddress) -> Option<(OwnedFd, bool)> {
        let take = |from: &mut Vec<(BindAddress, OwnedFd)>| {
            let position = from.iter().position(|(its, _)| its == address)?;
            Some(from.swap_remove(position).1)
        };
        // A process that was activated may have handed over the very same.
        let activated = take(&mut self.activated.0);
        let is_managed = activated.is_some();
        take(&mut self.handed_over).or(activated).map(|fd| (fd, is_managed))
    }

    /// Whether somebody has taken all that the service manager has passed.
    ///
    /// # Errors
    /// The first that nobody has.
    pub fn all_claimed(self) -> Result<(), ActivationError> {
        let mut left = self.activated.0.into_iter();
        left.next().map_or(Ok(()), |(address, _)| Err(ActivationError::Unclaimed(address)))
    }
}

impl BoundSocket {
    /// Makes one of a listener's sockets, or takes it if it is among the inherited.
    ///
    /// # Errors
    /// The address cannot be bound; with a remedy.
    pub fn bind(
        config: &ListenerConfig,
        address: &BindAddress,
        inherited: &mut Inherited,
    ) -> Result<Self, BindError> {
        match inherited.take(address) {
            Some((fd, is_managed)) => Self::adopt(address.clone(), config, fd, is_managed),
            None => Self::make(address.clone(), config),
        }
    }

    /// The address it is bound to, with the port the system chose.
    ///
    /// # Errors
    /// The system's own.
    pub fn local_address(&self) -> io::Result<BindAddress> {
        match &self.address {
            BindAddress::Tcp(_) => {
                let local = self.socket.local_addr()?.as_socket();
                local.map(BindAddress::Tcp).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
            }
            unix @ BindAddress::Unix(_) => Ok(unix.clone()),
        }
    }

    /// The settings in which `config` differs from what the socket was made with; it keeps its own.
    pub fn needing_restart(&self, config: &ListenerConfig) -> Vec<&'static str> {
        let (own, wanted) = (self.made_with, Settings::of(config));
        let unix = self.path.is_some();
        let changed = [
            ("mode", unix && own.mode != wanted.mode),
            ("backlog", own.backlog != wanted.backlog),
            ("reuse_port", !unix && own.reuse_port != wanted.reuse_port),
        ];
        changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
    }

    fn make(address: BindAddress, config: &ListenerConfig) -> Result<Self, BindError> {
        let made = match &address {
            BindAddress::Tcp(at) => listen_tcp(*at, config).map(|socket| (socket, None)),
            BindAddress::Unix(path) => {
                listen_unix(path, config.mode, config.backlog).map(|(socket, file)| (socket, Some(file)))
            }
        };
        let made_with = Settings::of(config);
        match made {
            Ok((socket, path)) => Ok(Self { address, socket, path: path.map(Arc::new), made_with }),
            Err(source) => Err(BindError { help: remedy(&source, &address), address, source }),
        }
    }

    fn adopt(
        address: BindAddress,
        config: &ListenerConfig,
        fd: OwnedFd,
        is_managed: bool,
    ) -> Result<Self, BindError> {
        let socket = Socket::from(fd);
        let ready = || {
            socket.set_nonblocking(true)?;
            match &address {
                // Accepted sockets inherit it.
                BindAddress::Tcp(_) => socket.set_tcp_nodelay(true).map(|()| None),
                BindAddress::Unix(path) => {
                    let file = SocketFile::of(path)?;
                    if is_managed {
                        file.keep();
                    }
                    Ok(Some(Arc::new(file)))
                }
            }
        };
        match ready() {
            Ok(path) => Ok(Self { address, socket, path, made_with: Settings::of(config) }),
            Err(source) => {
                let help =
                    "the socket that was passed cannot be used; stop whoever listens there and start again";
                Err(BindError { address, source, help: help.into() })
            }
        }
    }
}

impl AsFd for BoundSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl SocketFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: (meta.dev(), meta.ino()), kept: AtomicBool::new(false) })
    }

    /// Leaves the file to a successor.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // What another user has made, as a service manager does, is that user's.
        let ours = || {
            fs::symlink_metadata(&self.path).is_ok_and(|meta| {
                (meta.dev(), meta.ino()) == self.identity && meta.uid() == geteuid().as_raw()
            })
        };
        if !*self.kept.get_mut() && ours() {
            // Whoever removed it meanwhile did what we want.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn listen_tcp(address: SocketAddr, config: &ListenerConfig) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Else [::]:443 takes IPv4 as well, and 0.0.0.0:443 beside it is in use.
        socket.set_only_v6(true)?;
    }
    if config.reuse_port {
        socket.set_reuse_port(true)?;
    }
    // Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(config.backlog.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Listens at a Unix socket with these permissions; one that nobody listens at any more is replaced.
///
/// # Errors
/// The system's own, and a file that is no socket.
pub fn listen_unix(path: &Path, mode: u32, backlog: u16) -> io::Result<(Socket, SocketFile)> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let permissions = fs::Permissions::from_mode(mode);
    // Linux gives the file the socket's own mode: set before, so that it never is open for more than it should be;
    // and after, as the umask took away from it.
    fs::File::from(OwnedFd::from(socket.try_clone()?)).set_permissions(permissions.clone())?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    fs::set_permissions(path, permissions)?;
    socket.listen(backlog.into())?;
    socket.set_nonblocking(true)?;
    Ok((socket, file))
}

/// Removes the socket that a process left behind which did not end well.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn remedy(error: &io::Error, address: &BindAddress) -> String {
    match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, BindAddress::Tcp(at)) => format!(
            "another process listens there: `ss -ltnp 'sport = :{port}'` as root says which; stop it or choose another port",
            port = at.port()
        ),
        (io::ErrorKind::AddrInUse, BindAddress::Unix(_)) => {
            "another process listens there: `ss -lxp` as root says which; stop it or choose another path".into()
        }
        (io::ErrorKind::PermissionDenied, BindAddress::Tcp(at)) => format!(
            "port {port} is a privileged one: give the service CAP_NET_BIND_SERVICE (systemd: \
             AmbientCapabilities=CAP_NET_BIND_SERVICE), or choose a port from 1024 on",
            port = at.port()
        ),
        (io::ErrorKind::PermissionDenied, BindAddress::Unix(_)) => {
            "let this service's user write to the socket's folder".into()
        }
        (io::ErrorKind::AddrNotAvailable, _) => {
            "this machine does not have that address: `ip address` shows what it has; 0.0.0.0 or [::] stands for all".into()
        }
        (io::ErrorKind::AlreadyExists, _) => "remove that file, or choose another path".into(),
        (io::ErrorKind::NotFound, _) => "make the socket's folder first".into(),
        (io::ErrorKind::Unsupported, _) => "the system does not have this address family; remove the address".into(),
        _ => "check the address".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpStream;

    use super::*;
    use crate::listener::RawListener;
    use wicketgate_config::Problems;

    fn config(bind: &str) -> ListenerConfig {
        let raw: RawListener = serde_saphyr::from_str(&format!("bind: '{bind}'\nmode: 0600")).unwrap();
        raw.check(&mut Problems::default())
    }

    fn bind(address: &str) -> Result<BoundSocket, BindError> {
        let config = config(address);
        BoundSocket::bind(&config, &config.bind[0], &mut Inherited::default())
    }

    fn port(bound: &BoundSocket) -> u16 {
        match bound.local_address().unwrap() {
            BindAddress::Tcp(at) => at.port(),
            BindAddress::Unix(_) => 0,
        }
    }

    #[test]
    fn both_families_share_a_port() {
        // Whatever else runs on the machine may have just this port in the other family.
        let pairs = (0..100).map(|_| {
            let v6 = bind("[::]:0").unwrap();
            bind(&format!("0.0.0.0:{}", port(&v6))).map(|v4| (v6, v4))
        });
        let (v6, v4) = pairs.filter_map(Result::ok).next().unwrap();
        TcpStream::connect(("127.0.0.1", port(&v4))).unwrap();
        TcpStream::connect(("::1", port(&v6))).unwrap();
    }

    #[test]
    fn a_port_in_use_is_told_with_how_to_find_its_holder() {
        let first = bind("127.0.0.1:0").unwrap();
        let error = bind(&format!("127.0.0.1:{}", port(&first))).unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains("ss -ltnp"), "{error}");
        drop(first);
    }

    #[test]
    fn an_address_of_another_machine_is_told() {
        let error = bind("192.0.2.1:0").unwrap_err().to_string();
        assert!(error.contains("ip address"), "{error}");
    }

    #[test]
    fn a_unix_socket_has_its_mode_is_in_use_while_open_and_gone_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let text = format!("unix:{}", path.display());
        let bound = bind(&text).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        let error = bind(&text).unwrap_err().to_string();
        assert!(error.contains("ss -lxp"), "{error}");
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_and_any_other_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let text = format!("unix:{}", path.display());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves it behind");
        drop(bind(&text).unwrap());
        fs::write(&path, "precious").unwrap();
        let error = bind(&text).unwrap_err().to_string();
        assert!(error.contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = bind("unix:/nonexistent/w.sock").unwrap_err().to_string();
        assert!(error.contains("folder"), "{error}");
    }

    #[test]
    fn a_service_managers_socket_is_taken_and_its_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let config = config(&format!("unix:{}", path.display()));
        let passed = || {
            let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
            Activated(vec![(config.bind[0].clone(), listener.into())])
        };
        let mut inherited = Inherited::new(Vec::new(), passed());
        drop(BoundSocket::bind(&config, &config.bind[0], &mut inherited).unwrap());
        inherited.all_claimed().unwrap();
        assert!(path.exists(), "whoever made it removes it");
        fs::remove_file(&path).unwrap();
        let error = Inherited::new(Vec::new(), passed()).all_claimed().unwrap_err().to_string();
        assert!(error.contains("w.sock") && error.contains("no listener does"), "{error}");
        // A process that was activated hands over what the manager passes again.
        fs::remove_file(&path).unwrap();
        let activated = passed();
        let handed_over = (config.bind[0].clone(), activated.0[0].1.try_clone().unwrap());
        let mut inherited = Inherited::new(vec![handed_over], activated);
        let bound = BoundSocket::bind(&config, &config.bind[0], &mut inherited).unwrap();
        inherited.all_claimed().unwrap();
        drop(bound);
        assert!(path.exists());
    }

    #[test]
    fn a_successors_file_of_the_same_name_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.sock");
        let text = format!("unix:{}", path.display());
        let old = bind(&text).unwrap();
        fs::rename(&path, folder.path().join("aside")).unwrap();
        let new = bind(&text).unwrap();
        drop(old);
        assert!(path.exists());
        drop(new);
        assert!(!path.exists());
    }
}
