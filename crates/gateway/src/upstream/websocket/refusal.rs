//! A target's own answer to a handshake, such as 401 or 302: read by hyper, although we wrote the request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Stream;
use crate::upstream::body::{Source, empty};
use crate::upstream::config::UpstreamConfig;
use crate::upstream::error::UpstreamError;
use crate::upstream::http1::{builder, classify};

/// Lets hyper read a response of which `read` has come already, so that its body has all of hyper's framing and bounds.
pub(super) async fn read(
    stream: Stream,
    read: Bytes,
    config: &UpstreamConfig,
) -> Result<Response<Source>, UpstreamError> {
    let answered = Answered { read, asked: false, reader: None, stream };
    let handshake = builder(&config.limits).handshake(TokioIo::new(answered));
    let (mut sender, connection) = handshake.await.map_err(classify)?;
    // The task ends with the response's body: nobody can ask again.
    tokio::spawn(connection);
    let response = sender.send_request(Request::new(empty())).await.map_err(classify)?;
    Ok(response.map(Source::Http1))
}

/// A connection on which the request was sent before hyper got it: it swallows hyper's, and then gives the answer.
struct Answered {
    read: Bytes,
    /// hyper takes bytes that come before its request for a violation.
    asked: bool,
    reader: Option<Waker>,
    stream: Stream,
}

impl AsyncRead for Answered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.asked {
            this.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if this.read.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let piece = this.read.len().min(buf.remaining());
        buf.put_slice(&this.read[..piece]);
        this.read.advance(piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Answered {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.asked = true;
        if let Some(reader) = this.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
