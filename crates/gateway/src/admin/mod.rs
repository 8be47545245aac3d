//! The operator's listener: metrics and health for everybody, status, log, sessions, captures and revocations for whoever may. It runs apart
//! from the data plane.

mod answer;
mod capture;
pub mod config;
mod metrics;
mod relay;
mod revocations;
mod sessions;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::Semaphore;
use wicketgate_admission::Secret;

use self::config::AdminConfig;
use crate::gateway::Shared;
use crate::listener::{BindAddress, SocketFile, listen_unix};
use crate::observe::Recent;

/// Connections at once: scrapers and probes need few.
const CONNECTIONS: usize = 64;
/// Time for a request's head, and for its body.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that wait to be accepted.
const BACKLOG: u16 = 128;

/// Where the operator asks.
pub struct Admin {
    socket: Socket,
    gate: Gate,
    /// The latest lines of the log.
    recent: Arc<Recent>,
}

enum Socket {
    Tcp(TcpListener),
    /// The file is removed when the listener goes.
    Unix(UnixListener, SocketFile),
}

/// Who may see and end sessions.
#[derive(Clone)]
struct Gate {
    token: Option<Secret>,
    /// Whether the permissions of a socket's file have chosen who connects.
    is_private: bool,
}

impl Admin {
    /// Listens; `shared` with other processes of the same user, as a handover needs it.
    ///
    /// # Errors
    /// The system's own.
    pub fn bind(config: &AdminConfig, shared: bool) -> io::Result<Self> {
        let is_private = matches!(config.bind, BindAddress::Unix(_));
        let socket = match &config.bind {
            BindAddress::Tcp(address) => {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.set_reuseaddr(true)?;
                socket.set_reuseport(shared)?;
                socket.bind(*address)?;
                Socket::Tcp(socket.listen(BACKLOG.into())?)
            }
            BindAddress::Unix(path) => {
                if shared {
                    // The process before us answers whom it has; the next ones are ours.
                    let _ = std::fs::remove_file(path);
                }
                let (socket, file) = listen_unix(path, config.mode, BACKLOG)?;
                Socket::Unix(UnixListener::from_std(socket.into())?, file)
            }
        };
        let gate = Gate { token: config.token.clone(), is_private };
        Ok(Self { socket, gate, recent: Arc::default() })
    }

    /// Shows these lines of the log.
    #[must_use]
    pub fn show(self, recent: Arc<Recent>) -> Self {
        Self { recent, ..self }
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// The system's own.
    pub fn address(&self) -> io::Result<BindAddress> {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr().map(BindAddress::Tcp),
            Socket::Unix(_, file) => Ok(BindAddress::Unix(file.path().to_owned())),
        }
    }

    /// Answers until it is dropped.
    pub async fn serve(self, shared: Arc<Shared>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (shared, gate, recent) = (shared.clone(), self.gate.clone(), self.recent.clone());
            let accepted = match &self.socket {
                Socket::Tcp(socket) => socket.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move {
                        connection(stream, shared, gate, recent).await;
                        drop(place);
                    })
                }),
                Socket::Unix(socket, _) => socket.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move {
                        connection(stream, shared, gate, recent).await;
                        drop(place);
                    })
                }),
            };
            if let Err(error) = accepted {
                tracing::warn!(%error, "admin listener cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<Shared>,
    gate: Gate,
    recent: Arc<Recent>,
) {
    let service = service_fn(move |request| {
        let (shared, gate, recent) = (shared.clone(), gate.clone(), recent.clone());
        async move { Ok::<_, Infallible>(answer::answer(&shared, &gate, &recent, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(8192)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "admin connection ended");
    }
}
