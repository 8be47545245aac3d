//! Keeps one certificate: orders it, renews it before it expires, and tries again when that fails.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::Rng as _;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::challenge::Challenges;
use super::config::AcmeConfig;
use super::error::AcmeError;
use super::{order, storage};
use crate::tls::certificate::Certificate;

/// How long one order may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The first wait after a failure, doubled by each further one,
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// The longest sleep, so that a clock that was set, or a machine that slept, is noticed.
const LOOK: Duration = Duration::from_secs(3600);

/// Keeps one certificate as long as it lives.
#[derive(Debug)]
pub struct AcmeKeeper {
    config: AcmeConfig,
    stop: CancellationToken,
}

impl AcmeKeeper {
    /// Starts to keep it, on `runtime`. Whoever watches its file sees it change.
    pub fn start(config: AcmeConfig, challenges: Arc<Challenges>, runtime: &Handle) -> Self {
        let stop = CancellationToken::new();
        let (stopped, keeping) = (stop.clone(), config.clone());
        runtime.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = keep(&keeping, &challenges) => {}
            }
        });
        Self { config, stop }
    }

    /// What it keeps.
    pub fn config(&self) -> &AcmeConfig {
        &self.config
    }
}

impl Drop for AcmeKeeper {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn keep(config: &AcmeConfig, challenges: &Arc<Challenges>) {
    let mut failures = 0;
    loop {
        let early = rand::rng().random_range(0.0..0.1);
        wait_until_due(config, early).await;
        let names = config.domains.join(", ");
        match timeout(PATIENCE, renew(config, challenges))
            .await
            .unwrap_or(Err(AcmeError::TimedOut(PATIENCE.as_secs())))
        {
            Ok(certificate) => {
                failures = 0;
                let days = certificate.remaining().as_secs() / 86_400;
                tracing::info!(names, days, "certificate obtained by ACME");
            }
            Err(error) => {
                let wait = wait_after(failures);
                failures += 1;
                tracing::error!(
                    names,
                    directory = config.directory,
                    %error,
                    help = error.help(),
                    again = ?wait,
                    "no certificate by ACME: the one before, if any, stays in use"
                );
                sleep(wait).await;
            }
        }
    }
}

async fn renew(config: &AcmeConfig, challenges: &Arc<Challenges>) -> Result<Certificate, AcmeError> {
    let pem = order::obtain(config, challenges).await?;
    storage::keep_certificate(config, &pem)
}

async fn wait_until_due(config: &AcmeConfig, early: f64) {
    loop {
        let wait = match storage::certificate(config) {
            Some(certificate) => until_due(config, &certificate, early, SystemTime::now()),
            None => Duration::ZERO,
        };
        if wait.is_zero() {
            return;
        }
        sleep(wait.min(LOOK)).await;
    }
}

/// How long a certificate is good enough. One that is for other names is not.
fn until_due(config: &AcmeConfig, certificate: &Certificate, early: f64, now: SystemTime) -> Duration {
    if !config.domains.iter().all(|name| certificate.names.contains(name))
        || certificate.names.len() != config.domains.len()
    {
        return Duration::ZERO;
    }
    let (from, until) = certificate.validity();
    let before = config.renew_before.min(until.saturating_sub(from) / 3);
    // Earlier by up to a tenth, so that certificates of one day are not renewed at one moment.
    let due = until.saturating_sub(before.mul_f64(1.0 + early));
    due.saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Half of it certain, half by chance, so that many gateways do not come back at one moment.
fn wait_after(failures: u32) -> Duration {
    let longest =
        FIRST_WAIT.saturating_mul(1u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tls::acme::config::ChallengeKind;
    use crate::tls::certificate::Certificate;
    use crate::tls::testing::Issued;

    const DAY: u64 = 86_400;

    fn config(domains: &[&str], renew_before: u64) -> AcmeConfig {
        AcmeConfig {
            directory: "https://acme.example/".into(),
            contact: Vec::new(),
            domains: domains.iter().map(|&name| name.to_owned()).collect(),
            storage: "/nowhere".into(),
            challenge: ChallengeKind::Http01,
            ca: None,
            renew_before: Duration::from_secs(renew_before),
        }
    }

    #[test]
    fn a_certificate_is_renewed_in_time_and_when_the_names_change() {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2030, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 4, 1);
        let issued = Issued::with(params);
        let certificate = Certificate::load(&issued.files()).unwrap();
        let (from, until) = certificate.validity();
        let at = |offset: Duration| UNIX_EPOCH + from + offset;
        let wait = |config: &AcmeConfig, early| until_due(config, &certificate, early, at(Duration::ZERO));
        let days = (until - from).as_secs() / DAY;
        let ten = config(&["a.example"], 10 * DAY);
        assert_eq!(wait(&ten, 0.0).as_secs(), (days - 10) * DAY);
        assert_eq!(wait(&ten, 0.1).as_secs(), (days - 11) * DAY);
        assert_eq!(wait(&config(&["a.example"], 1000 * DAY), 0.0).as_secs(), days * 2 / 3 * DAY);
        assert_eq!(wait(&config(&["a.example", "b.example"], DAY), 0.0), Duration::ZERO);
        assert_eq!(wait(&config(&["b.example"], DAY), 0.0), Duration::ZERO);
        assert_eq!(until_due(&ten, &certificate, 0.0, at(Duration::from_secs(days * DAY))), Duration::ZERO);
    }

    #[test]
    fn failures_are_tried_again_ever_more_rarely() {
        for failures in 0..100 {
            let wait = wait_after(failures);
            assert!(wait >= FIRST_WAIT / 2 && wait <= LONGEST_WAIT, "{failures}: {wait:?}");
        }
        assert!(wait_after(0) <= FIRST_WAIT && wait_after(20) >= LONGEST_WAIT / 2);
    }
}
