//! What a live session's right to be rests on, and why it may lose it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;

use super::authentication::Proven;
use super::authorization::Facts;
use super::client::Client;
use super::identity::{Denied, Identity};

/// What a live session's right to be rests on: kept as long as it lives, so that it can be judged again.
#[derive(Debug, Default)]
pub struct Standing {
    facts: Facts,
    /// Replaced when the client renews its credential, and when it was asked about again.
    proven: ArcSwapOption<Proven>,
}

/// Why a session's client has no right to it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its credential has expired.
    Expired,
    /// Its credential was revoked, or its issuer does not stand behind it any more.
    Revoked,
    /// The route's guard would not admit it any more.
    Unadmitted,
}

impl Standing {
    pub(super) fn new(facts: Facts, proven: Option<Proven>) -> Self {
        Self { facts, proven: ArcSwapOption::from_pointee(proven) }
    }

    /// Who asked.
    pub const fn client(&self) -> &Client {
        self.facts.client()
    }

    /// What else is known of the request that opened the session.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who was admitted; `None` where anybody may come.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.proven.load().as_ref().map(|proven| proven.first().clone())
    }

    /// What the client has proved.
    pub(super) fn proven(&self) -> Option<Arc<Proven>> {
        self.proven.load_full()
    }

    pub(super) fn replace(&self, proven: Proven) {
        self.proven.store(Some(Arc::new(proven)));
    }

    /// When the session has to end.
    pub fn expires(&self) -> Option<SystemTime> {
        self.proven.load().as_ref()?.expires()
    }

    /// How often its credentials have to be rechecked; `None` for never.
    pub fn recheck_interval(&self) -> Option<Duration> {
        self.proven.load().as_ref()?.recheck_interval()
    }

    /// Asks again whoever can revoke the client's credentials. Where that gives no answer, nothing has changed.
    ///
    /// # Errors
    /// They hold no more.
    pub async fn recheck(&self) -> Result<(), Lost> {
        let Some(proven) = self.proven() else { return Ok(()) };
        match proven.recheck().await {
            Ok(proven) => {
                self.replace(proven);
                Ok(())
            }
            Err(Denied::Unavailable(_)) => Ok(()),
            Err(Denied::Expired) => Err(Lost::Expired),
            Err(_) => Err(Lost::Revoked),
        }
    }
}
