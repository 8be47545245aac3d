//! Every reason for which a request is not served: its status for the peer, its word for log and metrics.

use std::time::Duration;

use http::StatusCode;
use wicketgate_admission::Refusal;
use wicketgate_admission::disclosure::Unsigned;
use wicketgate_wire::deflate::NegotiationError;
use wicketgate_wire::handshake::{AnswerError, HandshakeError};

use crate::route::{HostError, PathError};
use crate::upstream::UpstreamError;

/// Why a request is not served. The text is for the log; the peer is told the status alone.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Admission says no.
    #[error(transparent)]
    Admission(#[from] Refusal),
    /// More header lines than the listener allows.
    #[error("more header lines than allowed")]
    TooManyHeaders,
    /// None or more than one `Host`, or one that is no host.
    #[error("no usable Host: {0}")]
    Host(String),
    /// A path that two readers could take for two things.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Headers that belong to one hop cannot be told from the others.
    #[error(transparent)]
    HopByHop(HandshakeError),
    /// No route takes it.
    #[error("no route matches")]
    NoRoute,
    /// A ticket was asked for, and not for one path.
    #[error("a ticket is for one `path`, which begins with `/`")]
    TicketPath,
    /// The route takes no WebSockets.
    #[error("the route takes no WebSocket sessions")]
    NoWebSocket,
    /// The route takes nothing but WebSockets.
    #[error("the route takes only WebSocket sessions")]
    WebSocketOnly,
    /// A WebSocket for private sessions that does not speak their protocol.
    #[error("the route carries private sessions, and `wicketgate.v1` is not offered")]
    NoRelay,
    /// The method is CONNECT, but not for a WebSocket.
    #[error("this is no forward proxy")]
    Connect,
    /// The body is longer than the route allows.
    #[error("the request body is longer than the route allows")]
    BodyTooLarge,
    /// The body did not come in time.
    #[error("the request body did not come in time")]
    BodyLate,
    /// A configured header or location cannot be made out of this request.
    #[error("a configured header cannot be made out of this request")]
    Header,
    /// What the upstream is to be told of the client cannot be signed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// The gateway is going away.
    #[error("the gateway is draining")]
    Draining,
    /// The upstream gave no usable answer.
    #[error("upstream: {0}")]
    Upstream(#[from] UpstreamError),
    /// The upstream answered with what the client did not offer, or with an extension that means something else.
    #[error("upstream's answer to the handshake: {0}")]
    Answer(#[from] AnswerError),
    /// The upstream answered with terms of compression that were not offered.
    #[error("upstream's answer to the handshake: {0}")]
    Deflate(NegotiationError),
    /// The upstream's answer has headers of one hop that cannot be told from the others.
    #[error("upstream's headers: {0}")]
    AnswerHeaders(HandshakeError),
}

impl From<HostError> for Refused {
    fn from(error: HostError) -> Self {
        Self::Host(error.to_string())
    }
}

impl Refused {
    /// What the peer is told.
    pub fn status(&self) -> StatusCode {
        self.consequence().0
    }

    /// The word for log and metrics.
    pub fn label(&self) -> &'static str {
        self.consequence().1
    }

    /// Whether the gateway itself refuses the request, and not what stands behind it.
    pub fn is_ours(&self) -> bool {
        !matches!(
            self,
            Self::Draining | Self::Upstream(_) | Self::Answer(_) | Self::Deflate(_) | Self::AnswerHeaders(_)
        )
    }

    /// When another try may succeed, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Admission(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    fn consequence(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Admission(refusal) => (refusal.status(), refusal.label()),
            Self::TooManyHeaders => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers"),
            Self::Host(_) => (StatusCode::BAD_REQUEST, "host"),
            Self::Path(_) => (StatusCode::BAD_REQUEST, "path"),
            Self::HopByHop(error) => (error.status(), error.label()),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no_route"),
            Self::TicketPath => (StatusCode::BAD_REQUEST, "ticket_path"),
            Self::NoWebSocket => (StatusCode::FORBIDDEN, "no_websocket"),
            Self::WebSocketOnly => (StatusCode::UPGRADE_REQUIRED, "websocket_only"),
            Self::NoRelay => (StatusCode::BAD_REQUEST, "relay_subprotocol"),
            Self::Connect => (StatusCode::METHOD_NOT_ALLOWED, "connect"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyLate => (StatusCode::REQUEST_TIMEOUT, "body_late"),
            Self::Header => (StatusCode::BAD_REQUEST, "header"),
            Self::Unsigned(_) => (StatusCode::INTERNAL_SERVER_ERROR, "identity_unsigned"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Self::Upstream(error) => (error.status(), error.label()),
            Self::Answer(_) | Self::Deflate(_) | Self::AnswerHeaders(_) => {
                (StatusCode::BAD_GATEWAY, "bad_handshake")
            }
        }
    }
}
