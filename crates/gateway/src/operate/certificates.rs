//! The certificates that listeners show, and how long each is still valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::seconds;
use crate::gateway::Shared;
use crate::tls::ShownCertificate;

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List {
    /// In the order of the configuration.
    pub certificates: Vec<Shown>,
}

/// A certificate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// Who shows it.
    pub listener: String,
    /// The file with its chain.
    pub file: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// From when on it is valid; none while it is still to be ordered.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub not_before: Option<OffsetDateTime>,
    /// Until when it is valid.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub not_after: Option<OffsetDateTime>,
    /// Whole days that are left; negative where it has expired.
    pub days_left: Option<i64>,
}

impl Shown {
    /// That of `listener`, seen at `now`.
    pub fn of(listener: &str, certificate: ShownCertificate, now: SystemTime) -> Self {
        let moment = |since: Duration| UNIX_EPOCH.checked_add(since).map(seconds);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = |until: Duration| match until.checked_sub(now) {
            Some(left) => days(left),
            None => -days(now.saturating_sub(until)) - 1,
        };
        Self {
            listener: listener.to_owned(),
            file: certificate.file.display().to_string(),
            names: certificate.names,
            not_before: certificate.validity.and_then(|(from, _)| moment(from)),
            not_after: certificate.validity.and_then(|(_, until)| moment(until)),
            days_left: certificate.validity.map(|(_, until)| left(until)),
        }
    }
}

fn days(time: Duration) -> i64 {
    i64::try_from(time.as_secs() / 86_400).unwrap_or(i64::MAX)
}

/// All of them.
pub fn list(shared: &Shared) -> List {
    let (snapshot, now) = (shared.snapshot(), SystemTime::now());
    let shown = snapshot.certificates().iter().flat_map(|(listener, resolver)| {
        resolver.shown().into_iter().map(|certificate| Shown::of(listener, certificate, now))
    });
    List { certificates: shown.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_on_both_sides_of_the_end() {
        let now = UNIX_EPOCH + Duration::from_secs(10 * 86_400);
        let left = |until: u64| {
            let validity = Some((Duration::ZERO, Duration::from_secs(until)));
            let certificate = ShownCertificate { file: "a.pem".into(), names: vec!["a".into()], validity };
            Shown::of("l", certificate, now).days_left
        };
        assert_eq!(left(12 * 86_400 + 5), Some(2));
        assert_eq!(left(10 * 86_400), Some(0));
        assert_eq!(left(10 * 86_400 - 1), Some(-1));
        let ordered = ShownCertificate { file: "a.pem".into(), names: Vec::new(), validity: None };
        assert_eq!(Shown::of("l", ordered, now).days_left, None);
    }
}
