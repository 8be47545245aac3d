//! Bodies: the answers' own, the upstreams', and the requests' under their limits.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::patience::Busy;
use crate::upstream;

/// The body of an answer, and the request that is under way until its last byte.
pub(super) struct Answer {
    source: Source,
    _busy: Option<Busy>,
}

enum Source {
    /// Known whole.
    Fixed(Full<Bytes>),
    /// Streamed from an upstream.
    Upstream(upstream::Body),
}

impl Answer {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self { source: Source::Fixed(Full::new(text.into())), _busy: None }
    }

    pub(super) fn upstream(body: upstream::Body) -> Self {
        Self { source: Source::Upstream(body), _busy: None }
    }

    /// The answer to this request.
    pub(super) fn to(self, busy: Busy) -> Self {
        Self { _busy: Some(busy), ..self }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = upstream::UpstreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.get_mut().source {
            Source::Fixed(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Source::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }
    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Fixed(body) => body.is_end_stream(),
            Source::Upstream(body) => body.is_end_stream(),
        }
    }
    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Fixed(body) => body.size_hint(),
            Source::Upstream(body) => body.size_hint(),
        }
    }
}

/// Why a request's body cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("longer than the route allows")]
    TooLarge,
    #[error("the client sent nothing more in time")]
    Stalled,
    #[error(transparent)]
    Client(hyper::Error),
}

/// A bound of ours that a request's body has passed, for the one who answers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    Length,
    Time,
}

/// A request's body: no longer than its limit, no pause longer than its deadline.
pub(super) struct Bounded {
    body: Incoming,
    left: u64,
    passed: Arc<OnceLock<Passed>>,
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    /// The body, and which of its bounds it has passed.
    pub(super) fn new(body: Incoming, limit: u64, stall: Duration) -> (Self, Arc<OnceLock<Passed>>) {
        let passed = Arc::new(OnceLock::new());
        (Self { body, left: limit, passed: passed.clone(), stall, timer: None }, passed)
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => {
                self.passed.get_or_init(|| Passed::Length);
                return Err(BodyError::TooLarge);
            }
        }
        Ok(())
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                Poll::Ready(Some(self.count(&frame).map(|()| frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|result| result.map_err(BodyError::Client))),
            Poll::Pending => {
                let stall = self.stall;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(stall)));
                debug_assert!(timer.deadline() <= Instant::now() + stall);
                ready!(timer.as_mut().poll(cx));
                self.passed.get_or_init(|| Passed::Time);
                Poll::Ready(Some(Err(BodyError::Stalled)))
            }
        }
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
