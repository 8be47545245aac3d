//! A client's request to open a WebSocket, judged, and our answer to it.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use super::error::{AnswerError, HandshakeError};
use super::extension::{self, Extension};
use super::headers::nominated;
use super::key::{self, Accept};
use super::tokens::Token;
use super::{PROTOCOL, VERSION, client, subprotocol};

/// A request that keeps every rule of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// How the request came.
    pub transport: Transport,
    /// The subprotocols that the client offers, in its order.
    pub subprotocols: Vec<Token>,
    /// The extensions that the client offers, in its order.
    pub extensions: Vec<Extension>,
}

/// What carries the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// RFC 6455: the connection becomes the WebSocket. Holds the proof that we have read the key.
    Http1(Accept),
    /// RFC 8441: one stream of an HTTP/2 connection becomes the WebSocket.
    Http2,
}

impl Upgrade {
    /// The answer that opens the WebSocket: 101, or 200 over HTTP/2.
    ///
    /// What was not offered cannot be answered.
    pub fn answer(
        &self,
        subprotocol: Option<&Token>,
        extensions: &[Extension],
    ) -> Result<Response<()>, AnswerError> {
        client::check_offered(subprotocol, &self.subprotocols, extensions, &self.extensions)?;
        let mut answer = Response::new(());
        if let Transport::Http1(accept) = &self.transport {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = answer.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept.header_value());
        }
        let chosen = subprotocol.map(std::slice::from_ref).unwrap_or_default();
        if let Some(value) = subprotocol::header_value(chosen) {
            answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(value) = extension::header_value(extensions) {
            answer.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        Ok(answer)
    }
}

/// Whether a request wants another protocol than the one that it came in. Such a request is a WebSocket by
/// [`read_upgrade`] or it is refused; it is never plain HTTP.
///
/// `http2_protocol` is the `:protocol` of an extended CONNECT.
pub fn is_upgrade_attempt(parts: &Parts, http2_protocol: Option<&str>) -> bool {
    http2_protocol.is_some()
        || parts.headers.contains_key(UPGRADE)
        || parts.headers.contains_key(SEC_WEBSOCKET_KEY)
        || parts.headers.contains_key(HTTP2_SETTINGS)
}

/// Judges a request to open a WebSocket.
///
/// `http2_protocol` is the `:protocol` of an extended CONNECT.
pub fn read_upgrade(parts: &Parts, http2_protocol: Option<&str>) -> Result<Upgrade, HandshakeError> {
    let headers = &parts.headers;
    let transport = match parts.version {
        Version::HTTP_11 => {
            check_http1(parts)?;
            check_version(headers)?;
            Transport::Http1(read_key(headers)?)
        }
        Version::HTTP_2 => {
            check_http2(parts, http2_protocol)?;
            check_version(headers)?;
            // RFC 8441 section 5: the key is not processed. Some clients send one all the same.
            Transport::Http2
        }
        _ => return Err(HandshakeError::HttpVersion),
    };
    Ok(Upgrade {
        transport,
        subprotocols: subprotocol::parse(headers.get_all(SEC_WEBSOCKET_PROTOCOL), &subprotocol::BOUNDS)
            .map_err(HandshakeError::Subprotocols)?,
        extensions: extension::parse(headers.get_all(SEC_WEBSOCKET_EXTENSIONS), &extension::BOUNDS)
            .map_err(HandshakeError::Extensions)?,
    })
}

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// RFC 6455 section 4.2.1, items 1 to 4, and that nothing else hides in the request.
fn check_http1(parts: &Parts) -> Result<(), HandshakeError> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        return Err(HandshakeError::Method);
    }
    let host =
        only(headers, &HOST).ok().flatten().filter(|host| !host.is_empty()).ok_or(HandshakeError::Host)?;
    check_authority(parts, host)?;
    if headers.contains_key(HTTP2_SETTINGS) {
        return Err(HandshakeError::Http2Settings);
    }
    match only(headers, &UPGRADE) {
        Ok(Some(value)) if is_websocket(value) => {}
        Ok(None) => return Err(HandshakeError::UpgradeMissing),
        _ => return Err(HandshakeError::UpgradeToken),
    }
    if !nominated(headers)?.contains(&UPGRADE) {
        return Err(HandshakeError::ConnectionWithoutUpgrade);
    }
    check_no_body(headers)
}

/// RFC 8441 section 4.
fn check_http2(parts: &Parts, protocol: Option<&str>) -> Result<(), HandshakeError> {
    let headers = &parts.headers;
    let Some(protocol) = protocol.filter(|_| parts.method == Method::CONNECT) else {
        return Err(HandshakeError::NotExtendedConnect);
    };
    if protocol != PROTOCOL {
        return Err(HandshakeError::ConnectProtocol);
    }
    // RFC 9113 section 8.2.2.
    if [CONNECTION, UPGRADE, TRANSFER_ENCODING, HTTP2_SETTINGS].iter().any(|name| headers.contains_key(name))
    {
        return Err(HandshakeError::ConnectionHeader);
    }
    if parts.uri.authority().is_none() {
        return Err(HandshakeError::Host);
    }
    if let Some(host) = only(headers, &HOST).map_err(|_| HandshakeError::Host)? {
        check_authority(parts, host)?;
    }
    check_no_body(headers)
}

/// A target that names its authority and a `Host` must agree (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
fn check_authority(parts: &Parts, host: &HeaderValue) -> Result<(), HandshakeError> {
    match parts.uri.authority() {
        Some(authority) if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            Err(HandshakeError::HostMismatch)
        }
        _ => Ok(()),
    }
}

/// Bytes that another parser takes for a body would be frames to us.
fn check_no_body(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let empty = headers.get_all(CONTENT_LENGTH).iter().all(|length| length == "0");
    if empty && !headers.contains_key(TRANSFER_ENCODING) { Ok(()) } else { Err(HandshakeError::Body) }
}

fn check_version(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let version = only(headers, &SEC_WEBSOCKET_VERSION).map_err(|_| HandshakeError::VersionTwice)?;
    match version {
        None => Err(HandshakeError::VersionMissing),
        Some(version) if version == VERSION => Ok(()),
        Some(_) => Err(HandshakeError::Version),
    }
}

fn read_key(headers: &HeaderMap) -> Result<Accept, HandshakeError> {
    let key = only(headers, &SEC_WEBSOCKET_KEY).map_err(|_| HandshakeError::KeyTwice)?;
    let key = key.ok_or(HandshakeError::KeyMissing)?.as_bytes();
    if key::is_key(key) { Ok(key::accept_for(key)) } else { Err(HandshakeError::Key) }
}

pub(super) fn is_websocket(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes())
}

/// More than one line of a header that may stand once.
pub(super) struct Twice;

/// The one line of a header that may stand once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Twice> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next();
    if lines.next().is_some() { Err(Twice) } else { Ok(first) }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
