//! API keys: long-lived secrets for programs, of which the gateway keeps keyed hashes alone.
//!
//! [`ApiKey`] is the text that a client has, [`KeyRecord`] what is kept of it, [`KeyStore`] the file of records; [`ApiKeys`]
//! follows that file and makes a key an identity.

mod key;
mod record;
mod store;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

pub use key::{ApiKey, PREFIX};
pub use record::{KeyRecord, Pepper};
pub use store::{KeyStore, LockedStore, StoreError};

use super::{Denied, Identity};
use crate::changes::Changes;
use crate::credential::{Place, RawPlace};
use crate::file::Stamp;
use crate::secret::{RawSecret, Secret};

/// API keys of the form `wgk_ID_SECRET`, made by `wicketgate key create`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawApiKey {
    /// The file of keys: one JSON record a line, written by `wicketgate key`, readable by the gateway. No file, no keys. It
    /// holds keyed hashes, no key. At most 64MiB, some 200,000 keys, which take twice that in memory.
    pub store: At<PathBuf>,
    /// The secret that the hashes are keyed with, at least 32 characters. Keep it apart from the store: whoever has only
    /// one of them can neither try nor make keys. Another pepper makes every key void.
    pub pepper: At<RawSecret>,
    /// Where in a request the key stands: one place or more, of which a request uses one. Default: the header `X-Api-Key`.
    /// In `Authorization` what does not begin with `wgk_` is left to other methods.
    #[serde(default)]
    pub from: Vec<At<RawPlace>>,
    /// How often the store is looked at for a change, 100ms to 1h. The default is 1s. A revoked key serves so much longer at
    /// most.
    #[serde(default)]
    pub refresh: Option<At<Time>>,
}

/// API keys, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyConfig {
    /// The file of keys.
    pub store: PathBuf,
    /// What the hashes are keyed with.
    pub pepper: Secret,
    /// Where in a request the key stands.
    pub places: Vec<Place>,
    /// How often the store is looked at.
    pub refresh: Duration,
}

/// The shortest pepper, in characters: 32 of base64 are 192 bits, 64 hexadecimal digits are 256.
const MIN_PEPPER: usize = 32;
const DEFAULT_REFRESH: Time = Time::secs(1);

impl RawApiKey {
    /// Checks the values, and that pepper and store can be read; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<ApiKeyConfig> {
        let pepper = RawSecret::check(self.pepper, "the pepper", MIN_PEPPER, problems);
        if let Err(error) = KeyStore::read(&self.store) {
            let help = "it is written by `wicketgate key create`; name a file of its own";
            problems.error(self.store.place, format!("the API keys cannot be read: {error}"), help);
        }
        let mut places: Vec<Place> =
            self.from.into_iter().filter_map(|place| RawPlace::check(place, problems)).collect();
        if places.is_empty() {
            places.push(Place::Header(HeaderName::from_static("x-api-key")));
        }
        let refresh = self.refresh.unwrap_or(At::nowhere(DEFAULT_REFRESH));
        let refresh = problems.in_range("refresh", &refresh, Time::millis(100)..=Time::secs(3600)).0;
        Some(ApiKeyConfig { store: self.store.value, pepper: pepper?, places, refresh })
    }
}

/// The keys of one store, as they are now.
#[derive(Debug)]
pub struct ApiKeys {
    method: Arc<str>,
    config: ApiKeyConfig,
    pepper: Pepper,
    keys: ArcSwap<KeyStore>,
    /// The file as it was when it was last read, whether or not that served.
    seen: Mutex<Option<Stamp>>,
    changes: Changes,
}

impl ApiKeys {
    /// Reads the store and follows it from now on; tells `changes` whenever other keys may be accepted than before. Must be
    /// called inside a tokio runtime.
    pub fn start(method: Arc<str>, config: ApiKeyConfig, changes: Changes) -> Arc<Self> {
        let pepper = Pepper::new(&config.pepper);
        let refresh = config.refresh;
        let keys = Arc::new(Self {
            method,
            config,
            pepper,
            keys: ArcSwap::default(),
            seen: Mutex::new(None),
            changes,
        });
        keys.look();
        tokio::spawn(follow(Arc::downgrade(&keys), refresh));
        keys
    }

    /// Where in a request a key stands.
    pub fn places(&self) -> &[Place] {
        &self.config.places
    }

    /// Whether this may be meant as a key: other methods have tokens too.
    pub fn knows(text: &Secret) -> bool {
        text.reveal().starts_with(PREFIX)
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// One that is no key, or not (any more) one of ours.
    pub fn identify(&self, text: &Secret) -> Result<Identity, Denied> {
        let key = ApiKey::parse(text.reveal())?;
        let keys = self.keys.load();
        let record = keys.verify(&key, &self.pepper, SystemTime::now())?;
        Ok(Identity {
            method: self.method.clone(),
            subject: record.subject.as_str().into(),
            token_id: Some(record.id.as_str().into()),
            issued: Some(record.creation()),
            expires: record.expiry(),
            claims: Arc::new(record.claims.clone()),
        })
    }

    /// Whether an identity that this method made would be made again: its key is there, not revoked and not changed.
    pub fn still_accepts(&self, identity: &Identity) -> bool {
        let keys = self.keys.load();
        let record = identity.token_id.as_deref().and_then(|id| keys.record(id));
        record.is_some_and(|record| {
            record.revoked.is_none()
                && !record.is_expired(SystemTime::now())
                && *record.subject == *identity.subject
                && record.claims == *identity.claims
        })
    }

    /// Reads the store if it has changed. One that cannot be used changes nothing, and neither does one that has gone.
    fn look(&self) {
        let path = &self.config.store;
        let now = Stamp::of(path);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let first = seen.is_none();
            if *seen == Some(now) {
                return;
            }
            *seen = Some(now);
            if !first && now == Stamp::NONE {
                tracing::error!(method = %self.method, "{} is gone: its API keys stay as they were", path.display());
                return;
            }
        }
        match KeyStore::read(path) {
            Ok(keys) => {
                let count = keys.records().count();
                self.keys.store(Arc::new(keys));
                self.changes.tell();
                tracing::info!(method = %self.method, keys = count, "API keys read");
            }
            Err(error) => {
                tracing::error!(method = %self.method, "API keys stay as they were: {error}");
            }
        }
    }
}

/// Looks at the store as long as somebody uses its keys.
async fn follow(keys: Weak<ApiKeys>, refresh: Duration) {
    let mut ticks = tokio::time::interval(refresh);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(keys) = keys.upgrade() else { return };
        // A store on a slow disk keeps no request waiting.
        let looked = tokio::task::spawn_blocking(move || keys.look()).await;
        if looked.is_err() {
            return tracing::error!("API keys are followed no longer");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::identity::Claims;

    const PEPPER: &str = "0123456789abcdef0123456789abcdef";

    fn config(store: &Path) -> ApiKeyConfig {
        ApiKeyConfig {
            store: store.to_owned(),
            pepper: Secret::new(PEPPER),
            places: vec![Place::Bearer],
            refresh: Duration::from_millis(100),
        }
    }

    fn add(store: &Path, subject: &str) -> ApiKey {
        let key = ApiKey::generate().unwrap();
        let pepper = Pepper::new(&Secret::new(PEPPER));
        let record =
            KeyRecord::new(&key, &pepper, subject, "", SystemTime::now(), None, Claims::new()).unwrap();
        LockedStore::open(store).unwrap().add(record).unwrap();
        key
    }

    #[tokio::test]
    async fn the_store_is_followed_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("keys.jsonl");
        let changes = Changes::default();
        let keys = ApiKeys::start("keys".into(), config(&store), changes.clone());
        changes.told().await;
        let key = add(&store, "alice");
        changes.told().await;
        let identity = keys.identify(&key.text()).unwrap();
        assert_eq!((&*identity.subject, identity.token_id.as_deref()), ("alice", Some(key.id.as_str())));
        assert!(keys.still_accepts(&identity));

        std::fs::write(&store, "nonsense").unwrap();
        keys.look();
        assert!(keys.still_accepts(&identity), "a bad store changes nothing");
        std::fs::remove_file(&store).unwrap();
        keys.look();
        assert!(keys.still_accepts(&identity), "and neither does none");
        assert!(tokio::time::timeout(Duration::ZERO, changes.told()).await.is_err());

        add(&store, "bob");
        changes.told().await;
        assert!(!keys.still_accepts(&identity), "the key is not among the new ones");
        assert_eq!(keys.identify(&key.text()).unwrap_err(), Denied::UnknownKey);
    }

    #[tokio::test]
    async fn revoked_and_changed_keys_are_accepted_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("keys.jsonl");
        let (key, other) = (add(&store, "alice"), add(&store, "bob"));
        let keys = ApiKeys::start("keys".into(), config(&store), Changes::default());
        let of = |key: &ApiKey| keys.identify(&key.text());
        let (alice, bob) = (of(&key).unwrap(), of(&other).unwrap());
        LockedStore::open(&store).unwrap().revoke(&key.id, SystemTime::now()).unwrap();
        keys.look();
        assert!(!keys.still_accepts(&alice) && keys.still_accepts(&bob));
        assert_eq!(of(&key).unwrap_err(), Denied::Revoked);
        let changed = Identity { subject: "carol".into(), ..bob };
        assert!(!keys.still_accepts(&changed));
    }
}
