//! A client's connection, from its first request to its last, over HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::HeaderMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use wicketgate_admission::address::Told;
use wicketgate_admission::identity::ClientCertificate;
use wicketgate_admission::{Client, Refusal};

use super::front::answer;
use super::patience::{Patient, UnderWay};
use crate::gateway::Shared;
use crate::listener::{self, Accepted, Listener, Permit, Protocol};
use crate::net::Stream;
use crate::sessions::Way;
use crate::tls::Chain;

/// How a client came.
pub struct Arrival {
    /// The listener it came through, and that listener's bounds.
    pub listener: Arc<Listener>,
    /// The address at its other end, or the one that a trusted peer told by the PROXY protocol; none on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether the connection is TLS.
    pub secure: bool,
    /// The certificate that the client proved to have.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// That certificate and those that it was verified by.
    pub chain: Option<Arc<Chain>>,
    /// Its place among the open connections, kept by its last request or session.
    _permit: Permit,
    _open: Counted,
}

impl Arrival {
    /// Whether the connection's other end is a proxy that is believed.
    pub fn is_trusted_proxy(&self) -> bool {
        self.listener.config.trusted_proxies.as_ref().is_some_and(|proxies| proxies.trusts_peer(self.peer))
    }

    /// What a session keeps of how it came.
    pub fn way(&self) -> Way {
        Way { listener: self.listener.config.name.clone(), chain: self.chain.clone(), trace: None }
    }

    /// Who asks with these headers: the connection's other end, or the client that it speaks for as a trusted proxy.
    ///
    /// # Errors
    /// A trusted proxy's headers that cannot be read.
    pub fn client(&self, headers: &HeaderMap) -> Result<Client, Refusal> {
        let config = &self.listener.config;
        let told = match &config.trusted_proxies {
            Some(proxies) => proxies.told(self.peer, headers)?,
            None => None,
        };
        let is_loopback = |address: Option<IpAddr>| address.is_some_and(|address| address.is_loopback());
        Ok(match told {
            // The connection's certificate is the proxy's, and proves nothing about its clients.
            Some(Told { address, secure }) => {
                Client { address, secure, remote: !is_loopback(address), certificate: None }
            }
            None => Client {
                address: self.peer,
                secure: self.secure,
                remote: !config.is_local() && self.peer.is_some() && !is_loopback(self.peer),
                certificate: self.certificate.clone(),
            },
        })
    }
}

/// A connection in the gauge of open ones.
struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves a client's connection until it ends, becomes a WebSocket, or the gateway drains; counts one that was refused.
pub async fn serve(arrived: Result<Accepted, listener::Refusal>, shared: Arc<Shared>) {
    let Accepted { stream, protocol, peer, tls, listener, permit } = match arrived {
        Ok(accepted) => accepted,
        Err(refusal) => return shared.metrics.refused(refusal.label()),
    };
    let open = shared.metrics.connections(&listener.config.name);
    open.inc();
    let secure = tls.is_some();
    let (certificate, chain) = tls.map(|tls| (tls.client_certificate, tls.client_chain)).unwrap_or_default();
    let arrival = Arc::new(Arrival {
        peer: peer.ip(),
        secure,
        certificate,
        chain,
        listener,
        _permit: permit,
        _open: Counted(open),
    });
    let result = match protocol {
        Protocol::Carrier => return Box::pin(super::carrier::serve(stream, arrival, shared)).await,
        Protocol::Http1 => serve_http1(stream, arrival, shared).await,
        Protocol::Http2 => Box::pin(serve_http2(stream, arrival, shared)).await,
    };
    // A connection that ends in an error is the client's affair: requests have lines of their own.
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

async fn serve_http1(stream: Stream, arrival: Arc<Arrival>, shared: Arc<Shared>) -> hyper::Result<()> {
    let config = &arrival.listener.config;
    let requests = UnderWay::default();
    let io = Patient::new(stream, requests.clone(), config.head_timeout, config.idle_timeout);
    let (head_size, headers) = (config.head_size, config.headers);
    let (draining, ending, begun) = (shared.draining.clone(), shared.ending.clone(), requests.clone());
    let service = service_fn(move |request| {
        let busy = requests.begin();
        let answered = Box::pin(answer(shared.clone(), arrival.clone(), request));
        answered.map(|response| Ok::<_, Infallible>(response.map(|body| body.to(busy))))
    });
    let connection = http1::Builder::new()
        // The stream has deadlines of its own.
        .header_read_timeout(None)
        // What may be read ahead, in steps that pass the limit; then the limit itself.
        .max_buf_size(head_size)
        .max_header_size(head_size)
        .max_headers(headers)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        () = draining.cancelled() => {}
    }
    // hyper would close a connection whose first request has yet to come. Its client had reached us before the
    // successor could have been reached, so it gets its answer.
    tokio::select! {
        result = connection.as_mut() => return result,
        () = begun.begun() => {}
        () = ending.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

async fn serve_http2(stream: Stream, arrival: Arc<Arrival>, shared: Arc<Shared>) -> hyper::Result<()> {
    let config = &arrival.listener.config;
    let (head_size, streams, draining) = (config.head_size, config.http2_streams, shared.draining.clone());
    let idle = config.idle_timeout;
    let service = service_fn(move |request| {
        Box::pin(answer(shared.clone(), arrival.clone(), request)).map(Ok::<_, Infallible>)
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(head_size).unwrap_or(u32::MAX))
        // Streams that are opened and reset at once (CVE-2023-44487) are bounded by these two.
        .max_pending_accept_reset_streams(Some(RESET_STREAMS))
        .max_local_error_reset_streams(Some(RESET_STREAMS))
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(Some(idle))
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        () = draining.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Streams that one connection may have reset before we answered them.
const RESET_STREAMS: usize = 64;
/// Bytes that one stream may have waiting to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// How long an HTTP/2 client has for the answer to a ping.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
