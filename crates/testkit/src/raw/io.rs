//! Where raw peers connect and listen: TCP or Unix sockets, with TLS or without.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Any byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An address to connect to or to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl From<SocketAddr> for Place {
    fn from(addr: SocketAddr) -> Self {
        Self::Tcp(addr)
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

/// A place and how to speak there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    place: Place,
    tls: Option<Arc<ClientConfig>>,
    source: Option<IpAddr>,
    name: String,
}

impl Endpoint {
    /// A plain one.
    pub fn plain(place: impl Into<Place>) -> Self {
        Self { place: place.into(), tls: None, source: None, name: "localhost".into() }
    }

    /// One with TLS, verified as `localhost`.
    pub fn tls(place: impl Into<Place>, config: Arc<ClientConfig>) -> Self {
        Self { place: place.into(), tls: Some(config), source: None, name: "localhost".into() }
    }

    /// The same, reached from this address; all of 127.0.0.0/8 are this machine's own.
    pub fn from(self, source: impl Into<IpAddr>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The same, verified by this name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The place alone.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Opens a connection, with its TLS handshake done.
    pub async fn connect(&self) -> io::Result<Box<dyn Io>> {
        match &self.place {
            Place::Tcp(addr) => {
                let stream = match self.source {
                    None => TcpStream::connect(addr).await?,
                    Some(source) => {
                        let socket = match source {
                            IpAddr::V4(_) => TcpSocket::new_v4()?,
                            IpAddr::V6(_) => TcpSocket::new_v6()?,
                        };
                        socket.bind((source, 0).into())?;
                        socket.connect(*addr).await?
                    }
                };
                stream.set_nodelay(true)?;
                self.secure(stream).await
            }
            Place::Unix(path) => self.secure(UnixStream::connect(path).await?).await,
        }
    }

    async fn secure(&self, stream: impl Io + 'static) -> io::Result<Box<dyn Io>> {
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(config) => {
                let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
                Ok(Box::new(TlsConnector::from(config.clone()).connect(name, stream).await?))
            }
        }
    }
}

/// A listening socket of either kind.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(super) fn bind(place: &Place) -> io::Result<Self> {
        match place {
            Place::Unix(path) => UnixListener::bind(path).map(Self::Unix),
            Place::Tcp(addr) => {
                let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.set_reuseaddr(true)?;
                socket.bind(*addr)?;
                // Thousands of clients may come at once; the kernel caps this at net.core.somaxconn.
                socket.listen(8_192).map(Self::Tcp)
            }
        }
    }

    /// The place it got, its port filled in.
    pub(super) fn place(&self, asked: &Place) -> io::Result<Place> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Place::Tcp),
            Self::Unix(_) => Ok(asked.clone()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// A connection whose TLS handshake, if any, is still to be done.
pub(super) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Accepted {
    pub(super) async fn secure(self, tls: Option<Arc<ServerConfig>>) -> io::Result<Box<dyn Io>> {
        Ok(match (self, tls) {
            (Self::Tcp(stream), None) => Box::new(stream),
            (Self::Unix(stream), None) => Box::new(stream),
            (Self::Tcp(stream), Some(tls)) => Box::new(TlsAcceptor::from(tls).accept(stream).await?),
            (Self::Unix(stream), Some(tls)) => Box::new(TlsAcceptor::from(tls).accept(stream).await?),
        })
    }
}
