//! Upstreams against real servers on loopback; this file holds what the tests share.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config;
mod exchange;
mod http2;
mod names;
mod probes;
mod refusal;
mod tls;
mod websocket;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, request};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use wicketgate_config::{At, Problems, Time};

use super::config::{RawTarget, RawUpstream};
use super::error::UpstreamError;
use super::{Affinity, Body, Offer, Opened, Upstream, WebSocket, resolve};

/// A server that gives each connection, with its number from 0, to a script.
struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    async fn new<F, Fut>(script: F) -> Self
    where
        F: Fn(TcpStream, usize) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, accepted) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(script(stream, count.fetch_add(1, SeqCst)));
            }
        });
        Self { address, accepted }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An address at which nobody listens, and nobody else can as long as the socket lives.
fn closed() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A URL at which nobody listens, as long as the test process lives.
fn closed_url() -> String {
    let (socket, address) = closed();
    std::mem::forget(socket);
    format!("http://{address}")
}

/// Starts an upstream over these targets, after `edit` has changed its configuration.
fn upstream(urls: &[String], edit: impl FnOnce(&mut RawUpstream)) -> Upstream {
    upstream_with(urls, &resolve::system(), edit)
}

fn upstream_with(urls: &[String], lookup: &resolve::Lookup, edit: impl FnOnce(&mut RawUpstream)) -> Upstream {
    let target = |url: &String| At::nowhere(RawTarget { url: url.clone(), weight: 1 });
    let mut raw = RawUpstream {
        name: At::nowhere("test".into()),
        targets: At::nowhere(urls.iter().map(target).collect()),
        ..RawUpstream::default()
    };
    edit(&mut raw);
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    Upstream::start(Arc::new(config), lookup, &CancellationToken::new()).unwrap()
}

fn ms(milliseconds: u64) -> At<Time> {
    At::nowhere(Time(Duration::from_millis(milliseconds)))
}

/// Bounds what a test waits for.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("took too long")
}

/// Waits until something that happens in the background has happened.
async fn eventually(mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Reads a request head, with the empty line.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("request head"));
    }
    String::from_utf8(head).unwrap()
}

/// The value of a header in a head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A good 101 to the handshake in `head`.
fn switching(head: &str, more: &str) -> String {
    let key = header(head, "sec-websocket-key").unwrap();
    let accept = wicketgate_wire::handshake::key::accept_for(key.as_bytes()).header_value();
    let accept = accept.to_str().unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

fn parts(path: &str) -> request::Parts {
    get(path).into_parts().0
}

async fn open(upstream: &Upstream) -> Result<Opened, UpstreamError> {
    soon(upstream.open_any(parts("/chat"), &Offer::default(), Affinity::none())).await
}

async fn open_websocket(upstream: &Upstream) -> WebSocket {
    match open(upstream).await.unwrap() {
        Opened::WebSocket(websocket) => websocket,
        Opened::Refused(response) => panic!("refused with {}", response.status()),
    }
}

async fn text(body: Body) -> String {
    String::from_utf8(soon(body.collect()).await.unwrap().to_bytes().to_vec()).unwrap()
}

fn open_count(upstream: &Upstream, index: usize) -> usize {
    upstream.targets()[index].counters().open.load(SeqCst)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

/// The task of a session holds these futures: what they weigh, every session weighs while it opens.
#[tokio::test]
async fn futures_are_small_and_go_between_threads() {
    let upstream = upstream(&[closed_url()], |_| {});
    let offer = Offer::default();
    let opening = assert_send(upstream.open_any(parts("/"), &offer, Affinity::none()));
    assert!(size_of_val(&opening) <= 2048, "{} bytes", size_of_val(&opening));
    let sending = assert_send(upstream.send_any(get("/"), Affinity::none()));
    assert!(size_of_val(&sending) <= 4096, "{} bytes", size_of_val(&sending));
}
