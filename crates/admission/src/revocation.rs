//! Credentials and subjects that are not accepted any more, whatever they prove.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use wicketgate_config::{At, Problems};

use super::changes::Changes;
use super::file::{LOOK_EVERY, Watched};
use super::identity::Identity;
use wicketgate_meter::Fill;

/// Credentials and subjects that are not accepted any more. Their sessions are closed as soon as they are known.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRevocations {
    /// A file with one JSON object a line: `{"token_id": "..."}` or `{"subject": "..."}`, with `"before"` for credentials of a
    /// subject that were issued before a time, and `"until"` after which the line means nothing any more; times as in
    /// `2026-11-22T10:00:00Z`. It is read anew within a second of a change; a line that cannot be read keeps the
    /// list as it was. What the admin API adds is appended to it; without a file that is forgotten at a restart.
    pub file: Option<At<PathBuf>>,
    /// How many entries there may be, 1 to 10000000. Each costs about 200 bytes, so 20 MB at the default. A list with
    /// more is refused, and the one before stays.
    pub entries: At<u32>,
}

impl Default for RawRevocations {
    fn default() -> Self {
        Self { file: None, entries: At::nowhere(100_000) }
    }
}

/// Where revocations come from, and how many there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationsConfig {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// How many entries there may be.
    pub entries: usize,
}

impl RawRevocations {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> RevocationsConfig {
        let entries = problems.in_range("entries", &self.entries, 1..=10_000_000) as usize;
        if let Some(file) = &self.file {
            let read = super::file::read(file, longest(entries)).map_err(|error| error.to_string());
            if let Err(error) = read.and_then(|text| List::read(&text, entries)) {
                let what = format!("{} is no list of revocations: {error}", file.display());
                problems.error(file.place, what, "make it, empty or with one JSON object a line");
            }
        }
        RevocationsConfig { file: self.file.map(|file| file.value), entries }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The credential that is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The subject that is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only what was issued before.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub before: Option<OffsetDateTime>,
    /// Until when it means anything.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub until: Option<OffsetDateTime>,
}

/// Whatever is revoked now.
#[derive(Debug)]
pub struct Revocations {
    config: RevocationsConfig,
    list: ArcSwap<List>,
    /// Held while the list is replaced.
    writing: Mutex<()>,
    changes: Changes,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct List {
    token_ids: HashMap<String, Revocation>,
    subjects: HashMap<String, Revocation>,
}

impl Revocations {
    /// Reads the list, and again whenever it changes, which it tells. Must be called inside a tokio runtime.
    pub fn start(config: RevocationsConfig, changes: Changes) -> Arc<Self> {
        let revocations =
            Arc::new(Self { config, list: ArcSwap::default(), writing: Mutex::default(), changes });
        if let Some(path) = &revocations.config.file {
            let mut file = Watched::new(path);
            revocations.look(&mut file);
            tokio::spawn(follow(Arc::downgrade(&revocations), file));
        }
        revocations
    }

    /// Where its entries come from.
    pub fn config(&self) -> &RevocationsConfig {
        &self.config
    }

    /// How full the list is.
    pub fn fill(&self) -> Fill {
        let list = self.list.load();
        let entries = (list.token_ids.len() + list.subjects.len()) as u64;
        Fill { entries, capacity: self.config.entries as u64, ..Fill::default() }
    }

    /// Whether the identity, or the credential that proved it, is revoked.
    pub fn covers(&self, identity: &Identity) -> bool {
        let list = self.list.load();
        if list.token_ids.is_empty() && list.subjects.is_empty() {
            return false;
        }
        let token = identity.token_id.as_ref().and_then(|id| list.token_ids.get(&**id));
        let subject = list.subjects.get(&*identity.subject);
        [token, subject].into_iter().flatten().any(|entry| entry.applies(identity))
    }

    /// All entries, in no order.
    pub fn all(&self) -> Vec<Revocation> {
        let list = self.list.load();
        list.token_ids.values().chain(list.subjects.values()).cloned().collect()
    }

    /// Adds an entry, in the file too where there is one.
    ///
    /// # Errors
    /// A list that is full, or a file that cannot be written; then nothing has changed.
    pub fn add(&self, entry: Revocation) -> Result<(), String> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = List::clone(&self.list.load());
        list.add(entry.clone(), self.config.entries)?;
        if let Some(path) = &self.config.file {
            let line = serde_json::to_string(&entry).map_err(|error| error.to_string())?;
            let mut file = std::fs::OpenOptions::new().append(true).open(path).map_err(|e| e.to_string())?;
            // In front of it too: the last line may have no end.
            file.write_all(format!("\n{line}\n").as_bytes()).map_err(|error| error.to_string())?;
        }
        self.list.store(Arc::new(list));
        self.changes.tell();
        Ok(())
    }

    fn look(&self, file: &mut Watched) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match file.changed(longest(self.config.entries)) {
            Ok(None) => return,
            Ok(Some(text)) => List::read(&text, self.config.entries),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(list) if list != **self.list.load() => {
                let entries = list.token_ids.len() + list.subjects.len();
                tracing::info!(file = %file.path().display(), entries, "revocations read");
                self.list.store(Arc::new(list));
                self.changes.tell();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(file = %file.path().display(), error, "revocations not read: the list before stays");
            }
        }
    }
}

async fn follow(revocations: Weak<Revocations>, mut file: Watched) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(revocations) = revocations.upgrade() else { return };
        revocations.look(&mut file);
    }
}

/// What so many entries may come to in a file: names are bounded by what a request can carry.
fn longest(entries: usize) -> u64 {
    (entries as u64).saturating_mul(1024).max(1 << 20)
}

impl List {
    fn read(text: &str, entries: usize) -> Result<Self, String> {
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let entry =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
            list.add(entry, entries).map_err(|error| format!("line {}: {error}", number + 1))?;
        }
        Ok(list)
    }

    fn add(&mut self, entry: Revocation, entries: usize) -> Result<(), String> {
        let (map, key) = match (&entry.token_id, &entry.subject) {
            (Some(id), None) => (&mut self.token_ids, id.clone()),
            (None, Some(subject)) => (&mut self.subjects, subject.clone()),
            _ => return Err("give one of `token_id` and `subject`".into()),
        };
        if key.is_empty() {
            return Err("an empty text is nobody's".into());
        }
        if entry.until.is_some_and(|until| SystemTime::from(until) <= SystemTime::now()) {
            map.remove(&key);
            return Ok(());
        }
        map.insert(key, entry);
        if self.token_ids.len() + self.subjects.len() > entries {
            return Err(format!("more than {entries} entries: raise `revocations.entries`"));
        }
        Ok(())
    }
}

impl Revocation {
    fn applies(&self, identity: &Identity) -> bool {
        let after = |time: OffsetDateTime, other| SystemTime::from(time) > other;
        self.until.is_none_or(|until| after(until, SystemTime::now()))
            // Where nobody knows when it was issued, it may have been before.
            && self.before.is_none_or(|before| identity.issued.is_none_or(|issued| after(before, issued)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn identity(subject: &str, token_id: &str, issued: Option<SystemTime>) -> Identity {
        Identity {
            method: "test".into(),
            subject: subject.into(),
            token_id: Some(token_id.into()),
            issued,
            expires: None,
            claims: Arc::default(),
        }
    }

    fn list(text: &str) -> Revocations {
        Revocations {
            config: RevocationsConfig { file: None, entries: 3 },
            list: ArcSwap::from_pointee(List::read(text, 3).unwrap()),
            writing: Mutex::default(),
            changes: Changes::default(),
        }
    }

    #[test]
    fn what_is_listed_is_covered_and_nothing_else() {
        let list = list(
            "{\"token_id\": \"t1\"}\n\n{\"subject\": \"ann\", \"before\": \"2026-01-01T00:00:00Z\"}\n{\"subject\": \"bob\", \"until\": \"2020-01-01T00:00:00Z\"}",
        );
        let late = Some(SystemTime::now());
        assert!(list.covers(&identity("zoe", "t1", late)));
        assert!(!list.covers(&identity("ann", "t2", late)));
        assert!(list.covers(&identity("ann", "t2", Some(SystemTime::UNIX_EPOCH))));
        assert!(list.covers(&identity("ann", "t2", None)));
        assert!(!list.covers(&identity("bob", "t3", None)));
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        for (text, what) in [
            ("{\"token_id\": \"a\"}\nnonsense", "line 2"),
            ("{}", "one of"),
            ("{\"subject\": \"a\", \"token_id\": \"b\"}", "one of"),
            ("{\"subject\": \"\"}", "nobody's"),
            ("{\"token_id\": \"\"}", "nobody's"),
            ("{\"subject\": \"a\", \"when\": 1}", "line 1"),
            ("{\"subject\":\"1\"}\n{\"subject\":\"2\"}\n{\"subject\":\"3\"}\n{\"subject\":\"4\"}", "entries"),
        ] {
            assert!(List::read(text, 3).unwrap_err().contains(what), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_is_followed_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        fs::write(&path, "{\"subject\":\"ann\"}").unwrap();
        let changes = Changes::default();
        let config = RevocationsConfig { file: Some(path.clone()), entries: 10 };
        let revocations = Revocations::start(config, changes.clone());
        changes.told().await;
        assert!(revocations.covers(&identity("ann", "x", None)));
        let entry = Revocation { token_id: Some("t".into()), subject: None, before: None, until: None };
        revocations.add(entry).unwrap();
        changes.told().await;
        assert!(revocations.covers(&identity("zoe", "t", None)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"subject\":\"ann\"}\n{\"token_id\":\"t\"}\n");
        fs::write(&path, "nonsense, and longer than before, so that it is another file").unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(revocations.covers(&identity("ann", "x", None)), "the list before stays");
        fs::write(&path, "").unwrap();
        changes.told().await;
        assert!(revocations.all().is_empty());
    }
}
