//! Who is signed in. A session's id is made when its user signs in, and is kept as its hash alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wicketgate_config::Secret;
use wicketgate_gateway::console::{ConsoleConfig, OpenIdConfig, Role, User};

type Key = [u8; 32];

/// Who is signed in.
#[derive(Debug)]
pub(crate) struct Sessions {
    start: Instant,
    open: Mutex<HashMap<Key, Arc<Session>>>,
}

/// Somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Session {
    key: Key,
    /// Who it is.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
    proof: Proof,
    /// What a change has to show, so that no other page can ask for it.
    pub(crate) csrf: Secret,
    since: Duration,
    /// Milliseconds from the start to the last request.
    used: AtomicU64,
    /// What the next page says first.
    pub(crate) notice: Mutex<Option<String>>,
}

/// By what somebody was signed in. They are signed out when the configuration does not have it any more.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A user's password, and what else the configuration had of the user.
    Password(Box<User>),
    /// A provider's word.
    OpenId(Arc<OpenIdConfig>),
}

impl Proof {
    /// The word for the audit.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::OpenId(_) => "openid",
        }
    }

    fn is_in(&self, config: &ConsoleConfig) -> bool {
        match self {
            Self::Password(user) => config.users.contains(user),
            Self::OpenId(openid) => config.openid.as_ref().is_some_and(|now| **now == **openid),
        }
    }
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), open: Mutex::default() }
    }

    /// Signs somebody in; gives the id, for the browser alone.
    pub(crate) fn open(&self, name: &str, role: Role, proof: Proof, config: &ConsoleConfig) -> Secret {
        let (id, now) = (random(), self.start.elapsed());
        let key = key(id.reveal());
        let used = AtomicU64::new(millis(now));
        let (name, csrf, notice) = (name.to_owned(), random(), Mutex::default());
        let session = Session { key, name, role, proof, csrf, since: now, used, notice };
        let mut open = self.lock();
        open.retain(|_, session| session.is_good(config, now));
        while open.len() >= config.sessions {
            let idle =
                open.values().min_by_key(|session| session.used.load(Ordering::Relaxed)).map(|idle| idle.key);
            idle.map(|idle| open.remove(&idle));
        }
        open.insert(key, Arc::new(session));
        id
    }

    /// Whose id this is. `is_use`: whether somebody did something, and no page refreshed itself.
    pub(crate) fn find(&self, id: &str, config: &ConsoleConfig, is_use: bool) -> Option<Arc<Session>> {
        let (key, now) = (key(id), self.start.elapsed());
        let mut open = self.lock();
        let session = open.get(&key)?.clone();
        if !session.is_good(config, now) {
            open.remove(&key);
            return None;
        }
        if is_use {
            session.used.store(millis(now), Ordering::Relaxed);
        }
        Some(session)
    }

    /// Whether somebody is still signed in.
    pub(crate) fn is_open(&self, session: &Session, config: &ConsoleConfig) -> bool {
        session.is_good(config, self.start.elapsed()) && self.lock().contains_key(&session.key)
    }

    /// Signs somebody out.
    pub(crate) fn close(&self, session: &Session) {
        self.lock().remove(&session.key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether its time is not over, and the configuration still has what it rests on, unchanged.
    fn is_good(&self, config: &ConsoleConfig, now: Duration) -> bool {
        let used = Duration::from_millis(self.used.load(Ordering::Relaxed));
        now.saturating_sub(self.since) < config.session_lifetime
            && now.saturating_sub(used) < config.session_idle
            && self.proof.is_in(config)
    }

    /// By what they were signed in, in a word.
    pub(crate) const fn method(&self) -> &'static str {
        self.proof.method()
    }

    /// Whether a provider vouches for them.
    pub(crate) const fn is_by_openid(&self) -> bool {
        matches!(self.proof, Proof::OpenId(_))
    }

    /// Has the next page say something first.
    pub(crate) fn note(&self, notice: impl Into<String>) {
        *self.notice.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice.into());
    }

    /// What was to be said.
    pub(crate) fn take_notice(&self) -> Option<String> {
        self.notice.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn random() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

fn key(id: &str) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(digest(&SHA256, id.as_bytes()).as_ref());
    key
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_config::Problems;
    use wicketgate_gateway::console::RawConsole;

    use super::*;

    fn config(more: &str) -> ConsoleConfig {
        let user = |name: &str| {
            format!(
                "{{\"name\": \"{name}\", \"role\": \"viewer\", \"password\": {{\"value\": \"$argon2id$v=19$m=19456,t=2,p=1\
                 $c29tZXNhbHRzb21lc2FsdA$pBUKbYSKEQLbpERUaXEyDyaCnZLXJzPxYw0ikgOXLgQ\"}}}}"
            )
        };
        let text = format!("{{\"users\": [{}, {}]{more}}}", user("ann"), user("bob"));
        let raw: RawConsole = serde_json::from_str(&text).unwrap();
        raw.check(&mut Problems::default()).unwrap()
    }

    fn open(sessions: &Sessions, config: &ConsoleConfig, user: usize) -> Secret {
        let user = &config.users[user];
        sessions.open(&user.name, user.role, Proof::Password(Box::new(user.clone())), config)
    }

    #[test]
    fn an_id_is_good_until_its_user_changes_or_is_signed_out() {
        let (sessions, config) = (Sessions::new(), config(""));
        let id = open(&sessions, &config, 0);
        let found = sessions.find(id.reveal(), &config, true).unwrap();
        assert_eq!((found.name.as_str(), found.method()), ("ann", "password"));
        assert!(sessions.find("", &config, true).is_none() && sessions.find("x", &config, true).is_none());
        assert_ne!(open(&sessions, &config, 0), id);
        let mut without = config.clone();
        without.users.remove(0);
        assert!(!sessions.is_open(&found, &without) && sessions.is_open(&found, &config));
        sessions.close(&found);
        assert!(sessions.find(id.reveal(), &config, true).is_none());
    }

    #[test]
    fn the_idlest_makes_room() {
        let (sessions, config) = (Sessions::new(), config(", \"sessions\": 2"));
        let one = open(&sessions, &config, 0);
        let two = open(&sessions, &config, 1);
        let idle = sessions.find(one.reveal(), &config, false).unwrap();
        sessions.find(two.reveal(), &config, false).unwrap().used.store(9, Ordering::Relaxed);
        idle.used.store(7, Ordering::Relaxed);
        let three = open(&sessions, &config, 0);
        let is_there = |id: &Secret| sessions.find(id.reveal(), &config, false).is_some();
        assert!(!is_there(&one) && is_there(&two) && is_there(&three));
    }
}
