//! Requests and WebSockets over shared HTTP/2 connections.

use std::convert::Infallible;

use h2::Reason;
use h2::ext::Protocol as H2Protocol;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wicketgate_wire::handshake::Token;

use super::*;
use crate::upstream::config::Protocol;

/// What a server sees of itself.
enum Event {
    Request(Box<http::request::Parts>),
    Reset,
}

#[derive(Clone, Copy)]
struct Settings {
    extended_connect: bool,
    streams: u32,
    /// GOAWAY after so many requests.
    goodbye_after: usize,
    /// The status of every answer.
    status: u16,
    /// Whether a WebSocket's bytes are read.
    reading: bool,
}

const USUAL: Settings =
    Settings { extended_connect: true, streams: 100, goodbye_after: usize::MAX, status: 200, reading: true };

/// An HTTP/2 server that sends every stream's bytes and trailers back.
async fn server(settings: Settings) -> (Server, UnboundedReceiver<Event>) {
    let (events, seen) = unbounded_channel();
    let server = Server::new(move |stream, _| {
        let events = events.clone();
        async move {
            let mut builder = h2::server::Builder::new();
            builder.max_concurrent_streams(settings.streams);
            if settings.extended_connect {
                builder.enable_connect_protocol();
            }
            let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
            let mut served = 0;
            while let Some(Ok((request, respond))) = connection.accept().await {
                served += 1;
                if served == settings.goodbye_after {
                    connection.graceful_shutdown();
                }
                tokio::spawn(echo(request, respond, settings, events.clone()));
            }
        }
    })
    .await;
    (server, seen)
}

async fn echo(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    settings: Settings,
    events: UnboundedSender<Event>,
) {
    let (parts, mut body) = request.into_parts();
    let mut response = Response::builder().status(settings.status);
    if parts.extensions.get::<H2Protocol>().is_some() && parts.headers.contains_key("sec-websocket-protocol")
    {
        response = response.header("sec-websocket-protocol", "chat");
    }
    let _ = events.send(Event::Request(Box::new(parts)));
    let mut send = respond.send_response(response.body(()).unwrap(), false).unwrap();
    if !settings.reading {
        let _ = std::future::poll_fn(|cx| send.poll_reset(cx)).await;
        return;
    }
    while let Some(data) = body.data().await {
        let Ok(data) = data else {
            let _ = events.send(Event::Reset);
            return;
        };
        body.flow_control().release_capacity(data.len()).unwrap();
        send.reserve_capacity(data.len());
        let _ = send.send_data(data, false);
    }
    let trailers = body.trailers().await.unwrap_or_default();
    let _ = match trailers {
        Some(trailers) => send.send_trailers(trailers),
        None => send.send_data(Bytes::new(), true),
    };
}

fn over_h2(server: &Server, edit: impl FnOnce(&mut RawUpstream)) -> Upstream {
    upstream(&[server.url()], |raw| {
        raw.protocol = Protocol::Http2;
        edit(raw);
    })
}

async fn request(seen: &mut UnboundedReceiver<Event>) -> http::request::Parts {
    match soon(seen.recv()).await {
        Some(Event::Request(parts)) => *parts,
        _ => panic!("no request"),
    }
}

async fn echoes(websocket: &mut WebSocket, data: &[u8]) {
    let mut back = vec![0; data.len()];
    let (mut from, mut to) = tokio::io::split(&mut websocket.stream);
    let (sent, got) = soon(async { tokio::join!(to.write_all(data), from.read_exact(&mut back)) }).await;
    sent.unwrap();
    got.unwrap();
    assert!(back == data);
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways() {
    let (server, mut seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("42"))]);
    let large = vec![b'x'; 300 << 10];
    let frames =
        [Frame::data(Bytes::from(large.clone())), Frame::data("end".into()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let post = Request::post("/form?x=1").header("host", "public.example").body(body).unwrap();
    let response = soon(upstream.send_any(post, Affinity::none())).await.unwrap();
    let body = soon(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "42");
    assert!(body.to_bytes() == [&large[..], b"end"].concat());
    let parts = request(&mut seen).await;
    assert_eq!(
        (parts.method.as_str(), parts.uri.to_string().as_str()),
        ("POST", "http://public.example/form?x=1")
    );
    assert!(!parts.headers.contains_key("host"));
    assert_eq!(open_count(&upstream, 0), 0);
}

#[tokio::test]
async fn requests_and_websockets_share_a_connection() {
    let (server, mut seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let mut websocket = open_websocket(&upstream).await;
    let parts = request(&mut seen).await;
    assert_eq!(parts.method, "CONNECT");
    assert_eq!(parts.extensions.get::<H2Protocol>().unwrap().as_str(), "websocket");
    assert_eq!(parts.uri.to_string(), format!("http://{}/chat", server.address));
    assert_eq!(parts.headers["sec-websocket-version"], "13");
    assert!(!parts.headers.contains_key("sec-websocket-key") && !parts.headers.contains_key("upgrade"));
    for _ in 0..3 {
        let response = soon(upstream.send_any(get("/"), Affinity::none())).await.unwrap();
        assert_eq!(text(response.into_body()).await, "");
        echoes(&mut websocket, b"hello").await;
    }
    assert_eq!(server.accepted(), 1);
    assert_eq!((open_count(&upstream, 0), upstream.targets()[0].pooled()), (1, 1));
}

#[tokio::test]
async fn a_crowd_shares_one_connection() {
    let (server, _seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let (a, b, c, d) = tokio::join!(open(&upstream), open(&upstream), open(&upstream), open(&upstream));
    assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok());
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_tunnel_carries_more_than_its_windows_hold() {
    let (server, _seen) = server(USUAL).await;
    let mut websocket = open_websocket(&over_h2(&server, |_| {})).await;
    let data: Vec<u8> = (0..2_000_000u32).map(|n| (n % 251) as u8).collect();
    echoes(&mut websocket, &data).await;
    soon(websocket.stream.shutdown()).await.unwrap();
    assert_eq!(soon(websocket.stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_target_that_does_not_read_stops_the_writer() {
    let (server, _seen) = server(Settings { reading: false, ..USUAL }).await;
    let mut websocket = open_websocket(&over_h2(&server, |_| {})).await;
    let mut written = 0;
    let block = vec![0; 16 << 10];
    while let Ok(count) =
        tokio::time::timeout(Duration::from_millis(100), websocket.stream.write(&block)).await
    {
        written += count.unwrap();
        assert!(written <= 256 << 10, "{written} bytes and no end");
    }
    assert!(written >= 65_535);
}

#[tokio::test]
async fn a_tunnel_that_is_dropped_is_reset() {
    let (server, mut seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let mut websocket = open_websocket(&upstream).await;
    request(&mut seen).await;
    echoes(&mut websocket, b"x").await;
    drop(websocket);
    assert!(matches!(soon(seen.recv()).await, Some(Event::Reset)));
    assert_eq!(open_count(&upstream, 0), 0);
}

#[tokio::test]
async fn the_subprotocol_must_be_offered() {
    let (server, _seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let chat = |name| Offer { subprotocols: vec![Token::from_static(name)], extensions: Vec::new() };
    let Ok(Opened::WebSocket(websocket)) =
        soon(upstream.open_any(parts("/"), &chat("chat"), Affinity::none())).await
    else {
        panic!("not open")
    };
    assert_eq!(websocket.subprotocol, Some(Token::from_static("chat")));
    let error = soon(upstream.open_any(parts("/"), &chat("mqtt"), Affinity::none())).await.err().unwrap();
    assert_eq!(error.label(), "bad_handshake");
}

#[tokio::test]
async fn a_refusal_is_passed_on() {
    let (server, _seen) = server(Settings { status: 403, ..USUAL }).await;
    let upstream = over_h2(&server, |_| {});
    let Opened::Refused(response) = open(&upstream).await.unwrap() else { panic!("open") };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(text(response.into_body()).await, "");
}

#[tokio::test]
async fn without_extended_connect_there_is_no_websocket() {
    let (server, _seen) = server(Settings { extended_connect: false, ..USUAL }).await;
    let upstream = over_h2(&server, |_| {});
    let error = open(&upstream).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("no_extended_connect", 502));
    assert!(soon(upstream.send_any(get("/"), Affinity::none())).await.is_ok());
}

#[tokio::test]
async fn a_full_connection_gets_a_second_and_the_limit_is_a_503() {
    let (server, _seen) = server(Settings { streams: 2, ..USUAL }).await;
    let upstream = over_h2(&server, |raw| raw.limits.http2_connections = At::nowhere(2));
    let mut open_ones = Vec::new();
    for connections in [1, 1, 2, 2] {
        open_ones.push(open_websocket(&upstream).await);
        assert_eq!(server.accepted(), connections);
    }
    assert_eq!(open(&upstream).await.err().unwrap().label(), "saturated");
    open_ones.pop();
    open_ones.push(open_websocket(&upstream).await);
    for websocket in &mut open_ones {
        echoes(websocket, b"still there").await;
    }
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn after_goaway_what_is_open_lives_and_the_next_gets_a_new_connection() {
    let (server, _seen) = server(Settings { goodbye_after: 1, ..USUAL }).await;
    let upstream = over_h2(&server, |_| {});
    let mut first = open_websocket(&upstream).await;
    echoes(&mut first, b"one").await;
    let mut second = open_websocket(&upstream).await;
    echoes(&mut second, b"two").await;
    echoes(&mut first, b"still one").await;
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_its_time() {
    let (closed, mut seen) = unbounded_channel();
    let server = Server::new(move |stream, _| {
        let closed = closed.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                respond.send_response(Response::new(()), true).unwrap();
            }
            closed.send(()).unwrap();
        }
    })
    .await;
    let upstream = over_h2(&server, |raw| raw.timeouts.idle = ms(40));
    soon(upstream.send_any(get("/"), Affinity::none())).await.unwrap();
    soon(seen.recv()).await.unwrap();
    assert_eq!(upstream.targets()[0].pooled(), 0);
}

#[tokio::test]
async fn the_connection_ends_with_the_upstream_and_its_last_stream() {
    let (server, _seen) = server(USUAL).await;
    let upstream = over_h2(&server, |_| {});
    let mut websocket = open_websocket(&upstream).await;
    drop(upstream);
    echoes(&mut websocket, b"after the reload").await;
    soon(websocket.stream.shutdown()).await.unwrap();
    assert_eq!(soon(websocket.stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_target_that_falls_silent_loses_the_connection() {
    let server = Server::new(|stream, _| async move {
        let mut connection =
            h2::server::Builder::new().enable_connect_protocol().handshake(stream).await.unwrap();
        let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
        let _stream: h2::SendStream<Bytes> = respond.send_response(Response::new(()), false).unwrap();
        // Long enough for the answer to be written; from then on nobody drives the connection.
        let _ = tokio::time::timeout(Duration::from_millis(50), connection.accept()).await;
        std::future::pending::<()>().await;
    })
    .await;
    let upstream = over_h2(&server, |raw| {
        raw.timeouts.ping = ms(80);
        raw.timeouts.handshake = ms(1000);
    });
    let mut websocket = open_websocket(&upstream).await;
    assert!(soon(websocket.stream.read(&mut [0])).await.is_err());
    assert_eq!(upstream.targets()[0].pooled(), 1, "only the next request clears it away");
}

#[tokio::test]
async fn a_server_of_another_protocol_is_found_out() {
    let server = Server::new(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.read_u8().await;
    })
    .await;
    let error = open(&over_h2(&server, |_| {})).await.err().unwrap();
    assert_eq!(error.label(), "no_http2", "{error}");
    let silent = Server::new(|mut stream, _| async move {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
    })
    .await;
    let error = open(&over_h2(&silent, |raw| raw.timeouts.handshake = ms(50))).await.err().unwrap();
    assert_eq!(error.label(), "handshake_timeout");
}

#[tokio::test]
async fn a_request_that_was_refused_unread_goes_to_the_next_target() {
    let refusing = Server::new(|stream, _| async move {
        let mut builder = h2::server::Builder::new();
        let mut connection = builder.enable_connect_protocol().handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let respond: &mut SendResponse<Bytes> = &mut respond;
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    })
    .await;
    let (good, _seen) = server(USUAL).await;
    let upstream = upstream(&[refusing.url(), good.url()], |raw| raw.protocol = Protocol::Http2);
    let response = soon(upstream.send_any(get("/"), Affinity::none())).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((refusing.accepted(), good.accepted()), (1, 1));
    // Round robin would begin with the other one now.
    for _ in 0..2 {
        assert_eq!(open_websocket(&upstream).await.target.address().as_str(), good.url());
    }
}
