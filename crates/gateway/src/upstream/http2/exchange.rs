//! A plain request over HTTP/2: its body piped up while its response is waited for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::task::JoinHandle;

use super::{Http2, Permit, Slot, capacity};
use crate::upstream::body::{Progress, RequestBody};
use crate::upstream::config::UpstreamConfig;
use crate::upstream::error::UpstreamError;
use crate::upstream::exchange::{Failure, absolute_form, repeatable};
use crate::upstream::target::Target;

/// A response body over HTTP/2.
pub(in crate::upstream) struct Received {
    stream: RecvStream,
    data_ended: bool,
    /// The rest of the request body; it ends with the response (RFC 9113 section 8.1).
    _upload: Option<Upload>,
    _permit: Permit,
}

impl Received {
    /// The body of a response to a request without a body.
    pub(super) fn new(stream: RecvStream, permit: Permit) -> Self {
        Self { stream, data_ended: false, _upload: None, _permit: permit }
    }
}

struct Upload(JoinHandle<()>);

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request on a stream of its own. A safe one without a body is handed back if the target says that it was not
/// looked at, as one that restarts does (RFC 9113 section 8.7).
pub(in crate::upstream) async fn exchange(
    pool: &Http2,
    target: &Target,
    config: &UpstreamConfig,
    request: Request<RequestBody>,
    progress: &Progress,
) -> Result<Response<Received>, Failure> {
    let Slot { mut send, permit } = match pool.slot(target, config).await {
        Ok(slot) => slot,
        Err(error) => return Err(Failure::unsent(error, request)),
    };
    let again = repeatable(&request);
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_2;
    absolute_form(&mut parts, target).map_err(Failure::sent)?;
    let bodyless = body.is_end_stream();
    let answered = match send.send_request(Request::from_parts(parts, ()), bodyless) {
        Ok((response, upload)) => answer(response, body, upload, permit, config, progress).await,
        Err(error) => Err(UpstreamError::Http2(error)),
    };
    answered.map_err(|error| match again {
        Some(request) if matches!(&error, UpstreamError::Http2(error) if is_unprocessed(error)) => {
            Failure::unsent(error, request)
        }
        _ => Failure::sent(error),
    })
}

/// Whether the peer says that it has not looked at the request.
pub(super) fn is_unprocessed(error: &h2::Error) -> bool {
    error.is_remote()
        && (error.reason() == Some(Reason::REFUSED_STREAM)
            || error.is_go_away() && error.reason() == Some(Reason::NO_ERROR))
}

async fn answer(
    response: ResponseFuture,
    body: RequestBody,
    stream: SendStream<Bytes>,
    permit: Permit,
    config: &UpstreamConfig,
    progress: &Progress,
) -> Result<Response<Received>, UpstreamError> {
    let bodyless = body.is_end_stream();
    let mut upload = Box::pin(pipe(body, stream));
    let mut uploaded = bodyless;
    let stalled = progress.stalled(config.timeouts.response);
    tokio::pin!(response, stalled);
    let response = loop {
        tokio::select! {
            answered = &mut response => break answered.map_err(UpstreamError::Http2)?,
            done = &mut upload, if !uploaded => {
                done?;
                uploaded = true;
            }
            () = &mut stalled => return Err(UpstreamError::ResponseTimeout),
        }
    };
    let upload = (!uploaded).then(|| {
        Upload(tokio::spawn(async move {
            if let Err(error) = upload.await {
                tracing::debug!(%error, "request body ended after its response had begun");
            }
        }))
    });
    Ok(response.map(|stream| Received { stream, data_ended: false, _upload: upload, _permit: permit }))
}

/// Sends a body piece by piece, as fast as the target takes it. Dropped before the end, it resets the stream.
async fn pipe(mut body: RequestBody, mut stream: SendStream<Bytes>) -> Result<(), UpstreamError> {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            reset = std::future::poll_fn(|cx| stream.poll_reset(cx)) => {
                // NO_ERROR: the target has answered and wants no more of the body.
                return match reset {
                    Ok(Reason::NO_ERROR) => Ok(()),
                    Ok(reason) => Err(UpstreamError::Http2(reason.into())),
                    Err(error) => Err(UpstreamError::Http2(error)),
                };
            }
        };
        match frame {
            None => return stream.send_data(Bytes::new(), true).map_err(UpstreamError::Http2),
            Some(Err(error)) => {
                stream.send_reset(Reason::CANCEL);
                return Err(UpstreamError::RequestBody(error.to_string()));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => send_all(&mut stream, data).await.map_err(UpstreamError::Http2)?,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return stream.send_trailers(trailers).map_err(UpstreamError::Http2);
                }
            },
        }
    }
}

async fn send_all(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        let room = capacity(stream, data.len()).await?;
        stream.send_data(data.split_to(room), false)?;
    }
    Ok(())
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.stream.flow_control().release_capacity(data.len())?;
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
