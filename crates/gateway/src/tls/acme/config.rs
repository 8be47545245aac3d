//! Certificates by ACME, as configured on a listener.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::DnsName;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

use crate::tls::pem::read_authorities;

/// A certificate that is ordered from an authority by ACME (RFC 8555), kept in a folder, and renewed before it expires.
///
/// Until the first one is there, TLS handshakes for its names fail. Whoever configures this agrees to the authority's terms of
/// service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAcme {
    /// The URL of the authority's directory. Default: Let's Encrypt's.
    #[serde(default = "lets_encrypt")]
    pub directory: At<String>,
    /// Mail addresses at which the authority can reach you.
    #[serde(default)]
    pub contact: Vec<At<String>>,
    /// The names that the certificate is for, 1 to 100. The authority must be able to reach this gateway at each of them.
    pub domains: At<Vec<At<String>>>,
    /// The folder where the account and the certificate are kept, readable by this service alone; made if it is not
    /// there. Listeners may share one.
    pub storage: At<PathBuf>,
    /// How the names are proven: `tls-alpn-01` (default) on this listener, which the authority reaches at port 443, or
    /// `http-01` on any plain listener, which it reaches at port 80.
    #[serde(default)]
    pub challenge: At<ChallengeKind>,
    /// PEM file with the authorities to trust for the directory's own TLS, instead of the system's.
    #[serde(default)]
    pub ca: Option<At<PathBuf>>,
    /// How long before its end a certificate is renewed. Default: `30d`, and at most a third of the time for which it is valid.
    #[serde(default = "thirty_days")]
    pub renew_before: At<Time>,
}

/// How names are proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ChallengeKind {
    /// By a file at a known path, over plain HTTP (RFC 8555 section 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// By a certificate shown in a TLS handshake (RFC 8737).
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

fn lets_encrypt() -> At<String> {
    At::nowhere("https://acme-v02.api.letsencrypt.org/directory".into())
}

fn thirty_days() -> At<Time> {
    At::nowhere(Time(Duration::from_secs(30 * 86_400)))
}

/// Certificates by ACME, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeConfig {
    /// The URL of the authority's directory.
    pub directory: String,
    /// How the authority can reach the operator: `mailto:` URLs.
    pub contact: Vec<String>,
    /// The names that the certificate is for, in lower case, each once.
    pub domains: Vec<String>,
    /// The folder where all is kept.
    pub storage: PathBuf,
    /// How names are proven.
    pub challenge: ChallengeKind,
    /// Whom to trust for the directory's TLS; the system's authorities if absent.
    pub ca: Option<PathBuf>,
    /// How long before its end a certificate is renewed.
    pub renew_before: Duration,
}

impl RawAcme {
    /// Checks the values; what is wrong goes to `problems`, and then nothing comes back.
    pub(in crate::tls) fn check(self, problems: &mut Problems) -> Option<AcmeConfig> {
        let before = problems.iter().count();
        let uri: Option<http::Uri> = self.directory.parse().ok();
        if !uri.is_some_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some()) {
            let what = format!("`{}` is no URL of an ACME directory", self.directory.value);
            problems.error(self.directory.place, what, "write one that begins with https://");
        }
        if let Some(ca) = &self.ca
            && let Err(fault) = read_authorities(ca)
        {
            problems.error(ca.place, fault.what, fault.help);
        }
        if self.renew_before.value.0.is_zero() {
            problems.error(
                self.renew_before.place,
                "renewed when it has expired already",
                "write a time above 0",
            );
        }
        let contact = self.contact.iter().filter_map(|address| mail(address, problems)).collect();
        let domains = domains(&self.domains, problems);
        check_storage(&self.storage, problems);
        (problems.iter().skip(before).all(|problem| problem.severity != wicketgate_config::Severity::Error))
            .then(|| AcmeConfig {
                directory: self.directory.value,
                contact,
                domains,
                storage: self.storage.value,
                challenge: self.challenge.value,
                ca: self.ca.map(|ca| ca.value),
                renew_before: self.renew_before.value.0,
            })
    }
}

impl AcmeConfig {
    /// The file of the certificate, its chain and its key.
    pub fn file(&self) -> PathBuf {
        let first = self.domains.first().map(String::as_str).unwrap_or_default();
        self.storage.join(format!("{first}.pem"))
    }
}

fn mail(address: &At<String>, problems: &mut Problems) -> Option<String> {
    let bare = address.strip_prefix("mailto:").unwrap_or(address);
    let is_good = bare.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        && bare.bytes().all(|byte| byte.is_ascii_graphic() && !b",?".contains(&byte));
    if !is_good {
        let what = format!("`{}` is no mail address", address.value);
        problems.error(address.place, what, "write one, as in admin@example.com");
    }
    is_good.then(|| format!("mailto:{bare}"))
}

fn domains(raw: &At<Vec<At<String>>>, problems: &mut Problems) -> Vec<String> {
    if raw.is_empty() || raw.len() > 100 {
        problems.error(raw.place, "a certificate for no name, or for more than 100", "name 1 to 100 domains");
    }
    let mut seen = BTreeSet::new();
    for name in raw.iter() {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("*.") {
            let help =
                "name each domain, or get the certificate by another program and give it in `certificates`";
            problems.error(name.place, "a wildcard can only be proven by DNS", help);
        } else if DnsName::try_from(lower.as_str()).is_err() || !lower.contains('.') {
            let what = format!("`{}` is no domain name", name.value);
            problems.error(name.place, what, "write one, as in chat.example.com");
        } else if !seen.insert(lower) {
            problems.error(name.place, format!("`{}` stands here twice", name.value), "remove one of them");
        }
    }
    let mut names: Vec<String> = raw.iter().map(|name| name.to_ascii_lowercase()).collect();
    names.retain(|name| seen.remove(name));
    names
}

fn check_storage(storage: &At<PathBuf>, problems: &mut Problems) {
    let shown = storage.display();
    match fs::metadata(&storage.value) {
        Ok(meta) if !meta.is_dir() => {
            problems.error(storage.place, format!("`{shown}` is no folder"), "name a folder of its own");
        }
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => problems.warning(
            storage.place,
            format!("others on this machine can enter `{shown}`, where keys are kept"),
            "take their permission away: chmod 0700",
        ),
        _ => {}
    }
}
