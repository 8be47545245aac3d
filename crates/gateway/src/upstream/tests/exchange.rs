//! Plain requests over HTTP/1.1: streaming, pooling, and what is never sent twice.

use std::convert::Infallible;

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::*;

/// A hyper server that answers with the method, path and body it got, and the request's trailers.
async fn echo() -> Server {
    Server::new(|stream, _| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            let start = format!("{} {} ", request.method(), request.uri());
            let body = request.into_body().collect().await.unwrap();
            let trailers = body.trailers().cloned().map(Frame::trailers);
            let data = Frame::data(Bytes::from([start.as_bytes(), &body.to_bytes()].concat()));
            let frames = [Some(data), trailers].into_iter().flatten().map(Ok::<_, Infallible>);
            let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
            response.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
            Ok::<_, Infallible>(response)
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    })
    .await
}

async fn send(upstream: &Upstream, request: Request<Empty<Bytes>>) -> Result<Response<Body>, UpstreamError> {
    soon(upstream.send_any(request, Affinity::none())).await
}

fn posted(body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/form").body(Full::new(body.into())).unwrap()
}

async fn ok(upstream: &Upstream, path: &str) -> String {
    text(send(upstream, get(path)).await.unwrap().into_body()).await
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = echo().await;
    let upstream = upstream(&[server.url()], |_| {});
    assert_eq!(ok(&upstream, "http://public.example/a?b").await, "GET /a?b ");
    for round in 0..5 {
        let response = soon(upstream.send_any(posted("x=1"), Affinity::none())).await.unwrap();
        assert_eq!(open_count(&upstream, 0), 1);
        assert_eq!(text(response.into_body()).await, "POST /form x=1", "{round}");
        assert_eq!(open_count(&upstream, 0), 0);
        // The driver's task may need a turn before the connection can be taken again.
        tokio::task::yield_now().await;
    }
    assert!(server.accepted() <= 2, "{} connections", server.accepted());
    assert!(upstream.targets()[0].counters().reused.load(SeqCst) >= 4);
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways() {
    let server = echo().await;
    let upstream = upstream(&[server.url()], |_| {});
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("42"))]);
    let frames = [Frame::data(Bytes::from("one ")), Frame::data("two".into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = Request::post("/").header("trailer", "x-sum").header("te", "trailers").body(body).unwrap();
    let response = soon(upstream.send_any(request, Affinity::none())).await.unwrap();
    let body = soon(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "42");
    assert_eq!(body.to_bytes(), "POST / one two");
}

#[tokio::test]
async fn a_body_that_was_not_sent_goes_to_the_next_target() {
    let server = echo().await;
    let upstream = upstream(&[closed_url(), server.url()], |_| {});
    let response = soon(upstream.send_any(posted("whole"), Affinity::none())).await.unwrap();
    assert_eq!(text(response.into_body()).await, "POST /form whole");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_not_sent_again() {
    let first = Server::new(|mut stream, _| async move { drop(read_head(&mut stream).await) }).await;
    let second = echo().await;
    let upstream = upstream(&[first.url(), second.url()], |_| {});
    let error = soon(upstream.send_any(posted("once"), Affinity::none())).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("closed_early", 502));
    assert_eq!((first.accepted(), second.accepted()), (1, 0));
}

/// Serves one request a connection, then closes when the next one has come.
async fn one_each() -> Server {
    Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        let mut byte = [0];
        let _ = stream.read(&mut byte).await;
    })
    .await
}

#[tokio::test]
async fn a_connection_closed_meanwhile_costs_a_safe_request_nothing() {
    let server = one_each().await;
    let upstream = upstream(&[server.url()], |_| {});
    assert_eq!(ok(&upstream, "/").await, "ok");
    eventually(|| upstream.targets()[0].pooled() == 1).await;
    assert_eq!(ok(&upstream, "/").await, "ok");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn a_connection_closed_meanwhile_fails_a_post_that_may_have_been_read() {
    let server = one_each().await;
    let upstream = upstream(&[server.url()], |_| {});
    assert_eq!(ok(&upstream, "/").await, "ok");
    // The driver's task makes the connection ready again; until then another one is opened, which proves nothing.
    tokio::task::yield_now().await;
    let error = soon(upstream.send_any(posted("once"), Affinity::none())).await.err().unwrap();
    assert_eq!(error.label(), "closed_early");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_a_504() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let upstream = upstream(&[server.url()], |raw| raw.timeouts.response = ms(50));
    let error = send(&upstream, get("/")).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("response_timeout", 504));
    assert_eq!(open_count(&upstream, 0), 0);
}

#[tokio::test]
async fn a_request_body_that_fails_is_the_client_s_fault() {
    let server = echo().await;
    let upstream = upstream(&[server.url()], |_| {});
    let frames = [Ok(Frame::data(Bytes::from("x"))), Err(std::io::Error::other("client went away"))];
    let request = Request::post("/").body(StreamBody::new(futures_util::stream::iter(frames))).unwrap();
    let error = soon(upstream.send_any(request, Affinity::none())).await.err().unwrap();
    assert_eq!((error.label(), error.blame()), ("request_body", crate::upstream::Blame::Client), "{error}");
    assert_eq!(upstream.targets()[0].counters().failures.load(SeqCst), 0);
}

#[tokio::test]
async fn a_response_body_that_stalls_is_cut_off() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let upstream = upstream(&[server.url()], |raw| raw.timeouts.stall = ms(50));
    let response = send(&upstream, get("/")).await.unwrap();
    let error = soon(response.into_body().collect()).await.unwrap_err();
    assert_eq!(error.label(), "body_stalled");
    assert_eq!((open_count(&upstream, 0), upstream.targets()[0].pooled()), (0, 0));
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_a_502() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let error = send(&upstream(&[server.url()], |_| {}), get("/")).await.err().unwrap();
    assert_eq!(error.label(), "unexpected_upgrade");
}

#[tokio::test]
async fn a_huge_response_head_is_a_502() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(20 << 10));
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let small = upstream(&[server.url()], |raw| {
        raw.limits.response_head = At::nowhere(wicketgate_config::Size(8 << 10));
    });
    assert_eq!(send(&small, get("/")).await.err().unwrap().label(), "head_too_large");
    let large = upstream(&[server.url()], |_| {});
    assert_eq!(send(&large, get("/")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn unused_connections_are_closed_after_their_time() {
    let (closed, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::new(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            closed.send(stream.read(&mut [0]).await.unwrap()).unwrap();
        }
    })
    .await;
    let upstream = upstream(&[server.url()], |raw| raw.timeouts.idle = ms(40));
    assert_eq!(ok(&upstream, "/").await, "");
    assert_eq!(soon(seen.recv()).await, Some(0));
    assert_eq!(upstream.targets()[0].pooled(), 0);
}

#[tokio::test]
async fn http_moves_to_a_websocket_and_back_on_one_upstream() {
    let server = Server::new(|mut stream, _| async move {
        let head = read_head(&mut stream).await;
        if header(&head, "upgrade").is_some() {
            stream.write_all(switching(&head, "").as_bytes()).await.unwrap();
        } else {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhttp").await.unwrap();
        }
        let _ = stream.read_u8().await;
    })
    .await;
    let upstream = upstream(&[server.url()], |raw| raw.limits.idle = At::nowhere(0));
    assert_eq!(ok(&upstream, "/").await, "http");
    let websocket = open_websocket(&upstream).await;
    assert_eq!(ok(&upstream, "/").await, "http");
    assert_eq!(open_count(&upstream, 0), 1);
    drop(websocket);
    assert_eq!(ok(&upstream, "/").await, "http");
}
