//! One HTTP/2 connection: opened, watched, counted, let go of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Slot;
use crate::net::Stream;
use crate::upstream::config::{Limits, Protocol, Timeouts, UpstreamConfig};
use crate::upstream::connect::dial;
use crate::upstream::error::UpstreamError;
use crate::upstream::target::Target;

/// Bytes of a stream that may wait to be written, behind the peer's window.
const SEND_BUFFER: usize = 64 << 10;

/// A connection that takes new streams until it is retired.
#[derive(Debug)]
pub(super) struct Connection {
    send: SendRequest<Bytes>,
    state: Arc<State>,
    pub(super) peer: Option<SocketAddr>,
}

/// `streams` and `retired` are written by one side and read by the other in turn, so each access is sequentially
/// consistent: a connection that closes after its last stream never has one more reserved behind its back.
#[derive(Debug)]
struct State {
    streams: AtomicUsize,
    retired: AtomicBool,
    changed: Notify,
    begun: Instant,
    /// Milliseconds since `begun` at which a stream last ended.
    last_used: AtomicU64,
}

/// One open stream; the place is free again when this is dropped.
#[derive(Debug)]
pub(in crate::upstream) struct Permit(Arc<State>);

impl Connection {
    pub(super) async fn open(target: &Target, config: &UpstreamConfig) -> Result<Self, UpstreamError> {
        let connected = dial(target, Protocol::Http2, &config.timeouts).await?;
        let handshake = timeout(config.timeouts.handshake, shake_hands(connected.stream, &config.limits));
        let (send, connection, ping) = handshake.await.unwrap_or(Err(UpstreamError::HandshakeTimeout))?;
        let state = Arc::new(State {
            streams: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            changed: Notify::new(),
            begun: Instant::now(),
            last_used: AtomicU64::new(0),
        });
        tokio::spawn(drive(connection, ping, state.clone(), config.timeouts));
        Ok(Self { send, state, peer: connected.peer })
    }

    /// A place for one more stream, unless `most`, or as many as the peer allows, are open.
    pub(super) fn reserve(&self, most: usize) -> Option<Slot> {
        let most = most.min(self.send.current_max_send_streams());
        let more = |streams| (streams < most).then_some(streams + 1);
        self.state.streams.fetch_update(SeqCst, SeqCst, more).ok()?;
        let permit = Permit(self.state.clone());
        (!self.is_retired()).then(|| Slot { send: self.send.clone(), permit })
    }

    pub(super) fn is_retired(&self) -> bool {
        self.state.retired.load(SeqCst)
    }

    /// Takes no new streams any more; the connection closes after its last one.
    pub(super) fn retire(&self) {
        self.state.retire();
    }

    /// How long there has been no stream; zero while there is one.
    pub(super) fn unused_for(&self) -> Duration {
        if self.state.streams.load(SeqCst) > 0 {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.state.last_used.load(Relaxed));
        self.state.begun.elapsed().saturating_sub(last)
    }
}

/// The upstream is gone, by a reload: what is open ends by itself.
impl Drop for Connection {
    fn drop(&mut self) {
        self.state.retire();
    }
}

impl Permit {
    /// Lets go of the connection, which has said that it takes no more streams.
    pub(in crate::upstream) fn retire(&self) {
        self.0.retire();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_used.store(now, Relaxed);
        self.0.streams.fetch_sub(1, SeqCst);
        self.0.changed.notify_one();
    }
}

impl State {
    fn retire(&self) {
        self.retired.store(true, SeqCst);
        self.changed.notify_one();
    }

    /// Completes when the connection is retired and its last stream has ended.
    async fn done(&self) {
        while !(self.retired.load(SeqCst) && self.streams.load(SeqCst) == 0) {
            self.changed.notified().await;
        }
    }
}

type H2Connection = h2::client::Connection<Stream, Bytes>;

/// Sends our preface and waits until the peer's SETTINGS are in: a PONG cannot come before them
/// (RFC 9113 section 3.4), and without them nobody knows about extended CONNECT or stream limits.
async fn shake_hands(
    stream: Stream,
    limits: &Limits,
) -> Result<(SendRequest<Bytes>, H2Connection, PingPong), UpstreamError> {
    // Room for every stream's window: one client that stalls then never holds up the others.
    let all = (limits.http2_window as usize).saturating_mul(limits.http2_streams).min((1 << 31) - 1);
    let handshake = Builder::new()
        .enable_push(false)
        .initial_window_size(limits.http2_window)
        .initial_connection_window_size(u32::try_from(all).unwrap_or(limits.http2_window).max(65_535))
        .max_header_list_size(u32::try_from(limits.response_head).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .handshake(stream);
    let (send, mut connection) = handshake.await.map_err(UpstreamError::Http2)?;
    let mut ping = connection.ping_pong().ok_or(UpstreamError::NoHttp2)?;
    tokio::select! {
        ended = &mut connection => Err(ended.map_or_else(not_http2, |()| UpstreamError::ClosedEarly)),
        pong = ping.ping(Ping::opaque()) => {
            pong.map_err(UpstreamError::Http2)?;
            Ok((send, connection, ping))
        }
    }
}

fn not_http2(error: h2::Error) -> UpstreamError {
    if error.is_io() || error.is_go_away() && error.is_library() {
        return UpstreamError::NoHttp2;
    }
    UpstreamError::Http2(error)
}

/// Drives a connection until it ends, its peer falls silent, or nobody needs it.
async fn drive(connection: H2Connection, ping: PingPong, state: Arc<State>, timeouts: Timeouts) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "HTTP/2 connection to an upstream's target ended");
        },
        () = silence(ping, &state, timeouts) => {
            tracing::warn!("HTTP/2 connection to an upstream's target closed: no answer to a PING");
        }
        () = state.done() => {}
    }
    state.retired.store(true, SeqCst);
}

/// Completes when a PING is not answered in time. Without streams there is nobody to find out for.
async fn silence(mut ping: PingPong, state: &State, timeouts: Timeouts) {
    loop {
        sleep(timeouts.ping).await;
        if state.streams.load(SeqCst) > 0
            && !matches!(timeout(timeouts.handshake, ping.ping(Ping::opaque())).await, Ok(Ok(_)))
        {
            return;
        }
    }
}
