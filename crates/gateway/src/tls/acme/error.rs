//! Why no certificate came, and what to do about it.

use std::io;

/// Why no certificate came. The text names no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority refuses, or cannot be reached.
    #[error(transparent)]
    Authority(#[from] instant_acme::Error),
    /// The directory's own TLS cannot be set up.
    #[error("{0}")]
    Trust(String),
    /// The authority does not offer the configured challenge for a name.
    #[error("the authority does not offer the challenge {challenge} for {name}")]
    NoChallenge { challenge: &'static str, name: String },
    /// The authority could not see the proof.
    #[error("the names were not proven: {0}")]
    NotProven(String),
    /// A certificate or key that cannot be made or used.
    #[error("{0}")]
    Certificate(String),
    /// The folder.
    #[error("in the storage: {0}")]
    Storage(#[from] io::Error),
    /// The authority took too long.
    #[error("no certificate after {0} s")]
    TimedOut(u64),
}

impl AcmeError {
    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        use instant_acme::Error::Api;
        match self {
            Self::Authority(Api(problem)) => match problem.r#type.as_deref() {
                Some("urn:ietf:params:acme:error:rateLimited") => {
                    "wait: it is tried again by itself, ever more rarely"
                }
                Some("urn:ietf:params:acme:error:rejectedIdentifier") => {
                    "the authority issues nothing for this name: remove it from `domains`"
                }
                Some("urn:ietf:params:acme:error:invalidContact") => "correct `contact`",
                _ => "see what the authority says; its status page may tell more",
            },
            Self::Authority(_) | Self::TimedOut(_) => {
                "check `directory`, `ca` and that this machine reaches the authority"
            }
            Self::Trust(_) => "give the PEM file of the authority's issuer as `ca`",
            Self::NoChallenge { .. } => "configure the other `challenge`",
            Self::NotProven(_) => {
                "let the names point here, and let port 443 (tls-alpn-01) or port 80 (http-01) reach this gateway from everywhere"
            }
            Self::Certificate(_) => "see what the authority issued; report it if it looks right",
            Self::Storage(_) => {
                "let this service's user write to the folder `storage`, and see that its disk is not full"
            }
        }
    }
}

impl From<rcgen::Error> for AcmeError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for AcmeError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
