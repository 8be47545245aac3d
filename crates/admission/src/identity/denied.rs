//! Why a credential does not prove an identity.

use http::StatusCode;

/// Why a credential does not prove an identity. The text is for the log and names no part of the credential; the peer is
/// told the status alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is none.
    #[error("no credential")]
    Missing,
    /// It stands in the request more than once, so that two readers could take different ones.
    #[error("more than one credential in the same place")]
    Duplicate,
    /// It is not of the form that the method reads, or longer than it may be.
    #[error("malformed credential: {0}")]
    Malformed(&'static str),
    /// It is signed by an algorithm that the method does not take, or that is not its key's.
    #[error("the credential's algorithm is not accepted")]
    Algorithm,
    /// Its key is not among the issuer's.
    #[error("the credential's key is not known")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the credential's signature is wrong")]
    Signature,
    /// It has expired.
    #[error("the credential has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the credential is not valid yet")]
    NotYetValid,
    /// Somebody else issued it.
    #[error("the credential is another issuer's")]
    Issuer,
    /// It is for somebody else.
    #[error("the credential is for another audience")]
    Audience,
    /// A claim without which no credential is good is not there, or not as it has to be.
    #[error("the credential's claim `{0}` is not as required")]
    Claim(String),
    /// It is good, and lacks a scope or claim that the route's method asks for.
    #[error("the credential's claim `{0}` does not suffice")]
    Insufficient(String),
    /// The issuer, or whoever was asked, does not stand behind it (any more).
    #[error("the credential is not active")]
    Inactive,
    /// It was revoked.
    #[error("the credential was revoked")]
    Revoked,
    /// It was used before, and may be used once.
    #[error("the credential was used before")]
    Replayed,
    /// Whoever has to be asked gives no answer, and nothing known serves in its place.
    #[error("the identity provider is not available: {0}")]
    Unavailable(String),
}

impl Denied {
    /// The status that answers it: 401 where the credential is not good, 403 where it is and does not suffice (RFC 6750
    /// section 3.1), 503 where ours to ask is not there.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Insufficient(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// What the answer's `WWW-Authenticate` says (RFC 9110 section 11.6.1, RFC 6750 section 3): whether there was a
    /// credential and whether it was a good one, and nothing of what is wrong with it.
    pub const fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("Bearer"),
            Self::Unavailable(_) => None,
            Self::Insufficient(_) => Some("Bearer error=\"insufficient_scope\""),
            _ => Some("Bearer error=\"invalid_token\""),
        }
    }

    /// A stable word for metrics, logs and audit events.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Missing => "credential_missing",
            Self::Duplicate => "credential_duplicate",
            Self::Malformed(_) => "credential_malformed",
            Self::Algorithm => "credential_algorithm",
            Self::UnknownKey => "credential_unknown_key",
            Self::Signature => "credential_signature",
            Self::Expired => "credential_expired",
            Self::NotYetValid => "credential_not_yet_valid",
            Self::Issuer => "credential_issuer",
            Self::Audience => "credential_audience",
            Self::Claim(_) => "credential_claim",
            Self::Insufficient(_) => "credential_insufficient",
            Self::Inactive => "credential_inactive",
            Self::Revoked => "credential_revoked",
            Self::Replayed => "credential_replayed",
            Self::Unavailable(_) => "provider_unavailable",
        }
    }
}
