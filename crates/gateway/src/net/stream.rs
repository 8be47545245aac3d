//! One type for every byte stream that a session can run over.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use wicketgate_tls::{Transport, or_pending};

use crate::tls::TlsStream;

/// The most bytes that [`Socket::peek`] shows: the longest thing to be recognised, a PROXY protocol header of version 2
/// with the addresses of Unix sockets.
pub const PEEK_MAX: usize = 232;

/// A connected stream socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
}

impl Socket {
    /// Writes what the socket takes now, without asking to be woken for the rest.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it takes nothing now; else the socket's own.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(data),
            Self::Unix(socket) => socket.try_write(data),
        }
    }

    /// The same socket, woken from now on by the runtime that this is called in.
    ///
    /// # Errors
    /// When either runtime does not let it go or take it.
    pub fn move_here(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(TcpStream::from_std(socket.into_std()?)?),
            Self::Unix(socket) => Self::Unix(UnixStream::from_std(socket.into_std()?)?),
        })
    }

    /// Waits until the first bytes can be judged, and leaves them in the socket: `judge` sees what has come so far,
    /// at most [`PEEK_MAX`] bytes, and answers `None` while it needs more.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the stream ends before `judge` has enough; else the socket's own.
    pub async fn peek<T>(&self, mut judge: impl FnMut(&[u8]) -> Option<T>) -> io::Result<T> {
        let mut bytes = [0; PEEK_MAX];
        loop {
            let ready = match self {
                Self::Tcp(socket) => socket.ready(Interest::READABLE).await,
                Self::Unix(socket) => socket.ready(Interest::READABLE).await,
            }?;
            let look = || {
                let (_, n) = rustix::net::recv(self, &mut bytes[..], RecvFlags::PEEK)?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // Not enough: wait for the socket to tell of more.
                judge(&bytes[..n.min(PEEK_MAX)]).ok_or_else(|| io::ErrorKind::WouldBlock.into())
            };
            let seen = match self {
                Self::Tcp(socket) => socket.try_io(Interest::READABLE, look),
                Self::Unix(socket) => socket.try_io(Interest::READABLE, look),
            };
            match seen {
                // A stream that has ended stays ready, so that waiting for more would never sleep.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready.is_read_closed() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                decided => return decided,
            }
        }
    }
}

impl Transport for Socket {
    fn poll_write_aside(&mut self, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        or_pending(self.try_write(data))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

/// A stream inside another protocol, such as one HTTP/2 stream after an extended CONNECT.
pub trait Tunnel: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Tunnel for T {}

/// A byte stream to a client or an upstream.
pub enum Stream {
    /// The socket itself.
    Plain(Socket),
    /// TLS over a socket.
    Tls(Box<TlsStream>),
    /// A stream inside another protocol.
    Tunnel(Box<dyn Tunnel>),
}

macro_rules! delegate {
    ($type:ident { $($variant:ident),+ }) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(s) => Pin::new(s).poll_read(cx, buf)),+ }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() { $(Self::$variant(s) => Pin::new(s).poll_write(cx, buf)),+ }
            }
            fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
                match self.get_mut() { $(Self::$variant(s) => Pin::new(s).poll_write_vectored(cx, bufs)),+ }
            }
            fn is_write_vectored(&self) -> bool {
                match self { $(Self::$variant(s) => s.is_write_vectored()),+ }
            }
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(s) => Pin::new(s).poll_flush(cx)),+ }
            }
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $(Self::$variant(s) => Pin::new(s).poll_shutdown(cx)),+ }
            }
        }
    };
}

delegate!(Socket { Tcp, Unix });
delegate!(Stream { Plain, Tls, Tunnel });
