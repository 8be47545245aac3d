//! An endpoint's way to its gateway: HTTPS to whatever stands in front of it, and a WebSocket inside.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use wicketgate_tls::{TlsStream, Transport};
use wicketgate_wire::Role;
use wicketgate_wire::handshake::{ClientHandshake, Nonce, Token};

use super::{SUBPROTOCOL, WebSocketPipe};
use crate::carrier::{BoxedCarrier, Carrier, DialError, Gateway};

/// Opens a carrier over a connection to whatever stands in front of the gateway.
///
/// # Errors
/// What stood in the way.
pub(in crate::carrier) async fn open<S: Carrier + Transport + 'static>(
    gateway: &Gateway,
    https: &Arc<ClientConfig>,
    socket: S,
) -> Result<BoxedCarrier, DialError> {
    if !gateway.secure {
        return upgrade(gateway, socket).await;
    }
    let host = &gateway.host;
    let untrusted = |error| DialError::Tls { host: host.clone(), error };
    let name = host.clone().try_into().map_err(|error| untrusted(std::io::Error::other(error)))?;
    let stream = TlsStream::connect(socket, https.clone(), name, None).await;
    let stream = stream.map_err(|error| untrusted(error.into()))?;
    upgrade(gateway, stream).await
}

async fn upgrade<S>(gateway: &Gateway, stream: S) -> Result<BoxedCarrier, DialError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let offer = Token::new(SUBPROTOCOL).into_iter().collect();
    let handshake = ClientHandshake::http1(Nonce::new(rand::random()), offer, Vec::new());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let path = gateway.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).body(Empty::<Bytes>::new())?;
    let authority = gateway.uri.authority().map_or("", |authority| authority.as_str());
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(http::Error::from)?);
    // Firewalls refuse requests without one.
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("wicketgate/", env!("CARGO_PKG_VERSION"))));
    handshake.write(headers);
    let mut response = sender.send_request(request).await?;
    let on_upgrade = hyper::upgrade::on(&mut response);
    let (parts, _) = response.into_parts();
    let agreed = handshake.verify(&parts)?;
    if agreed.subprotocol.is_none() {
        return Err(DialError::Subprotocol);
    }
    let upgraded = on_upgrade.await?;
    Ok(match upgraded.downcast::<TokioIo<S>>() {
        Ok(parts) => Box::new(WebSocketPipe::new(parts.io.into_inner(), Role::Client, &parts.read_buf)),
        Err(upgraded) => Box::new(WebSocketPipe::new(TokioIo::new(upgraded), Role::Client, &Bytes::new())),
    })
}
