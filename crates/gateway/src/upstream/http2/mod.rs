//! HTTP/2 towards a target: few connections, shared by requests and WebSockets (RFC 9113, RFC 8441).

mod connection;
mod exchange;
mod tunnel;

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::time::timeout;

use connection::Connection;
pub(super) use connection::Permit;
pub(super) use exchange::{Received, exchange};
pub(super) use tunnel::{Answer, open_tunnel};

use super::config::UpstreamConfig;
use super::error::UpstreamError;
use super::target::Target;

/// The connections of a target.
#[derive(Debug, Default)]
pub(super) struct Http2 {
    connections: Mutex<Vec<Connection>>,
    /// Held while a connection is opened, so that a crowd of requests shares it instead of opening one each.
    opening: tokio::sync::Mutex<()>,
}

/// Leave to open one stream, and the handle to do it with.
pub(super) struct Slot {
    pub(super) send: SendRequest<Bytes>,
    pub(super) permit: Permit,
}

impl Http2 {
    /// A place for one more stream: on a connection that has room, else on a new one.
    pub(super) async fn slot(&self, target: &Target, config: &UpstreamConfig) -> Result<Slot, UpstreamError> {
        if let Some(slot) = self.reserve(config).await {
            return Ok(slot);
        }
        // Those who wait for the one that connects wait no longer than it may take itself.
        let longest = config.timeouts.connect + config.timeouts.handshake * 2;
        let opening = Box::pin(self.slot_on_new(target, config));
        timeout(longest, opening).await.unwrap_or(Err(UpstreamError::ConnectTimeout))
    }

    async fn slot_on_new(&self, target: &Target, config: &UpstreamConfig) -> Result<Slot, UpstreamError> {
        let _one_at_a_time = self.opening.lock().await;
        if let Some(slot) = self.reserve(config).await {
            return Ok(slot);
        }
        if self.lock().len() >= config.limits.http2_connections {
            return Err(UpstreamError::Saturated);
        }
        let connection = Connection::open(target, config).await?;
        target.counters().connections.fetch_add(1, Relaxed);
        let slot = connection.reserve(config.limits.http2_streams).ok_or(UpstreamError::Saturated)?;
        self.lock().push(connection);
        Ok(slot)
    }

    /// A place on a connection that is there. One that is going away is let go of, and not asked again.
    async fn reserve(&self, config: &UpstreamConfig) -> Option<Slot> {
        loop {
            let slot = {
                let mut connections = self.lock();
                connections.retain(|connection| !connection.is_retired());
                connections.iter().find_map(|connection| connection.reserve(config.limits.http2_streams))?
            };
            let Slot { send, permit } = slot;
            match send.ready().await {
                Ok(send) => return Some(Slot { send, permit }),
                Err(_) => permit.retire(),
            }
        }
    }

    /// Lets go of connections that nobody has used for `age`, or whose peer `keep` does not want. Streams on them
    /// live on.
    pub(super) fn sweep(&self, age: Duration, keep: impl Fn(Option<SocketAddr>) -> bool) {
        self.lock().retain(|connection| {
            let stays = !connection.is_retired() && connection.unused_for() < age && keep(connection.peer);
            if !stays {
                connection.retire();
            }
            stays
        });
    }

    /// How many connections take new streams.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until some of `data` may be sent, and gives how much.
async fn capacity(stream: &mut h2::SendStream<Bytes>, wanted: usize) -> Result<usize, h2::Error> {
    std::future::poll_fn(|cx| poll_capacity(stream, wanted, cx)).await
}

fn poll_capacity(
    stream: &mut h2::SendStream<Bytes>,
    wanted: usize,
    cx: &mut std::task::Context<'_>,
) -> std::task::Poll<Result<usize, h2::Error>> {
    use std::task::Poll;
    stream.reserve_capacity(wanted);
    loop {
        // poll_capacity tells of growth only: what is there already must be asked for first.
        if stream.capacity() > 0 {
            return Poll::Ready(Ok(stream.capacity().min(wanted)));
        }
        match std::task::ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Err(h2::Reason::STREAM_CLOSED.into())),
        }
    }
}
