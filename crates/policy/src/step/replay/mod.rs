//! `replay`: a message that came once does not pass again.

mod config;
mod seen;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub use config::RawReplay;
pub(crate) use config::check;
pub(super) use seen::Seen;

use self::seen::Came;
use super::memory::Part;
use super::{Effect, View};
use crate::fields::{Path, Shown};
use crate::finding::Hit;

/// Messages that came once do not pass again.
#[derive(Clone, Debug)]
pub(crate) enum Replay {
    /// A value that may come once in a while.
    Nonce(Nonce),
    /// A number that grows from message to message.
    Sequence(Path),
}

/// A value that may come once in a while.
#[derive(Clone, Debug)]
pub(crate) struct Nonce {
    path: Path,
    scope: Scope,
    window: Duration,
    entries: usize,
    /// It goes on from one configuration to the next.
    shared: Arc<OnceLock<Arc<Shared>>>,
}

/// What all sessions have seen.
#[derive(Debug, Default)]
struct Shared {
    /// Nobody knows it, so nobody makes values that are taken for others.
    hasher: RandomState,
    seen: Mutex<Seen>,
}

/// Among whose messages a value may come once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// Those of all sessions under the policy.
    #[default]
    Policy,
    /// Those of all sessions of the subject.
    Identity,
    /// Those of the session.
    Session,
}

impl Replay {
    pub(super) fn judge(&self, view: &View<'_>, part: &mut Part) -> Effect {
        match self {
            Self::Nonce(nonce) => nonce.judge(view, part),
            Self::Sequence(path) => sequence(path, view, part),
        }
    }

    /// Goes on with what another configuration's step has seen.
    pub(super) fn follow(&self, last: &Self) {
        if let (Self::Nonce(nonce), Self::Nonce(last)) = (self, last)
            && (nonce.scope, &nonce.path) == (last.scope, &last.path)
        {
            // Where something was seen already, that stays.
            let _ = nonce.shared.set(last.shared.get_or_init(Arc::default).clone());
        }
    }
}

impl Nonce {
    fn judge(&self, view: &View<'_>, part: &mut Part) -> Effect {
        let scope = match self.scope {
            Scope::Policy | Scope::Session => None,
            Scope::Identity => view.facts.identity.as_ref().map(|identity| &identity.subject),
        };
        let shared = self.shared.get_or_init(Arc::default);
        let key = match self.path.first(&view.fields).map(|field| field.show()) {
            Some(Shown::Text(text)) => shared.hasher.hash_one((scope, text)),
            Some(Shown::Bytes(bytes)) => shared.hasher.hash_one((scope, bytes)),
            Some(Shown::Int(number)) => shared.hasher.hash_one((scope, number)),
            Some(Shown::Uint(number)) => shared.hasher.hash_one((scope, number)),
            _ => return refuse("nonce_missing", &self.path, "there is no text or whole number"),
        };
        let came = match self.scope {
            Scope::Session => part.seen.take(key, view.now, self.window, self.entries),
            Scope::Policy | Scope::Identity => {
                let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.take(key, view.now, self.window, self.entries)
            }
        };
        match came {
            Came::First => Effect::Pass,
            Came::Again => refuse("replay", &self.path, "it came before"),
            Came::Unknown => refuse("replay_full", &self.path, "so many came that no more can be remembered"),
        }
    }
}

fn sequence(path: &Path, view: &View<'_>, part: &mut Part) -> Effect {
    let number = match path.first(&view.fields).map(|field| field.show()) {
        Some(Shown::Int(number)) => u128::try_from(number).ok(),
        Some(Shown::Uint(number)) => Some(number.into()),
        Some(Shown::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let Some(number) = number else {
        return refuse("sequence_missing", path, "there is no whole number from 0 on");
    };
    if part.sequence.is_some_and(|last| number <= last) {
        return refuse("replay", path, "it is not above the one before");
    }
    part.sequence = Some(number);
    Effect::Pass
}

fn refuse(class: &'static str, path: &Path, why: &str) -> Effect {
    Effect::Violation(vec![Hit { path: path.to_string().into(), ..Hit::whole(class, why) }])
}
