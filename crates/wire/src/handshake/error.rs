//! Every way in which a client's request or an upstream's answer can be wrong.

use http::header::{ALLOW, CONNECTION, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::tokens::ListError;
use super::{PROTOCOL, VERSION};

/// Why a client's request to open a WebSocket is refused; the text is for the log, not for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Over HTTP/1.1 the method must be GET.
    #[error("the method is not GET")]
    Method,
    /// HTTP/1.0 and older, or a version that carries no WebSocket.
    #[error("the HTTP version carries no WebSocket")]
    HttpVersion,
    /// No `Host`, more than one, or an empty one.
    #[error("there is not exactly one Host")]
    Host,
    /// `Host` names another authority than the request target.
    #[error("Host and the request target differ")]
    HostMismatch,
    /// No `Upgrade` header at all.
    #[error("there is no Upgrade header")]
    UpgradeMissing,
    /// More than one token, or another one than `websocket`.
    #[error("Upgrade is not websocket alone")]
    UpgradeToken,
    /// `Connection` does not name `upgrade`.
    #[error("Connection does not name upgrade")]
    ConnectionWithoutUpgrade,
    /// `Connection` cannot be read.
    #[error("Connection {0}")]
    ConnectionSyntax(ListError),
    /// `Connection` would make us drop a header on which decisions rest.
    #[error("Connection names {0}, which is not its to drop")]
    ConnectionNominates(HeaderName),
    /// `HTTP2-Settings`: an attempt to switch to HTTP/2 behind our back.
    #[error("there is an HTTP2-Settings header")]
    Http2Settings,
    /// No `Sec-WebSocket-Version`.
    #[error("there is no Sec-WebSocket-Version")]
    VersionMissing,
    /// More than one `Sec-WebSocket-Version`.
    #[error("there is more than one Sec-WebSocket-Version")]
    VersionTwice,
    /// Another version than 13.
    #[error("the WebSocket version is not 13")]
    Version,
    /// No `Sec-WebSocket-Key`.
    #[error("there is no Sec-WebSocket-Key")]
    KeyMissing,
    /// More than one `Sec-WebSocket-Key`.
    #[error("there is more than one Sec-WebSocket-Key")]
    KeyTwice,
    /// The key is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
    /// A `Content-Length` other than 0, or a `Transfer-Encoding`.
    #[error("the request has a body")]
    Body,
    /// `Sec-WebSocket-Protocol` is wrong.
    #[error("Sec-WebSocket-Protocol {0}")]
    Subprotocols(ListError),
    /// `Sec-WebSocket-Extensions` is wrong.
    #[error("Sec-WebSocket-Extensions {0}")]
    Extensions(ListError),
    /// Over HTTP/2, an upgrade that is no extended CONNECT (RFC 8441 section 4).
    #[error("over HTTP/2 the request is no extended CONNECT")]
    NotExtendedConnect,
    /// An extended CONNECT for another protocol.
    #[error("the :protocol is not websocket")]
    ConnectProtocol,
    /// A header that HTTP/2 does not know: `Connection`, `Upgrade` or `Transfer-Encoding`.
    #[error("the HTTP/2 request has a connection header")]
    ConnectionHeader,
}

impl HandshakeError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::VersionMissing | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Subprotocols(ListError::TooLong | ListError::TooMany)
            | Self::Extensions(ListError::TooLong | ListError::TooMany) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            // RFC 9220 section 3, for an extended CONNECT whose protocol is unknown.
            Self::ConnectProtocol => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The metric label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::HttpVersion => "http_version",
            Self::Host => "host",
            Self::HostMismatch => "host_mismatch",
            Self::UpgradeMissing => "upgrade_missing",
            Self::UpgradeToken => "upgrade_token",
            Self::ConnectionWithoutUpgrade => "connection_without_upgrade",
            Self::ConnectionSyntax(_) => "connection_syntax",
            Self::ConnectionNominates(_) => "connection_nominates",
            Self::Http2Settings => "http2_settings",
            Self::VersionMissing => "version_missing",
            Self::VersionTwice => "version_twice",
            Self::Version => "version",
            Self::KeyMissing => "key_missing",
            Self::KeyTwice => "key_twice",
            Self::Key => "key",
            Self::Body => "body",
            Self::Subprotocols(_) => "subprotocols",
            Self::Extensions(_) => "extensions",
            Self::NotExtendedConnect => "not_extended_connect",
            Self::ConnectProtocol => "connect_protocol",
            Self::ConnectionHeader => "connection_header",
        }
    }

    /// The refusal with the headers that its status asks for (RFC 9110 sections 15.5.6 and 15.5.22).
    pub fn answer(&self) -> Response<()> {
        let mut answer = Response::new(());
        let status = self.status();
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        } else if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        }
        answer
    }
}

/// Why an upstream's answer is no WebSocket; to the client all of them are a 502.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Another status than 101, or over HTTP/2 than 200 to 299. A 200 over HTTP/1.1 is no upgrade.
    #[error("the upstream answered {0}, which opens no WebSocket")]
    Status(StatusCode),
    /// `Upgrade` is not `websocket` alone.
    #[error("the upstream's Upgrade is not websocket alone")]
    Upgrade,
    /// `Connection` does not name `upgrade`, or cannot be read.
    #[error("the upstream's Connection does not name upgrade")]
    Connection,
    /// `Sec-WebSocket-Accept` is missing, doubled or not the answer to our key.
    #[error("the upstream's Sec-WebSocket-Accept does not answer our key")]
    Accept,
    /// `Sec-WebSocket-Protocol` twice, or no single token.
    #[error("the upstream's Sec-WebSocket-Protocol is no single token")]
    SubprotocolSyntax,
    /// A subprotocol that was not offered.
    #[error("the subprotocol {0} was not offered")]
    SubprotocolNotOffered(String),
    /// `Sec-WebSocket-Extensions` twice, or it cannot be read.
    #[error("the upstream's Sec-WebSocket-Extensions {0}")]
    ExtensionSyntax(ListError),
    /// An extension that was not offered.
    #[error("the extension {0} was not offered")]
    ExtensionNotOffered(String),
}

impl AnswerError {
    /// The metric label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Upgrade => "upgrade",
            Self::Connection => "connection",
            Self::Accept => "accept",
            Self::SubprotocolSyntax => "subprotocol_syntax",
            Self::SubprotocolNotOffered(_) => "subprotocol_not_offered",
            Self::ExtensionSyntax(_) => "extension_syntax",
            Self::ExtensionNotOffered(_) => "extension_not_offered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_the_client_what_would_be_right() {
        let answer = HandshakeError::Version.answer();
        assert_eq!(answer.status(), 426);
        assert_eq!(answer.headers()[SEC_WEBSOCKET_VERSION], "13");
        assert_eq!(answer.headers()[UPGRADE], "websocket");
        assert_eq!(answer.headers()[CONNECTION], "upgrade");
        assert_eq!(HandshakeError::Method.answer().headers()[ALLOW], "GET");
        assert!(HandshakeError::Key.answer().headers().is_empty());
    }

    #[test]
    fn too_much_is_told_from_wrong() {
        assert_eq!(HandshakeError::Extensions(ListError::TooLong).status(), 431);
        assert_eq!(HandshakeError::Subprotocols(ListError::TooMany).status(), 431);
        assert_eq!(HandshakeError::Extensions(ListError::Syntax).status(), 400);
        assert_eq!(HandshakeError::ConnectProtocol.status(), 501);
    }
}
