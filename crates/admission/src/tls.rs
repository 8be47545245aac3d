//! Where TLS is required on the client's side, and where plain HTTP is sent to it.

use http::request::Parts;
use http::{HeaderValue, Method};
use schemars::JsonSchema;
use serde::Deserialize;

use super::client::{Asked, Client};
use super::refusal::Refusal;

/// Whether the client's side has to be TLS. Where nothing is written, it has to be for WebSocket sessions, unless the client or
/// the listener's address is loopback or a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawTlsPolicy {
    /// Every request, whoever sends it; others are answered 403.
    Required,
    /// The same, but plain GET and HEAD are sent to `https://`, at port 443, by a 308.
    Redirect,
    /// None.
    Optional,
}

/// Whether the client's side has to be TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// For WebSocket sessions of clients that are not on this machine.
    #[default]
    Sessions,
    /// For every request.
    Required,
    /// For every request; plain GET and HEAD are sent there.
    Redirect,
    /// Never.
    Optional,
}

impl From<RawTlsPolicy> for TlsPolicy {
    fn from(raw: RawTlsPolicy) -> Self {
        match raw {
            RawTlsPolicy::Required => Self::Required,
            RawTlsPolicy::Redirect => Self::Redirect,
            RawTlsPolicy::Optional => Self::Optional,
        }
    }
}

impl TlsPolicy {
    /// Whether the client's side is as it has to be.
    ///
    /// # Errors
    /// It is not, with where to go instead.
    pub fn check(
        self,
        parts: &Parts,
        client: &Client,
        asked: Asked<'_>,
        is_upgrade: bool,
    ) -> Result<(), Refusal> {
        let is_needed = match self {
            Self::Sessions => is_upgrade && client.remote,
            Self::Required | Self::Redirect => true,
            Self::Optional => false,
        };
        if client.secure || !is_needed {
            return Ok(());
        }
        // Browsers follow no redirect of a handshake, and a body was sent in the clear already.
        let can_go =
            !is_upgrade && matches!(parts.method, Method::GET | Method::HEAD) && !asked.host.is_empty();
        match (self, can_go) {
            (Self::Redirect, true) => Err(redirect(parts, asked.host).unwrap_or(Refusal::TlsRequired)),
            _ => Err(Refusal::TlsRequired),
        }
    }
}

fn redirect(parts: &Parts, host: &str) -> Option<Refusal> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let location = HeaderValue::from_str(&format!("https://{host}{target}")).ok()?;
    Some(Refusal::TlsRedirect(location))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(
        policy: TlsPolicy,
        method: &str,
        remote: bool,
        is_upgrade: bool,
    ) -> Result<(), (u16, Option<String>)> {
        let request = http::Request::builder().method(method).uri("/a?b=c").header("host", "a.example:8080");
        let parts = request.body(()).unwrap().into_parts().0;
        let client = Client { remote, ..Client::default() };
        let asked = Asked { host: "a.example", ..Asked::default() };
        policy.check(&parts, &client, asked, is_upgrade).map_err(|refusal| {
            let location = match &refusal {
                Refusal::TlsRedirect(location) => Some(location.to_str().unwrap().to_owned()),
                _ => None,
            };
            (refusal.status().as_u16(), location)
        })
    }

    #[test]
    fn sessions_need_tls_off_this_machine() {
        assert_eq!(status(TlsPolicy::Sessions, "GET", true, true), Err((403, None)));
        assert_eq!(status(TlsPolicy::Sessions, "GET", false, true), Ok(()));
        assert_eq!(status(TlsPolicy::Sessions, "GET", true, false), Ok(()));
        assert_eq!(status(TlsPolicy::Optional, "GET", true, true), Ok(()));
    }

    #[test]
    fn whoever_can_be_sent_to_tls_is_sent_there() {
        let there = || Err((308, Some("https://a.example/a?b=c".to_owned())));
        assert_eq!(status(TlsPolicy::Redirect, "GET", false, false), there());
        assert_eq!(status(TlsPolicy::Redirect, "HEAD", true, false), there());
        assert_eq!(status(TlsPolicy::Redirect, "POST", true, false), Err((403, None)));
        assert_eq!(status(TlsPolicy::Redirect, "GET", true, true), Err((403, None)));
        assert_eq!(status(TlsPolicy::Required, "GET", false, false), Err((403, None)));
    }

    #[test]
    fn tls_is_enough() {
        let parts = http::Request::new(()).into_parts().0;
        let client = Client { secure: true, remote: true, ..Client::default() };
        for policy in [TlsPolicy::Sessions, TlsPolicy::Required, TlsPolicy::Redirect, TlsPolicy::Optional] {
            assert!(policy.check(&parts, &client, Asked::default(), true).is_ok());
        }
    }
}
