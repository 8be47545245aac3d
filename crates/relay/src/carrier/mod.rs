//! What a session or a control connection runs over: a byte pipe that may break at any byte.

mod dialer;
mod error;
mod exchange;
mod gateway;
pub mod keepalive;
mod lifetime;
pub mod proxy;
mod reached;
pub(crate) mod spare;
pub mod tls;
pub mod websocket;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use wicketgate_config::{At, OneOrMany, Place, Problems};
use wicketgate_tls::Transport;

pub use dialer::{Dialer, Opened};
pub use error::DialError;
pub use exchange::Standing;
pub(crate) use exchange::Turn;
pub use gateway::Gateway;
pub use keepalive::Keepalive;
pub use proxy::{Proxy, ProxyError};
pub(crate) use reached::{Reached, Socket};

/// A byte pipe in both directions.
pub trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Carrier for S {}

/// A byte pipe of whichever kind.
pub type BoxedCarrier = Box<dyn Carrier>;

/// Each is read and written by one task.
impl Transport for BoxedCarrier {}

/// A kind of carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// TLS with the gateway itself: where nothing on the way ends TLS.
    Tls,
    /// A WebSocket: through whatever ends TLS.
    WebSocket,
}

impl Kind {
    /// Its name in configurations, logs and audit events.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The kinds that are allowed; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    tls: bool,
    websocket: bool,
}

impl Kinds {
    /// Both.
    pub const ALL: Self = Self { tls: true, websocket: true };

    /// Whether this kind is allowed.
    pub const fn allows(self, kind: Kind) -> bool {
        match kind {
            Kind::Tls => self.tls,
            Kind::WebSocket => self.websocket,
        }
    }

    /// Checks a list; without one, both. What is wrong goes to `problems`.
    pub fn check(raw: Option<OneOrMany<At<Kind>>>, place: Place, problems: &mut Problems) -> Self {
        let Some(OneOrMany(named)) = raw else { return Self { tls: true, websocket: true } };
        if named.is_empty() {
            problems.error(place, "no kind of carrier is allowed", "name `tls`, `websocket`, or both");
        }
        let has = |kind| named.iter().any(|named| named.value == kind);
        Self { tls: has(Kind::Tls), websocket: has(Kind::WebSocket) }
    }
}
