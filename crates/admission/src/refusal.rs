//! Why a request is not admitted: one variant a reason, one match that gives its status and label.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use wicketgate_wire::handshake::HandshakeError;

use super::identity::ticket::NoTicket;
use super::identity::{Denied, Identity};

/// Why a request is not admitted. The text is for the log; the peer is told the status alone.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It wants another protocol and breaks the rules of the WebSocket handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// A trusted proxy's word about the client cannot be read.
    #[error("a trusted proxy's header about the client: {0}")]
    Forwarded(&'static str),
    /// The client's network may not use the route.
    #[error("the client's network may not use this route")]
    Network,
    /// The client's side is not TLS, and has to be.
    #[error("TLS is required")]
    TlsRequired,
    /// The client's side is not TLS, and is told where it could be.
    #[error("TLS is required, and the client is sent there")]
    TlsRedirect(HeaderValue),
    /// A page of another origin asks.
    #[error("the origin is not among those allowed")]
    Origin,
    /// An origin is required, and there is none.
    #[error("an origin is required")]
    NoOrigin,
    /// A rule of the route's refuses the request.
    #[error("rule {0} refuses the request")]
    Rule(u64),
    /// To ask the route's rules about the request takes more than is allowed.
    #[error("the rules want more of the request than is allowed")]
    RuleBudget,
    /// It proves no identity.
    #[error(transparent)]
    Identity(#[from] Denied),
    /// Who asks may not use the route.
    #[error("not authorised")]
    Forbidden,
    /// Whether who asks may use the route cannot be told.
    #[error("the authorization cannot be evaluated: {0}")]
    Authorization(String),
    /// There is no ticket, now or ever.
    #[error(transparent)]
    Ticket(#[from] NoTicket),
    /// A limit is reached.
    #[error("limit reached: {limit}")]
    Limit {
        /// Which one, as metrics and logs name it.
        limit: &'static str,
        /// When another try may succeed.
        retry_after: Duration,
        /// Whether the limit is that of the gateway or route as a whole, and not the client's own.
        everybody: bool,
    },
}

/// A request that is not admitted: why, and whose it is where that was proved before.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}")]
pub struct Rejected {
    /// Why.
    pub refusal: Refusal,
    /// Who asks. Only a check behind that of the identity knows.
    pub identity: Option<Arc<Identity>>,
}

impl<R: Into<Refusal>> From<R> for Rejected {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), identity: None }
    }
}

impl Refusal {
    /// The status that answers it.
    pub fn status(&self) -> StatusCode {
        self.consequence().0
    }

    /// A stable word for metrics, logs and audit events.
    pub fn label(&self) -> &'static str {
        self.consequence().1
    }

    /// When another try may succeed, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limit { retry_after, .. } | Self::Ticket(NoTicket::Full { retry_after, .. }) => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// What `WWW-Authenticate` says, where another credential could help.
    pub const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Identity(denied) => denied.challenge(),
            _ => None,
        }
    }

    fn consequence(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Handshake(error) => (error.status(), error.label()),
            Self::Forwarded(_) => (StatusCode::BAD_REQUEST, "forwarded_malformed"),
            Self::Network => (StatusCode::FORBIDDEN, "network"),
            Self::TlsRequired => (StatusCode::FORBIDDEN, "tls_required"),
            Self::TlsRedirect(_) => (StatusCode::PERMANENT_REDIRECT, "tls_redirect"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin"),
            Self::NoOrigin => (StatusCode::FORBIDDEN, "origin_missing"),
            Self::Rule(_) => (StatusCode::FORBIDDEN, "crs"),
            Self::RuleBudget => (StatusCode::FORBIDDEN, "crs_budget"),
            Self::Identity(denied) => (denied.status(), denied.label()),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Authorization(_) => (StatusCode::FORBIDDEN, "authorization_error"),
            Self::Ticket(NoTicket::Full { everybody: false, .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, "tickets")
            }
            Self::Ticket(NoTicket::Full { everybody: true, .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "tickets")
            }
            Self::Ticket(NoTicket::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "ticket_size"),
            Self::Ticket(NoTicket::NoRandomness) => (StatusCode::SERVICE_UNAVAILABLE, "ticket_randomness"),
            Self::Limit { limit, everybody: false, .. } => (StatusCode::TOO_MANY_REQUESTS, limit),
            Self::Limit { limit, everybody: true, .. } => (StatusCode::SERVICE_UNAVAILABLE, limit),
        }
    }
}
