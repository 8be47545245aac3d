//! Why no carrier came about.

use std::io;
use std::time::Duration;

use wicketgate_wire::handshake::AnswerError;

use super::proxy::ProxyError;
use super::websocket::SUBPROTOCOL;

/// Why no carrier came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection.
    #[error("{host}:{port} cannot be reached: {error}")]
    Connect {
        /// Whom we asked.
        host: String,
        /// At which port.
        port: u16,
        /// What failed.
        error: io::Error,
    },
    /// None through the proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// TLS with whatever stands in front of the gateway failed; over carrier `tls`, with the gateway itself.
    #[error("TLS with {host} failed: {error}")]
    Tls {
        /// Whom we asked.
        host: String,
        /// What failed.
        error: io::Error,
    },
    /// Who answers TLS speaks something else than carriers.
    #[error("{host} answers TLS, but no carrier of a gateway")]
    NoCarrier {
        /// Whom we asked.
        host: String,
    },
    /// The exchange broke off.
    #[error("the request for a WebSocket failed: {0}")]
    Exchange(#[from] hyper::Error),
    /// Not a WebSocket.
    #[error("no WebSocket was opened: {0}")]
    Answer(#[from] AnswerError),
    /// A WebSocket, but not of a gateway.
    #[error("the WebSocket that was opened is none of a gateway: `{SUBPROTOCOL}` was not agreed to")]
    Subprotocol,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The URL cannot be asked for.
    #[error("the URL cannot be asked for: {0}")]
    Url(#[from] http::Error),
}
