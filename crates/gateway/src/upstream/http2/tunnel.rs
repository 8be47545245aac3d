//! A WebSocket's byte stream through HTTP/2: extended CONNECT (RFC 8441).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, Version, request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::exchange::is_unprocessed;
use super::{Http2, Permit, Received, Slot, poll_capacity};
use crate::upstream::config::UpstreamConfig;
use crate::upstream::error::UpstreamError;
use crate::upstream::exchange::absolute_form;
use crate::upstream::target::Target;
use crate::upstream::websocket::Failed;

/// What a target has answered to an extended CONNECT.
pub(in crate::upstream) enum Answer {
    /// 200 to 299: the stream is open.
    Open(Response<Tunnel>),
    /// Any other status, with its body.
    Refused(Response<Received>),
}

/// The byte stream inside one HTTP/2 stream. Dropped before its end, it resets the stream.
pub(in crate::upstream) struct Tunnel {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// Bytes that came and were not read yet; the peer's window stays smaller by them.
    waiting: Bytes,
    _permit: Permit,
}

/// Asks for a tunnel and waits for the answer.
pub(in crate::upstream) async fn open_tunnel(
    pool: &Http2,
    target: &Target,
    config: &UpstreamConfig,
    mut parts: request::Parts,
) -> Result<Answer, Failed> {
    let Slot { mut send, permit } = pool.slot(target, config).await.map_err(Failed::before)?;
    if !send.is_extended_connect_protocol_enabled() {
        return Err(Failed::before(UpstreamError::NoExtendedConnect));
    }
    absolute_form(&mut parts, target).map_err(Failed::before)?;
    parts.method = Method::CONNECT;
    parts.version = Version::HTTP_2;
    parts.extensions.insert(Protocol::from_static(wicketgate_wire::handshake::PROTOCOL));
    let (response, mut send) =
        send.send_request(Request::from_parts(parts, ()), false).map_err(UpstreamError::Http2)?;
    let answered = timeout(config.timeouts.handshake, response).await;
    let answered = answered.map_err(|_| UpstreamError::HandshakeTimeout)?;
    let answered = answered.map_err(|error| {
        let sent = !is_unprocessed(&error);
        Failed { error: UpstreamError::Http2(error), sent }
    });
    let (head, receive) = answered?.into_parts();
    if head.status.is_success() {
        let tunnel = Tunnel { send, receive, waiting: Bytes::new(), _permit: permit };
        return Ok(Answer::Open(Response::from_parts(head, tunnel)));
    }
    // The stream may be closed already, which is as good.
    let _ = send.send_data(Bytes::new(), true);
    Ok(Answer::Refused(Response::from_parts(head, Received::new(receive, permit))))
}

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.waiting.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => this.waiting = data,
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = this.waiting.split_to(this.waiting.len().min(buf.remaining()));
        buf.put_slice(&taken);
        Poll::Ready(this.receive.flow_control().release_capacity(taken.len()).map_err(io_error))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let stream = &mut self.get_mut().send;
        let room = ready!(poll_capacity(stream, buf.len(), cx)).map_err(io_error)?;
        stream.send_data(Bytes::copy_from_slice(&buf[..room]), false).map_err(io_error)?;
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's task writes what it holds without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().send.send_data(Bytes::new(), true).map_err(io_error))
    }
}

fn io_error(error: h2::Error) -> io::Error {
    let kind = match error.reason() {
        Some(Reason::CANCEL | Reason::STREAM_CLOSED) => io::ErrorKind::ConnectionReset,
        _ if error.is_io() => error.get_io().map_or(io::ErrorKind::Other, io::Error::kind),
        _ => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, error)
}
