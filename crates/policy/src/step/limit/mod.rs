//! `limit`: so many messages a second, of a session, an identity, an address, or of each value of a field.

mod config;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use config::RawLimit;
pub(crate) use config::check;
use wicketgate_meter::rate::{Meter, Rate};
use wicketgate_meter::table::{Table, Tracked};

use super::memory::Part;
use super::{Effect, View};
use crate::fields::{Path, Shown};
use crate::finding::Hit;

/// So many messages a second.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    rate: Rate,
    key: Key,
    shared: Arc<Shared>,
}

/// Whose messages are counted together.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    Session,
    Identity,
    Address,
    Field(Path),
    Claim(Box<str>),
}

/// What is known of all sessions' keys. It goes on from one configuration to the next.
#[derive(Debug)]
struct Shared {
    entries: usize,
    used: OnceLock<Arc<Used>>,
}

#[derive(Debug)]
struct Used {
    /// Nobody knows it, so nobody chooses keys that share a place.
    hasher: RandomState,
    table: Table<Counted>,
}

#[derive(Debug, Default)]
struct Counted(Meter);

impl Tracked for Counted {
    fn is_idle(&self, now: Duration) -> bool {
        self.0.is_paid(now)
    }
}

impl Limit {
    pub(super) fn judge(&self, view: &View<'_>, part: &mut Part) -> Effect {
        let taken = match &self.key {
            Key::Session => part.meter.try_take(self.rate, view.now, 1),
            key => {
                let used = self.shared.used();
                let key = used.key(key, view);
                used.table.with(key, view.now, |counted, _| counted.0.try_take(self.rate, view.now, 1))
            }
        };
        match taken {
            Ok(()) => Effect::Pass,
            Err(wait) => {
                let path = if let Key::Field(path) = &self.key { path.to_string() } else { "$".into() };
                let detail =
                    format!("beyond the rate of its {}, for {} ms", self.key.label(), wait.as_millis());
                Effect::Violation(vec![Hit { path: path.into(), ..Hit::whole("rate", detail) }])
            }
        }
    }

    /// Goes on with what another configuration's step has counted.
    pub(super) fn follow(&self, last: &Self) {
        if self.key == last.key && self.shared.entries == last.shared.entries {
            // Where something was counted already, that stays.
            let _ = self.shared.used.set(last.shared.used().clone());
        }
    }
}

impl Shared {
    fn used(&self) -> &Arc<Used> {
        self.used
            .get_or_init(|| Arc::new(Used { hasher: RandomState::new(), table: Table::new(self.entries) }))
    }
}

impl Used {
    /// Where there is no such thing, all messages without it share one key.
    fn key(&self, key: &Key, view: &View<'_>) -> u64 {
        let identity = view.facts.identity.as_ref();
        match key {
            Key::Session => self.hasher.hash_one(view.facts.session),
            Key::Identity => self.hasher.hash_one(identity.map(|identity| &identity.subject)),
            Key::Address => self.hasher.hash_one(view.facts.address),
            Key::Claim(name) => {
                let claim = identity.and_then(|identity| identity.claims.get(&**name));
                self.hasher.hash_one(claim.map(ToString::to_string))
            }
            Key::Field(path) => match path.first(&view.fields).map(|field| field.show()) {
                Some(Shown::Text(text)) => self.hasher.hash_one(text),
                Some(Shown::Bytes(bytes)) => self.hasher.hash_one(bytes),
                Some(Shown::Int(number)) => self.hasher.hash_one(number),
                Some(Shown::Uint(number)) => self.hasher.hash_one(number),
                Some(Shown::Bool(value)) => self.hasher.hash_one(value),
                _ => self.hasher.hash_one(()),
            },
        }
    }
}

impl Key {
    const fn label(&self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Identity => "identity",
            Self::Address => "address",
            Self::Field(_) => "field",
            Self::Claim(_) => "claim",
        }
    }
}
