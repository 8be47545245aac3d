//! What whoever joins and the authority say to each other; the gateway passes it on.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest message of whoever joins, in bytes.
pub const MAX_JOIN: usize = 4 << 10;
/// The longest answer, in bytes.
pub(crate) const MAX_ANSWER: usize = 16 << 10;

/// Asks for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// Which token is meant.
    pub token: Blob,
    /// A request for a certificate (PKCS #10): of what it says, the key alone counts.
    pub request: Blob,
    /// The MAC of both, by the token's key.
    pub mac: Blob,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinAnswer {
    /// A certificate, in PEM.
    Issued(String),
    /// None.
    Refused {
        /// Why.
        reason: JoinRefusal,
        /// The same for people.
        text: String,
    },
}

/// Why there is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum JoinRefusal {
    /// The authority knows no such token, or it is another's, was used, or the request is not the one it was shown with.
    #[error("token")]
    Token,
    /// The token has expired.
    #[error("expired")]
    Expired,
    /// No authority is connected to the gateway.
    #[error("no_authority")]
    NoAuthority,
    /// The gateway lets nobody join.
    #[error("off")]
    Off,
    /// A limit.
    #[error("limit")]
    Limit,
    /// It took too long.
    #[error("late")]
    Late,
    /// It makes no sense.
    #[error("request")]
    Request,
    /// The authority cannot issue now.
    #[error("failed")]
    Failed,
}

impl JoinAnswer {
    /// No, and why.
    pub(crate) fn no(reason: JoinRefusal, text: impl Into<String>) -> Self {
        Self::Refused { reason, text: text.into() }
    }
}

/// Bytes, which are text in messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
