//! What is wrong with a file of certificates, keys or revocations.

use std::fmt;

/// What is wrong with a certificate, its key, or another file of that kind, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFault {
    /// Whether the key's file is at fault, not the certificate's.
    pub in_key: bool,
    /// What is wrong, with the file's name.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl CertificateFault {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { in_key: false, what: what.into(), help: help.into() }
    }

    pub(super) fn in_key(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { in_key: true, ..Self::new(what, help) }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.help)
    }
}
