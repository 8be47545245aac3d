//! One HTTP/1.1 exchange with whatever answers: a plain request, or one for a WebSocket.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use wicketgate_wire::handshake::{Agreed, AnswerError, ClientHandshake, Nonce, Token};

use super::clean;
use super::path::Way;
use crate::carrier::BoxedCarrier;
use crate::carrier::websocket::SUBPROTOCOL;

/// The longest head of an answer that is read, in bytes.
const MAX_HEAD: usize = 32 << 10;
/// How much of a body is looked at, in bytes.
const MAX_BODY: usize = 32 << 10;
/// How long it may take to come.
const BODY: Duration = Duration::from_secs(3);

/// An answer, its body as far as it was looked at.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a request for a WebSocket has led to.
pub(super) struct Upgrade {
    pub(super) answer: Answer,
    /// What was agreed to, or why that is no WebSocket.
    pub(super) agreed: Result<Agreed, AnswerError>,
    /// The headers that went.
    pub(super) sent: HeaderMap,
    /// The stream, where there is a WebSocket, and what came with its handshake.
    pub(super) stream: Option<(BoxedCarrier, Bytes)>,
}

/// Asks as a browser would that knows no WebSocket.
pub(super) async fn plain(way: &Way) -> Result<Answer, String> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    let (answer, _) = ask(way, &mut headers).await?;
    Ok(answer)
}

/// Asks for a WebSocket as endpoints do.
pub(super) async fn upgrade(way: &Way) -> Result<Upgrade, String> {
    let offer = Token::new(SUBPROTOCOL).into_iter().collect();
    let handshake = ClientHandshake::http1(Nonce::new(rand::random()), offer, Vec::new());
    let mut sent = HeaderMap::new();
    handshake.write(&mut sent);
    let (answer, stream) = ask(way, &mut sent).await?;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (answer.status, answer.version, answer.headers.clone());
    let agreed = handshake.verify(&parts);
    Ok(Upgrade { stream: stream.filter(|_| agreed.is_ok()), answer, agreed, sent })
}

type Asked = (Answer, Option<(BoxedCarrier, Bytes)>);

async fn ask(way: &Way, headers: &mut HeaderMap) -> Result<Asked, String> {
    let authority = way.gateway.uri.authority().map_or("", |authority| authority.as_str());
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|error| error.to_string())?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("wicketgate/", env!("CARGO_PKG_VERSION"))));
    let path = way.gateway.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers.clone();
    let stream = way.open().await.map_err(|error| clean::text(&error.to_string()))?;
    let head = async {
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await
    };
    let answered =
        timeout(way.timeout, head).await.map_err(|_| format!("no answer within {:?}", way.timeout))?;
    let mut response = answered.map_err(|error| clean::text(&innermost(&error)))?;
    let stream = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            let upgraded = timeout(way.timeout, hyper::upgrade::on(&mut response)).await;
            let parts = upgraded.ok().and_then(Result::ok).map(|upgraded| upgraded.downcast());
            parts.and_then(Result::ok).map(|parts| {
                let parts: hyper::upgrade::Parts<TokioIo<BoxedCarrier>> = parts;
                (parts.io.into_inner(), parts.read_buf)
            })
        }
        _ => None,
    };
    let (parts, body) = response.into_parts();
    let body = beginning(body).await;
    Ok((Answer { status: parts.status, version: parts.version, headers: parts.headers, body }, stream))
}

/// A body's beginning, as much as comes in time.
async fn beginning(mut body: Incoming) -> Bytes {
    let mut taken = BytesMut::new();
    let _ = timeout(BODY, async {
        while let Some(Ok(frame)) = body.frame().await {
            let data = frame.into_data().unwrap_or_default();
            taken.extend_from_slice(&data[..data.len().min(MAX_BODY - taken.len())]);
            if taken.len() == MAX_BODY {
                return;
            }
        }
    })
    .await;
    taken.freeze()
}

/// The innermost reason says what failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.to_string() {
        text if text == error.to_string() => text,
        text => format!("{error}: {text}"),
    }
}
