//! Keys that change: fetched in the background by one task, so that requests wait only where no known key serves.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::keyset::KeySet;
use super::source::Source;
use crate::identity::Denied;

/// When keys are fetched, and how long they serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How old keys become before they are fetched again.
    pub refresh: Duration,
    /// How long they serve where that fails.
    pub stale: Duration,
    /// The time between a fetch and the next one that a token asks for.
    pub cooldown: Duration,
    /// How long a fetch may take. Requests wait a tenth longer for it, so that they learn what became of it.
    pub timeout: Duration,
}

/// The keys of a [`Source`], as far as they are known.
#[derive(Debug)]
pub struct KeyCache {
    seen: watch::Sender<Arc<Seen>>,
    wanted: Arc<Notify>,
    times: Times,
    task: AbortHandle,
}

/// What is known after so many fetches.
#[derive(Clone, Debug)]
pub struct Seen {
    fetches: u64,
    /// When the last one ended.
    ended: Instant,
    keys: Option<(KeySet, Instant)>,
    /// Why the last one failed.
    failure: Option<String>,
}

/// While no key serves, a request may have them fetched this soon again.
const RETRY: Duration = Duration::from_secs(1);

impl KeyCache {
    /// Starts to fetch. Must be called inside a tokio runtime; ends when it is dropped.
    pub fn start(method: Arc<str>, source: Source, times: Times) -> Self {
        let nothing = Seen { fetches: 0, ended: Instant::now(), keys: None, failure: None };
        let seen = watch::Sender::new(Arc::new(nothing));
        let wanted = Arc::new(Notify::new());
        let follow = Follow { method, source, times, seen: seen.clone(), wanted: wanted.clone() };
        let task = tokio::spawn(follow.run()).abort_handle();
        Self { seen, wanted, times, task }
    }

    /// What is known now; waits for a fetch only where no known key serves.
    ///
    /// # Errors
    /// There are none, or too old ones, and none can be had.
    pub async fn seen(&self) -> Result<Arc<Seen>, Denied> {
        let seen = self.seen.borrow().clone();
        if seen.serving(&self.times).is_some() {
            return Ok(seen);
        }
        let newer = self.newer(&seen).await;
        let last = newer.as_ref().unwrap_or(&seen);
        match (last.serving(&self.times), &last.failure) {
            (Some(_), _) => Ok(last.clone()),
            (None, Some(failure)) => Err(Denied::Unavailable(failure.clone())),
            (None, None) => Err(Denied::Unavailable("no keys in time".into())),
        }
    }

    /// What a fetch after `seen` found. Has one made, but not more often than the cooldown allows; then it comes back at
    /// once with nothing.
    pub async fn newer(&self, seen: &Seen) -> Option<Arc<Seen>> {
        if seen.fetches == self.seen.borrow().fetches && !seen.may_be_renewed(&self.times) {
            return None;
        }
        let mut next = self.seen.subscribe();
        self.wanted.notify_one();
        let patience = self.times.timeout.mul_f64(1.1);
        let next = timeout(patience, next.wait_for(|next| next.fetches > seen.fetches)).await;
        Some(next.ok()?.ok()?.clone())
    }
}

impl Drop for KeyCache {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    /// The keys, unless they are too old.
    pub fn serving(&self, times: &Times) -> Option<&KeySet> {
        self.keys.as_ref().filter(|(_, at)| at.elapsed() < times.stale).map(|(keys, _)| keys)
    }

    fn may_be_renewed(&self, times: &Times) -> bool {
        let pause = if self.serving(times).is_some() { times.cooldown } else { times.cooldown.min(RETRY) };
        self.fetches == 0 || self.ended.elapsed() >= pause
    }
}

/// The one task that fetches.
struct Follow {
    method: Arc<str>,
    source: Source,
    times: Times,
    seen: watch::Sender<Arc<Seen>>,
    wanted: Arc<Notify>,
}

impl Follow {
    async fn run(mut self) {
        loop {
            let seen = self.fetch().await;
            let pause = match seen.failure {
                Some(_) => self.times.refresh.min(self.times.cooldown),
                None => self.times.refresh,
            };
            let due = seen.ended + pause;
            self.seen.send_replace(Arc::new(seen));
            self.wait(due).await;
        }
    }

    async fn fetch(&mut self) -> Seen {
        let late = || Err(format!("no answer within {:?}", self.times.timeout));
        let fetched = timeout(self.times.timeout, self.source.fetch()).await.unwrap_or_else(|_| late());
        let last = self.seen.borrow().clone();
        let now = Instant::now();
        let (keys, failure) = match fetched {
            Ok(Some(keys)) => {
                tracing::info!(
                    method = &*self.method,
                    keys = keys.len(),
                    skipped = keys.skipped,
                    "keys fetched"
                );
                (Some((keys, now)), None)
            }
            Ok(None) => (last.keys.clone().map(|(keys, _)| (keys, now)), None),
            Err(failure) => {
                let serving = last.serving(&self.times).is_some();
                tracing::warn!(method = &*self.method, serving, %failure, "keys cannot be fetched");
                (last.keys.clone(), Some(failure))
            }
        };
        Seen { fetches: last.fetches + 1, ended: now, keys, failure }
    }

    /// Until the next fetch is due, or a request wants one and may have it.
    async fn wait(&self, due: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(due) => return,
                () = self.wanted.notified() => {
                    if self.seen.borrow().may_be_renewed(&self.times) {
                        return;
                    }
                }
            }
        }
    }
}
