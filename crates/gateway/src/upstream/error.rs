//! What can go wrong between the gateway and an upstream: one variant a cause, one match for its consequences.

use std::io;

use http::StatusCode;
use wicketgate_wire::handshake::AnswerError;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client sent what could not be passed on.
    Client,
    /// The upstream did not answer, or answered wrongly.
    Upstream,
    /// A limit of the gateway's own configuration.
    Gateway,
}

/// Why an upstream gave no usable answer. The text is for the log; a client is told [`UpstreamError::status`] only.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Every target is down or ejected.
    #[error("no target is healthy")]
    NoHealthyTarget,
    /// Every usable target has as much open as `limits` allows.
    #[error("every target has reached its limit of open sessions")]
    Saturated,
    /// The target's name did not resolve.
    #[error("name of the target does not resolve: {0}")]
    Resolve(String),
    /// The target refused the connection.
    #[error("connection refused: {0}")]
    Refused(io::Error),
    /// The target could not be reached for another reason.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// No connection within `timeouts.connect`.
    #[error("no connection within the connect timeout")]
    ConnectTimeout,
    /// The TLS handshake failed: certificate, name or protocol.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// No TLS, HTTP/2 or WebSocket handshake within `timeouts.handshake`.
    #[error("no complete handshake within the handshake timeout")]
    HandshakeTimeout,
    /// No response head within `timeouts.response`.
    #[error("no response within the response timeout")]
    ResponseTimeout,
    /// A response body paused for longer than `timeouts.stall`.
    #[error("response body stalled")]
    BodyStalled,
    /// The connection ended before an answer was complete.
    #[error("connection ended before the answer was complete")]
    ClosedEarly,
    /// Reading or writing failed.
    #[error("connection failed: {0}")]
    Io(io::Error),
    /// The response head is larger than `limits.response_head`.
    #[error("response head is larger than its limit")]
    HeadTooLarge,
    /// The response head is no HTTP/1.1.
    #[error("response head is malformed: {0}")]
    MalformedHead(String),
    /// An upgrade was asked for and answered with success, but without an upgrade (RFC 9931).
    #[error("upgrade answered with {0}")]
    NotUpgraded(StatusCode),
    /// A 101 came where no upgrade was asked for.
    #[error("101 to a request that asked for no upgrade")]
    UnexpectedUpgrade,
    /// The answer to the WebSocket handshake breaks RFC 6455 or RFC 8441.
    #[error("bad WebSocket handshake: {0}")]
    BadHandshake(AnswerError),
    /// HTTP/2 is configured, and the target does not speak it.
    #[error("target did not agree to HTTP/2")]
    NoHttp2,
    /// The target's SETTINGS do not allow the extended CONNECT of RFC 8441.
    #[error("target does not take extended CONNECT (RFC 8441)")]
    NoExtendedConnect,
    /// HTTP/1.1 exchange failed.
    #[error("HTTP/1.1 exchange failed: {0}")]
    Http1(hyper::Error),
    /// HTTP/2 exchange failed.
    #[error("HTTP/2 exchange failed: {0}")]
    Http2(h2::Error),
    /// The request's own body ended in an error.
    #[error("request body failed: {0}")]
    RequestBody(String),
    /// The request cannot be written for this protocol.
    #[error("request cannot be sent: {0}")]
    Request(String),
}

impl UpstreamError {
    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        self.consequence().0
    }

    /// The value of metric labels and of the access log's reason.
    pub fn label(&self) -> &'static str {
        self.consequence().1
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        self.consequence().2
    }

    fn consequence(&self) -> (StatusCode, &'static str, Blame) {
        use Blame::{Client, Gateway, Upstream};
        const BAD: StatusCode = StatusCode::BAD_GATEWAY;
        const LATE: StatusCode = StatusCode::GATEWAY_TIMEOUT;
        const NONE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::NoHealthyTarget => (NONE, "no_healthy_target", Upstream),
            Self::Saturated => (NONE, "saturated", Gateway),
            Self::Resolve(_) => (BAD, "dns", Upstream),
            Self::Refused(_) => (BAD, "refused", Upstream),
            Self::Unreachable(_) => (BAD, "unreachable", Upstream),
            Self::ConnectTimeout => (LATE, "connect_timeout", Upstream),
            Self::Tls(_) => (BAD, "tls", Upstream),
            Self::HandshakeTimeout => (LATE, "handshake_timeout", Upstream),
            Self::ResponseTimeout => (LATE, "response_timeout", Upstream),
            Self::BodyStalled => (LATE, "body_stalled", Upstream),
            Self::ClosedEarly => (BAD, "closed_early", Upstream),
            Self::Io(_) => (BAD, "io", Upstream),
            Self::HeadTooLarge => (BAD, "head_too_large", Upstream),
            Self::MalformedHead(_) => (BAD, "malformed_head", Upstream),
            Self::NotUpgraded(_) => (BAD, "not_upgraded", Upstream),
            Self::UnexpectedUpgrade => (BAD, "unexpected_upgrade", Upstream),
            Self::BadHandshake(_) => (BAD, "bad_handshake", Upstream),
            Self::NoHttp2 => (BAD, "no_http2", Upstream),
            Self::NoExtendedConnect => (BAD, "no_extended_connect", Upstream),
            Self::Http1(_) => (BAD, "http1", Upstream),
            Self::Http2(_) => (BAD, "http2", Upstream),
            Self::RequestBody(_) => (StatusCode::BAD_REQUEST, "request_body", Client),
            Self::Request(_) => (StatusCode::BAD_REQUEST, "request", Client),
        }
    }
}
