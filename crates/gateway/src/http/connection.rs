//! A client's connection, from its first request to its last, over HTTP/1.1 or HTTP/2.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use super::front::answer;
use crate::gateway::Shared;
use crate::net::Stream;

/// Bounds on what a client's connection may hold or take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for a request's head, also for the next one on a connection that is kept.
    pub head: Duration,
    /// Time between two pieces of a request's body.
    pub body: Duration,
    /// Bytes of a request's head.
    pub head_size: usize,
    /// Lines of a request's head.
    pub headers: usize,
    /// Requests and sessions at once on one HTTP/2 connection.
    pub http2_streams: u32,
}

/// How a client came.
#[derive(Debug)]
pub struct Arrival {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The client's address, as far as it is believed; none on a Unix socket.
    pub client: Option<IpAddr>,
    /// Whether the client's side is TLS.
    pub secure: bool,
    /// What the connection may hold or take.
    pub limits: Limits,
}

impl Arrival {
    /// `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

/// Serves HTTP/1.1 until the connection ends, becomes a WebSocket, or `drain` ends it after the request under way.
pub(crate) async fn serve_http1(
    stream: Stream,
    arrival: Arc<Arrival>,
    shared: Arc<Shared>,
    drain: CancellationToken,
) {
    let limits = arrival.limits;
    let service = service_fn(move |request| {
        let answered = answer(shared.clone(), arrival.clone(), request);
        async { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_size.max(8192))
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    log_end(result);
}

/// Serves HTTP/2 until the connection ends, or `drain` ends it after the streams under way.
pub(crate) async fn serve_http2(
    stream: Stream,
    arrival: Arc<Arrival>,
    shared: Arc<Shared>,
    drain: CancellationToken,
) {
    let limits = arrival.limits;
    let service = service_fn(move |request| {
        let answered = answer(shared.clone(), arrival.clone(), request);
        async { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        // Streams that a client opens and resets (CVE-2023-44487) are bounded by these two.
        .max_pending_accept_reset_streams(Some(20))
        .max_local_error_reset_streams(Some(128))
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    log_end(result);
}

/// A connection that ends in an error is the client's affair: requests have lines of their own.
fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}
