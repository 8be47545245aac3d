//! What a live session's right to be rests on, and why it may lose it.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::authorization::Facts;
use super::client::Client;
use super::identity::Identity;

/// What a live session's right to be rests on: kept as long as it lives, so that it can be judged again.
#[derive(Debug, Default)]
pub struct Standing {
    facts: Facts,
    /// Replaced when the client renews its credential.
    identity: ArcSwapOption<Identity>,
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
    pub(super) fn new(facts: Facts, identity: Option<Arc<Identity>>) -> Self {
        Self { facts, identity: ArcSwapOption::new(identity) }
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
        self.identity.load_full()
    }

    /// When the session has to end.
    pub fn expires(&self) -> Option<SystemTime> {
        self.identity.load().as_ref()?.expires
    }
}
