//! Who may connect: a request goes in, an [`Admitted`] comes out, and only that can reach an upstream.

use http::StatusCode;
use http::request::Parts;
use wicketgate_wire::handshake::{HandshakeError, Upgrade, is_upgrade_attempt, read_upgrade};

/// Proof that a request passed every check. Dialling an upstream asks for one.
#[derive(Debug)]
pub struct Admitted {
    upgrade: Option<Upgrade>,
}

impl Admitted {
    /// The WebSocket that was asked for; `None` for plain HTTP.
    pub const fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }
}

/// Why a request does not pass.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It wants another protocol and breaks the rules of the WebSocket handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

impl Refusal {
    /// The status that answers it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Handshake(error) => error.status(),
        }
    }

    /// A stable word for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Handshake(error) => error.label(),
        }
    }
}

/// Judges a request; `http2_protocol` is the `:protocol` of an extended CONNECT.
///
/// # Errors
/// A request that wants another protocol than HTTP and is not a flawless WebSocket handshake.
pub fn admit(parts: &Parts, http2_protocol: Option<&str>) -> Result<Admitted, Refusal> {
    let upgrade = match is_upgrade_attempt(parts, http2_protocol) {
        true => Some(read_upgrade(parts, http2_protocol)?),
        false => None,
    };
    Ok(Admitted { upgrade })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn plain_requests_pass_and_other_upgrades_do_not() {
        assert!(admit(&parts(&[("host", "a")]), None).unwrap().upgrade().is_none());
        let h2c = parts(&[("host", "a"), ("connection", "upgrade"), ("upgrade", "h2c")]);
        assert_eq!(admit(&h2c, None).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_flawless_handshake_passes() {
        let handshake = parts(&[
            ("host", "a"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        assert!(admit(&handshake, None).unwrap().upgrade().is_some());
    }
}
