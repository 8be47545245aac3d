//! The file of API keys: one record a line, replaced whole, changed by one program at a time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::key::ApiKey;
use super::record::{Expected, KeyRecord, Pepper};
use crate::identity::Denied;

/// The longest file that is read, in bytes: some 200,000 keys, which take about twice that in memory.
const MAX_FILE: u64 = 64 << 20;

/// All keys, by their ids.
#[derive(Debug, Default)]
pub struct KeyStore {
    records: Vec<(KeyRecord, Expected)>,
    by_id: HashMap<String, usize>,
}

/// Why a file of keys cannot be used, or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system gives the file not, or takes it not.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line is no record of a key.
    #[error("{}: line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

impl KeyStore {
    /// Reads a file. One that is not there holds no keys.
    ///
    /// # Errors
    /// A file that cannot be read, or that has a line that is no record: then no line of it counts.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let text = match crate::file::read(path, MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(StoreError::Io { path: path.to_owned(), error }),
            Ok(text) => text,
        };
        Self::parse(&text).map_err(|(line, what)| StoreError::Line { path: path.to_owned(), line, what })
    }

    /// Every record, in the order in which they were made.
    pub fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.records.iter().map(|(record, _)| record)
    }

    /// The record with this id.
    pub fn record(&self, id: &str) -> Option<&KeyRecord> {
        let at = *self.by_id.get(id)?;
        self.records.get(at).map(|(record, _)| record)
    }

    /// The record of this key. A key whose id nobody has takes as long as one whose secret is wrong.
    ///
    /// # Errors
    /// A key that is not, or not any more, among them.
    pub fn verify(&self, key: &ApiKey, pepper: &Pepper, now: SystemTime) -> Result<&KeyRecord, Denied> {
        let nobody = Expected::default();
        let found = self.by_id.get(&key.id).and_then(|&at| self.records.get(at));
        let is_right = found.map_or(&nobody, |(_, expected)| expected).is(key, pepper);
        match found {
            None => Err(Denied::UnknownKey),
            Some(_) if !is_right => Err(Denied::Signature),
            Some((record, _)) if record.revoked.is_some() => Err(Denied::Revoked),
            Some((record, _)) if record.is_expired(now) => Err(Denied::Expired),
            Some((record, _)) => Ok(record),
        }
    }

    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut store = Self::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            // serde_json's own words could show what stands in the line.
            let record: KeyRecord = serde_json::from_str(line)
                .map_err(|error| (number, format!("no record of a key, at column {}", error.column())))?;
            store.add(record).map_err(|what| (number, what.to_owned()))?;
        }
        Ok(store)
    }

    fn add(&mut self, record: KeyRecord) -> Result<(), &'static str> {
        let expected = record.expected()?;
        if self.by_id.insert(record.id.clone(), self.records.len()).is_some() {
            return Err("another key has this id");
        }
        self.records.push((record, expected));
        Ok(())
    }
}

/// A file of keys that nobody else changes until this is dropped.
#[derive(Debug)]
pub struct LockedStore {
    path: PathBuf,
    store: KeyStore,
    _lock: File,
}

impl LockedStore {
    /// Waits for others that change the file, then reads it. The lock is a file beside it, which stays.
    ///
    /// # Errors
    /// A file that cannot be read or locked.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let beside = with_suffix(path, ".lock");
        let failed = |error| StoreError::Io { path: beside.clone(), error };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&beside)
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { path: path.to_owned(), store: KeyStore::read(path)?, _lock: lock })
    }

    /// What the file holds.
    pub fn keys(&self) -> &KeyStore {
        &self.store
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Another with the same id, or a file that cannot be written.
    pub fn add(&mut self, record: KeyRecord) -> Result<(), StoreError> {
        let line = self.store.records.len() + 1;
        let added = self.store.add(record);
        added.map_err(|what| StoreError::Line { path: self.path.clone(), line, what: what.into() })?;
        self.write()
    }

    /// Revokes the key with this id; `false` where there is none. One that was revoked before stays so from then on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn revoke(&mut self, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        let at = self.store.by_id.get(id).copied();
        let Some((record, _)) = at.and_then(|at| self.store.records.get_mut(at)) else { return Ok(false) };
        record.revoked.get_or_insert(super::record::seconds(now));
        self.write().map(|()| true)
    }

    /// Writes a new file and puts it in the old one's place: readers see the one or the other, whatever happens between.
    fn write(&self) -> Result<(), StoreError> {
        let fresh = with_suffix(&self.path, ".new");
        let written = self.write_to(&fresh).and_then(|()| {
            fs::rename(&fresh, &self.path)?;
            let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        written.map_err(|error| StoreError::Io { path: self.path.clone(), error })
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut text = String::new();
        for record in self.store.records() {
            text.push_str(&serde_json::to_string(record)?);
            text.push('\n');
        }
        // Left over from a program that was killed: the lock is ours.
        fs::remove_file(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // The gateway may run as another user than the one who makes keys: whoever could read the old file can read this.
        if let Ok(old) = fs::metadata(&self.path) {
            let own = file.metadata()?;
            if (old.uid(), old.gid()) != (own.uid(), own.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o660))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::identity::Claims;
    use crate::secret::Secret;

    fn pepper(text: &str) -> Pepper {
        Pepper::new(&Secret::new(text))
    }

    fn record(key: &ApiKey, expires: Option<SystemTime>) -> KeyRecord {
        let claims: Claims = [("scope".to_owned(), "read".into())].into_iter().collect();
        KeyRecord::new(key, &pepper("a"), "alice", "laptop", SystemTime::now(), expires, claims).unwrap()
    }

    #[test]
    fn keys_are_verified_against_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.jsonl");
        let (good, late, gone) =
            (ApiKey::generate().unwrap(), ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        let now = SystemTime::now();
        let mut file = LockedStore::open(&path).unwrap();
        file.add(record(&good, None)).unwrap();
        file.add(record(&late, Some(now - Duration::from_secs(1)))).unwrap();
        file.add(record(&gone, None)).unwrap();
        assert!(file.revoke(&gone.id, now).unwrap() && !file.revoke("0000000000000000", now).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        let store = KeyStore::read(&path).unwrap();
        assert_eq!(store.records().count(), 3);
        let verify = |key: &ApiKey, pepper: &Pepper| store.verify(key, pepper, now).map(drop);
        assert_eq!(store.verify(&good, &pepper("a"), now).unwrap().subject, "alice");
        assert_eq!(verify(&late, &pepper("a")), Err(Denied::Expired));
        assert_eq!(verify(&gone, &pepper("a")), Err(Denied::Revoked));
        assert_eq!(verify(&good, &pepper("b")), Err(Denied::Signature));
        assert_eq!(verify(&ApiKey::generate().unwrap(), &pepper("a")), Err(Denied::UnknownKey));
        let mut mixed = ApiKey::parse(late.text().reveal()).unwrap();
        mixed.id = good.id.clone();
        assert_eq!(verify(&mixed, &pepper("a")), Err(Denied::Signature));
    }

    #[test]
    fn a_record_that_was_tampered_with_vouches_for_nobody() {
        let key = ApiKey::generate().unwrap();
        let line = serde_json::to_string(&record(&key, None)).unwrap();
        let secret = key.text().reveal().splitn(3, '_').nth(2).unwrap().to_owned();
        assert!(!line.contains(&secret[..16]), "the store holds no secret");
        let renamed = line.replace("laptop", "phone");
        for (text, expected) in [
            (line.clone(), Ok(())),
            (renamed, Ok(())),
            (line.replace("alice", "admin"), Err(Denied::Signature)),
            (line.replace("\"read\"", "\"write\""), Err(Denied::Signature)),
            (line.replace("\"claims\"", "\"expires\":9999999999,\"claims\""), Err(Denied::Signature)),
        ] {
            let store = KeyStore::parse(&text).unwrap();
            let verified = store.verify(&key, &pepper("a"), SystemTime::now()).map(drop);
            assert_eq!(verified, expected, "{text}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        let key = ApiKey::generate().unwrap();
        let line = serde_json::to_string(&record(&key, None)).unwrap();
        for (text, number) in [
            (format!("{line}\n\n{line}\n"), 3),
            (line.replace("alice", " "), 1),
            (line.replace(&key.id, "xyz"), 1),
            (line.replace("\"hash\":\"", "\"hash\":\"A"), 1),
            (line.replace("alice", "a\\nb"), 1),
            (format!("{line}\n{{\"secret\": 1}}"), 2),
            (line[..line.len() / 2].to_owned(), 1),
        ] {
            let (at, what) = KeyStore::parse(&text).unwrap_err();
            assert_eq!(at, number, "{text}");
            assert!(!what.contains("alice") && !what.contains("secret"), "{what}");
        }
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode_and_takes_turns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.jsonl");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let key = ApiKey::generate().unwrap();
                    LockedStore::open(&path).unwrap().add(record(&key, None)).unwrap();
                });
            }
        });
        assert_eq!(KeyStore::read(&path).unwrap().records().count(), 8);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640, "nobody else gets to read it");
    }
}
