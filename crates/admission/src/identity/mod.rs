//! Who a client proves to be, and how.
//!
//! Every method of proof makes an [`Identity`] out of a credential, or says why not with a [`Denied`].

pub mod api_key;
pub mod certificate;
pub mod claims;
mod denied;
pub mod external;
pub mod introspection;
pub mod jwt;
mod method;
#[cfg(test)]
mod provider_tests;
pub mod ticket;

use std::sync::Arc;
use std::time::SystemTime;

pub use certificate::ClientCertificate;
pub use denied::Denied;
pub use method::{Kind, Method, MethodConfig, Proof, RawMethod};

/// The claims of a token, or what a method knows about an identity in their place.
pub type Claims = serde_json::Map<String, serde_json::Value>;

/// Who a client proved to be, by one method.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The name of the configured method that vouches for it.
    pub method: Arc<str>,
    /// Who it is: what limits, kicks and upstreams go by. Never empty.
    pub subject: Arc<str>,
    /// The credential itself, by a name that gives nothing away: `jti`, the id of an API key, the serial of a certificate.
    pub token_id: Option<Arc<str>>,
    /// When the credential was issued.
    pub issued: Option<SystemTime>,
    /// When sessions by it end: the credential's expiry, leeway included. Never, where there is none.
    pub expires: Option<SystemTime>,
    /// What else is known.
    pub claims: Arc<Claims>,
}
