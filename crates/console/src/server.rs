//! The console's listener, its thread and its connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wicketgate_gateway::config::{Config, Moment};
use wicketgate_gateway::console::{ConsoleConfig, ConsoleLimits};
use wicketgate_gateway::gateway::Shared as Gateway;
use wicketgate_gateway::net::Socket;
use wicketgate_gateway::tls::{TlsServer, TlsStream};

use crate::control::Control;
use crate::followed::Followed;
use crate::front;
use crate::origin::From;
use crate::samples;
use crate::state::{Given, Shared};

/// The most header lines.
const MAX_HEADERS: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// Threads that read files and compare passwords, beside the one that answers.
const BLOCKING: usize = 24;
/// How often the files of its certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The console's listener, which serves nobody yet.
#[derive(Debug)]
pub struct Console {
    listener: std::net::TcpListener,
    config: ConsoleConfig,
}

/// What the console needs beside its configuration.
pub struct Parts {
    /// The gateway that it shows.
    pub gateway: Arc<Gateway>,
    /// The main file of its configuration.
    pub file: PathBuf,
    /// What it follows.
    pub followed: Followed,
    /// The audit store, where there is one.
    pub store: Option<PathBuf>,
    /// Where wishes are told.
    pub control: Control,
}

/// The console at work. It ends when this is dropped.
pub struct Serving {
    shared: Shared,
    handle: Handle,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Console {
    /// Listens; `shared` with other processes of the same user, as a handover needs it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's own.
    pub fn bind(config: &ConsoleConfig, shared: bool) -> io::Result<Self> {
        let socket = if config.bind.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(shared)?;
        socket.bind(config.bind)?;
        Ok(Self { listener: socket.listen(BACKLOG)?.into_std()?, config: config.clone() })
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// The system's own.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// The system's own, or TLS cannot be set up.
    pub fn serve(self, parts: Parts) -> io::Result<Serving> {
        let Parts { gateway, file, followed, store, control } = parts;
        let own = self.address()?;
        let tls = self.config.tls.clone();
        let tls = tls.map(|tls| TlsServer::new(tls, vec![b"http/1.1"], &Arc::default(), None));
        let tls = tls.transpose().map_err(io::Error::other)?.map(Arc::new);
        let connections = self.config.connections;
        // What fetches a provider's keys runs there too.
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING)
            .thread_name("console-files")
            .build()?;
        let handle = runtime.handle().clone();
        let entered = handle.enter();
        let shared = Shared::new(Given { gateway, config: self.config, own, file, followed, store, control });
        drop(entered);
        let stop = CancellationToken::new();
        let (served, stopped) = (shared.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("console".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(self.listener, served.clone(), tls, connections) => {}
                    () = samples::keep(&served.samples, &served.gateway) => {}
                    () = look_at_certificates(&served) => {}
                    () = stopped.cancelled() => {}
                }
            });
            // What still reads a file is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Serving { shared, handle, stop, thread: Some(thread) })
    }
}

impl Serving {
    /// Follows a new configuration, whose files are `files`; without the section nobody may use the console any more.
    pub fn follow(&self, config: &Config, files: Moment) {
        let _entered = self.handle.enter();
        self.shared.follow(config, files);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the console's thread has panicked");
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    shared: Shared,
    tls: Option<Arc<TlsServer>>,
    connections: usize,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the console cannot listen"),
    };
    let limits = shared.limits;
    let router = front::router(shared);
    let places = Arc::new(Semaphore::new(connections));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the console cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, tls) = (router.clone(), tls.clone());
        tokio::spawn(async move {
            let from = peer.ip().to_canonical();
            match tls {
                None => connection(stream, router, from, limits).await,
                Some(tls) => {
                    let Ok(current) = tls.current() else { return };
                    let deadline = Some(Instant::now() + limits.head_timeout);
                    match Box::pin(TlsStream::accept(Socket::Tcp(stream), current.config.clone(), deadline))
                        .await
                    {
                        Ok(stream) => connection(stream, router, from, limits).await,
                        Err(error) => tracing::debug!(%from, %error, "no TLS with the console"),
                    }
                }
            }
            drop(place);
        });
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    from: IpAddr,
    limits: ConsoleLimits,
) {
    let service = tower::ServiceExt::map_request(router, move |mut request: http::Request<_>| {
        request.extensions_mut().insert(From(from));
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = connection.await {
        tracing::debug!(%from, %error, "a connection with the console ended");
    }
}

/// Takes renewed certificates into use.
async fn look_at_certificates(shared: &Shared) {
    let Some(resolver) = shared.config.load().tls.as_ref().map(|tls| tls.resolver.clone()) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let resolver = resolver.clone();
        let looked = tokio::task::spawn_blocking(move || resolver.reload()).await;
        for (files, fault) in looked.map(|reloaded| reloaded.kept).unwrap_or_default() {
            tracing::warn!(file = %files.cert.display(), %fault, "the console keeps its certificate");
        }
    }
}
