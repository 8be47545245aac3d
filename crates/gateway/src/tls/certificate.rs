//! A certificate with its key, read from PEM files and checked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::sign::CertifiedKey;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fault::CertificateFault;
use super::pem::{read_chain, read_key};
use super::provider;

/// A certificate chain and its private key, each in a PEM file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCertificate {
    /// PEM file with the certificate chain, the server's own certificate first.
    pub cert: At<PathBuf>,
    /// PEM file with its private key (PKCS#8, PKCS#1 or SEC1), not encrypted.
    pub key: At<PathBuf>,
}

/// Where a certificate and its key stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM file with the chain.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// A certificate ready to be used.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) certified: std::sync::Arc<CertifiedKey>,
    /// DNS names it is valid for, in lower case; a wildcard with its `*.`.
    pub(super) names: Vec<String>,
    /// Seconds since 1970 from which on it is valid.
    not_before: i64,
    /// Seconds since 1970 until which it is valid.
    not_after: i64,
}

/// A certificate that ends sooner is told about, unless its whole life is shorter than three of these.
const SOON: i64 = 14 * 86_400;

impl RawCertificate {
    /// Loads the pair; what is wrong goes to `problems`, with the place of the file's name.
    pub(super) fn check(self, problems: &mut Problems) -> Option<(CertificateFiles, Certificate)> {
        let files = CertificateFiles { cert: self.cert.value, key: self.key.value };
        warn_of_open_key(&files.key, self.key.place, problems);
        match Certificate::load(&files) {
            Ok(certificate) => {
                if let Some((what, help)) = certificate.unwise(&files.cert) {
                    problems.warning(self.cert.place, what, help);
                }
                Some((files, certificate))
            }
            Err(fault) => {
                let place = if fault.in_key { self.key.place } else { self.cert.place };
                problems.error(place, fault.what, fault.help);
                None
            }
        }
    }
}

impl Certificate {
    /// Reads both files and checks that they belong together and name somebody.
    pub(super) fn load(files: &CertificateFiles) -> Result<Self, CertificateFault> {
        let chain = read_chain(&files.cert)?;
        let key = read_key(&files.key, &provider())?;
        let fault = |what: String, help: &str| CertificateFault::new(what, help);
        let shown = files.cert.display();
        let parsed = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let Some((_, leaf)) = parsed else {
            return Err(fault(
                format!("`{shown}` holds a certificate that cannot be parsed"),
                "look at it with `openssl x509 -text -in FILE`, and have it issued anew",
            ));
        };
        let (named, names) = subject_names(&leaf);
        if !named {
            return Err(fault(
                format!("the certificate in `{shown}` has no subject alternative name"),
                "clients ignore the common name: have it issued with subjectAltName",
            ));
        }
        let (not_before, not_after) =
            (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
        let certified = CertifiedKey::new(chain, key);
        if let Err(error) = certified.keys_match() {
            return Err(CertificateFault::in_key(
                format!(
                    "the key in `{}` does not belong to the certificate in `{shown}` ({error})",
                    files.key.display()
                ),
                "give the key with which this certificate was requested; `openssl pkey -pubout` and `openssl x509 -pubkey -noout` must agree",
            ));
        }
        Ok(Self { certified: certified.into(), names, not_before, not_after })
    }

    /// From when until when it is valid, since 1970.
    pub(super) fn validity(&self) -> (Duration, Duration) {
        let since = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        (since(self.not_before), since(self.not_after))
    }

    /// How long it is still valid.
    pub(super) fn remaining(&self) -> Duration {
        self.validity().1.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// What is doubtful about its dates, and what to do.
    pub(super) fn unwise(&self, file: &Path) -> Option<(String, &'static str)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
        let (what, help) = if now > self.not_after {
            ("has expired", "renew it: clients refuse it")
        } else if self.not_after.saturating_sub(now)
            < SOON.min(self.not_after.saturating_sub(self.not_before) / 3)
        {
            let days = self.remaining().as_secs() / 86_400;
            let help = "renew it, and see why that did not happen by itself";
            return Some((format!("the certificate in `{}` expires in {days} days", file.display()), help));
        } else if now < self.not_before {
            ("is not valid yet", "wait, or set this machine's clock right: clients refuse it")
        } else {
            return None;
        };
        Some((format!("the certificate in `{}` {what}", file.display()), help))
    }
}

/// Whether the certificate names anything, and the DNS names among it, in lower case.
fn subject_names(leaf: &X509Certificate<'_>) -> (bool, Vec<String>) {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else {
        return (false, Vec::new());
    };
    let all = &extension.value.general_names;
    let names = all.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    (!all.is_empty(), names.collect())
}

fn warn_of_open_key(path: &Path, place: wicketgate_config::Place, problems: &mut Problems) {
    let open = fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o007 != 0);
    if open {
        problems.warning(
            place,
            format!("every user of this machine can reach the private key `{}`", path.display()),
            "take their permission away: chmod o-rwx, or 0600",
        );
    }
}
