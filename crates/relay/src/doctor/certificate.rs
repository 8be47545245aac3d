//! Who ends TLS on the way, trusted or not.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use serde::Serialize;
use wicketgate_tls::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::clean;
use crate::identity::Judged;

const DAY: i64 = 86_400;

/// What TLS shows of whoever ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Whether endpoints trust it.
    pub trusted: bool,
    /// Whom the certificate is for, cleaned.
    pub subject: String,
    /// Who has signed it, cleaned.
    pub issuer: String,
    /// Whole days until it expires; negative where it has.
    pub days_left: i64,
    /// Whole days until it is good; 0 where it is.
    #[serde(skip)]
    pub(super) days_until: i64,
    /// The version of TLS.
    pub version: String,
    /// The protocol agreed to by ALPN, if any.
    pub alpn: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, days_left, version, .. } = self;
        let alpn = self.alpn.as_deref().unwrap_or("none");
        write!(
            f,
            "TLS is ended by {subject}, issued by {issuer}, {days_left} days left; {version}, ALPN {alpn}"
        )
    }
}

/// What a connection shows; `None` for a certificate that cannot be read.
pub(super) fn shown<S>(stream: &TlsStream<S>) -> Option<Shown> {
    let state = stream.state();
    let certificate = state.peer_certificates()?.first()?;
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let days = |from: i64, to: i64| to.saturating_sub(from).div_euclid(DAY);
    let version = state.protocol_version().and_then(|version| version.as_str());
    Some(Shown {
        trusted: true,
        subject: clean::text(&parsed.subject().to_string()),
        issuer: clean::text(&parsed.issuer().to_string()),
        days_left: days(now, parsed.validity().not_after.timestamp()),
        days_until: days(now, parsed.validity().not_before.timestamp()).saturating_add(1).max(0),
        version: version.unwrap_or("TLS").replace("TLSv1_", "TLS 1."),
        alpn: state.alpn_protocol().map(clean::bytes),
    })
}

/// TLS with whoever is there, to look at; nothing of ours is said over it. `None` where TLS cannot be set up.
pub(super) fn anyone(alpn: Vec<Vec<u8>>) -> Option<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().ok()?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Judged::by(|_, _, _| Ok(()), provider))
        .with_no_client_auth();
    config.alpn_protocols = alpn;
    Some(config)
}
