//! Bodies on their way: what goes up, watched for progress, and what comes down, with its connection given back at the end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::address::Address;
use super::error::UpstreamError;
use super::http1::Lease;
use super::http2::Received;
use super::target::{Pick, Target};

/// Any error of a request body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request body as it goes to an upstream.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// When a request last made progress. The clock stands still while the client is waited for: that is not the
/// upstream's fault, and the client's own deadlines end it.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// Milliseconds since `begun`; `CLIENT` while the next piece is waited for.
    last: AtomicU64,
}

const CLIENT: u64 = u64::MAX;

impl Progress {
    /// Boxes a body and watches it.
    pub(super) fn watch<B>(body: B) -> (RequestBody, Arc<Self>)
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let progress = Arc::new(Self { begun: Instant::now(), last: AtomicU64::new(0) });
        let body = Box::pin(body);
        (UnsyncBoxBody::new(Watched { body, progress: progress.clone() }), progress)
    }

    /// Completes when nothing has moved for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        let mut since = Instant::now();
        loop {
            sleep_until(since + limit).await;
            since = match self.last.load(Relaxed) {
                CLIENT => Instant::now(),
                last => since.max(self.begun + Duration::from_millis(last)),
            };
            if since.elapsed() >= limit {
                return;
            }
        }
    }

    fn note(&self, waiting: bool) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(CLIENT - 1);
        self.last.store(if waiting { CLIENT } else { now }, Relaxed);
    }
}

struct Watched<B> {
    body: Pin<Box<B>>,
    progress: Arc<Progress>,
}

impl<B> HttpBody for Watched<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        self.progress.note(polled.is_pending());
        polled.map_err(Into::into)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body. Its connection serves the next request once it was read to its end, and is closed if it is
/// dropped before.
pub struct Body {
    source: Source,
    from: Arc<Target>,
    held: Option<Held>,
    stall: Duration,
    timer: Pin<Box<Sleep>>,
    timing: bool,
}

/// Where a response body comes from.
pub(super) enum Source {
    Http1(Incoming),
    Http2(Received),
}

/// What is given back when a body has ended.
struct Held {
    pick: Pick,
    lease: Option<Lease>,
}

impl Body {
    /// A body that holds its target until it has ended; without a lease, its connection is not used again.
    pub(super) fn new(source: Source, pick: Pick, lease: Option<Lease>, stall: Duration) -> Self {
        let timer = Box::pin(sleep(stall));
        let from = pick.target();
        let mut body = Self { source, from, held: Some(Held { pick, lease }), stall, timer, timing: false };
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// Where the target is that answers.
    pub fn address(&self) -> &Address {
        self.from.address()
    }

    fn finish(&mut self) {
        if let Some(Held { pick, lease: Some(lease) }) = self.held.take() {
            pick.keep(lease);
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let polled = match &mut self.source {
            Source::Http1(body) => Pin::new(body).poll_frame(cx).map_err(UpstreamError::Http1),
            Source::Http2(body) => Pin::new(body).poll_frame(cx).map_err(UpstreamError::Http2),
        };
        let Poll::Ready(frame) = polled else {
            if !self.timing {
                let deadline = Instant::now() + self.stall;
                self.timer.as_mut().reset(deadline);
                self.timing = true;
            }
            ready!(self.timer.as_mut().poll(cx));
            self.held = None;
            return Poll::Ready(Some(Err(UpstreamError::BodyStalled)));
        };
        self.timing = false;
        match &frame {
            Some(Err(_)) => self.held = None,
            _ if frame.is_none() || self.is_end_stream() => self.finish(),
            _ => {}
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Http1(body) => body.is_end_stream(),
            Source::Http2(body) => body.is_end_stream(),
        }
    }
    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1(body) => body.size_hint(),
            Source::Http2(body) => body.size_hint(),
        }
    }
}

/// An empty request body.
pub(super) fn empty() -> RequestBody {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use tokio::time::advance;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn is_pending<F: Future>(future: Pin<&mut F>) -> bool {
        future.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_runs_from_the_last_piece_that_was_taken() {
        let pieces = [1, 2].map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from("x"))));
        let (mut body, progress) = Progress::watch(StreamBody::new(futures_util::stream::iter(pieces)));
        let mut stalled = Box::pin(progress.stalled(LIMIT));
        for _ in 0..3 {
            assert!(is_pending(stalled.as_mut()));
            advance(LIMIT * 9 / 10).await;
            body.frame().await;
        }
        assert!(is_pending(stalled.as_mut()));
        stalled.await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_stands_still_while_the_client_is_waited_for() {
        let silent = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let (mut body, progress) = Progress::watch(silent);
        let mut stalled = Box::pin(progress.stalled(LIMIT));
        assert!(is_pending(Box::pin(body.frame()).as_mut()));
        for _ in 0..5 {
            assert!(is_pending(stalled.as_mut()));
            advance(LIMIT * 2).await;
        }
        assert!(is_pending(stalled.as_mut()));
    }
}
