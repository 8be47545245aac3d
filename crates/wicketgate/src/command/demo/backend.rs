//! The demonstration's backend: a small HTTP server with the page, the chat room, an echo and a fault.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use wicketgate_wire::DataKind;
use wicketgate_wire::handshake::{is_upgrade_attempt, read_upgrade};

use super::room::Room;
use super::socket::{Received, Socket};

const PAGE: &str = include_str!("page.html");
/// Connections at once.
const CONNECTIONS: usize = 1024;
/// Time for a request's head.
const HEAD: Duration = Duration::from_secs(10);
/// Time for a connection to become a WebSocket after the answer.
const SWITCH: Duration = Duration::from_secs(10);
/// Between two tries where the system gives no more sockets.
const AGAIN: Duration = Duration::from_millis(100);

/// A server that listens.
pub(super) struct Backend {
    listener: TcpListener,
    room: Arc<Room>,
}

impl Backend {
    /// Listens at a port that the system chooses.
    pub(super) async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { listener, room: Arc::new(Room::new()) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let serving = connection(stream, self.room.clone());
                    tokio::spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the chat room cannot accept");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// What is behind a path that takes WebSockets.
#[derive(Clone, Copy)]
enum Service {
    Chat,
    Echo,
    Fault,
}

async fn connection(stream: TcpStream, room: Arc<Room>) {
    let (sessions, mut opened) = tokio::sync::mpsc::channel(1);
    let service = service_fn(move |request| {
        let response = answer(request, &sessions);
        async { Ok::<_, Infallible>(response) }
    });
    // What is sent in small pieces is sent at once.
    let _ = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = serving.await {
        tracing::debug!(%error, "connection to the chat room ended");
    }
    let Ok((service, upgrade)) = opened.try_recv() else { return };
    let Ok(Ok(upgraded)) = tokio::time::timeout(SWITCH, upgrade).await else { return };
    let socket = Socket::new(upgraded);
    match service {
        Service::Chat => room.stay(socket).await,
        Service::Echo => echo(socket).await,
        Service::Fault => fault(socket).await,
    }
}

type Sessions = tokio::sync::mpsc::Sender<(Service, hyper::upgrade::OnUpgrade)>;

fn answer(mut request: Request<Incoming>, sessions: &Sessions) -> Response<Full<Bytes>> {
    let service = match request.uri().path() {
        "/" => return page(),
        "/chat" => Service::Chat,
        "/echo" | "/guarded" => Service::Echo,
        "/faulty" => Service::Fault,
        _ => return status(StatusCode::NOT_FOUND),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    if !is_upgrade_attempt(&parts, None) {
        return status(StatusCode::UPGRADE_REQUIRED);
    }
    let agreed = read_upgrade(&parts, None).ok().and_then(|upgrade| upgrade.answer(None, &[]).ok());
    match agreed.filter(|_| sessions.try_send((service, upgrade)).is_ok()) {
        Some(response) => response.map(|()| Full::default()),
        None => status(StatusCode::BAD_REQUEST),
    }
}

fn page() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(PAGE));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Every message goes back as it came.
async fn echo(mut socket: Socket) {
    while let Some(received) = socket.receive().await {
        let goes_on = match received {
            Received::Message(kind, payload) => socket.queue(kind, &payload),
            Received::Control(opcode, body) => socket.answer(opcode, &body).await,
        };
        if goes_on.is_none() {
            return;
        }
    }
}

/// Text that is not UTF-8, which RFC 6455 forbids: the gateway must not let it reach the client.
async fn fault(mut socket: Socket) {
    if socket.queue(DataKind::Text, b"\xc3\x28").is_none() {
        return;
    }
    while let Some(received) = socket.receive().await {
        if let Received::Control(opcode, body) = received
            && socket.answer(opcode, &body).await.is_none()
        {
            return;
        }
    }
}
