//! HTTP/1.1 towards a target: connections that hyper drives, kept for the next request.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::body::{Progress, RequestBody};
use super::config::{Limits, Protocol, UpstreamConfig};
use super::connect::dial;
use super::error::UpstreamError;
use super::exchange::{Failure, repeatable};
use super::target::Target;

/// Lines of a response head, as many as browsers and servers take.
pub(super) const MAX_HEADERS: usize = 100;

/// A connection that can take one more request.
pub(super) struct Lease {
    sender: SendRequest<RequestBody>,
    peer: Option<SocketAddr>,
}

/// The unused connections of a target, the last used one on top.
#[derive(Debug)]
pub(super) struct Idle {
    most: usize,
    list: Mutex<Vec<Resting>>,
}

#[derive(Debug)]
struct Resting {
    lease: Lease,
    since: Instant,
}

impl Lease {
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

impl Idle {
    pub(super) fn new(most: usize) -> Self {
        Self { most, list: Mutex::default() }
    }

    pub(super) fn put(&self, lease: Lease) {
        let mut list = self.lock();
        if list.len() < self.most && !lease.sender.is_closed() {
            list.push(Resting { lease, since: Instant::now() });
        }
    }

    /// The last used connection that is open and done with its request.
    fn take(&self) -> Option<Lease> {
        let mut list = self.lock();
        list.retain(|resting| !resting.lease.sender.is_closed());
        let ready = list.iter().rposition(|resting| resting.lease.sender.is_ready())?;
        Some(list.remove(ready).lease)
    }

    /// Closes what is older than `age`, or whose peer `keep` does not want.
    pub(super) fn sweep(&self, age: Duration, keep: impl Fn(Option<SocketAddr>) -> bool) {
        self.lock().retain(|resting| {
            let Resting { lease, since } = resting;
            since.elapsed() < age && !lease.sender.is_closed() && keep(lease.peer)
        });
    }

    /// How many connections rest.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How hyper reads a response, under our limits.
pub(super) fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    // hyper counts body bytes that came with the head, too, so its buffer must be larger than a head may be.
    builder.max_header_size(limits.response_head).max_buf_size(limits.response_head + (16 << 10));
    builder
}

/// Sends a request over a resting connection, or a new one.
///
/// A resting connection may have been closed by the target just now. If hyper had not begun to write, the next is
/// taken; if it had, only a safe request without a body is sent again, once, over a new connection
/// (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
pub(super) async fn exchange(
    target: &Target,
    config: &UpstreamConfig,
    mut request: Request<RequestBody>,
    progress: &Progress,
) -> Result<(Response<Incoming>, Lease), Failure> {
    *request.version_mut() = Version::HTTP_11;
    while let Some(lease) = target.idle.take() {
        let again = repeatable(&request);
        match send(lease, config, request, progress).await {
            Ok(answered) => {
                target.counters().reused.fetch_add(1, Relaxed);
                return Ok(answered);
            }
            Err(Failure { unsent: Some(unsent), .. }) => request = *unsent,
            Err(failure @ Failure { error: UpstreamError::ClosedEarly, .. }) => {
                let Some(copy) = again else { return Err(failure) };
                return Box::pin(over_new(target, config, copy, progress)).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    Box::pin(over_new(target, config, request, progress)).await
}

async fn over_new(
    target: &Target,
    config: &UpstreamConfig,
    request: Request<RequestBody>,
    progress: &Progress,
) -> Result<(Response<Incoming>, Lease), Failure> {
    match open(target, config).await {
        Ok(lease) => {
            target.counters().connections.fetch_add(1, Relaxed);
            send(lease, config, request, progress).await
        }
        Err(error) => Err(Failure::unsent(error, request)),
    }
}

/// Opens a connection.
pub(super) async fn open(target: &Target, config: &UpstreamConfig) -> Result<Lease, UpstreamError> {
    let connected = dial(target, Protocol::Http1, &config.timeouts).await?;
    let handshake = builder(&config.limits).handshake(TokioIo::new(connected.stream));
    let (sender, connection) = handshake.await.map_err(UpstreamError::Http1)?;
    // The task ends with the connection: when the lease is dropped, the target closes, or a request fails.
    tokio::spawn(connection);
    Ok(Lease { sender, peer: connected.peer })
}

/// Sends a request over a connection.
pub(super) async fn send(
    mut lease: Lease,
    config: &UpstreamConfig,
    request: Request<RequestBody>,
    progress: &Progress,
) -> Result<(Response<Incoming>, Lease), Failure> {
    let answered = tokio::select! {
        answered = lease.sender.try_send_request(request) => answered,
        () = progress.stalled(config.timeouts.response) => return Err(Failure::sent(UpstreamError::ResponseTimeout)),
    };
    match answered {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Err(Failure::sent(UpstreamError::UnexpectedUpgrade))
        }
        Ok(response) => Ok((response, lease)),
        Err(mut error) => match error.take_message() {
            Some(unsent) => Err(Failure::unsent(classify(error.into_error()), unsent)),
            None => Err(Failure::sent(classify(error.into_error()))),
        },
    }
}

/// Names the cause of hyper's error.
pub(super) fn classify(error: hyper::Error) -> UpstreamError {
    if error.is_user() {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        return UpstreamError::RequestBody(source);
    }
    if error.is_parse_too_large() {
        return UpstreamError::HeadTooLarge;
    }
    if error.is_parse() {
        return UpstreamError::MalformedHead(error.to_string());
    }
    let broken = |error: &hyper::Error| {
        let source =
            std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
        source.is_some_and(|io| {
            use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
            matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        })
    };
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || broken(&error) {
        return UpstreamError::ClosedEarly;
    }
    UpstreamError::Http1(error)
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("peer", &self.peer).finish_non_exhaustive()
    }
}
