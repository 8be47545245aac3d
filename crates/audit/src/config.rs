//! The section `audit` of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wicketgate_config::{At, Item, Problems, Size, Time};

use crate::seal::Recipient;
use crate::sink::config::{RawSink, SinkConfig};
use crate::store::Keep;

/// Where audit records are kept, and who else gets them. `log.audit` is beside it. It changes only at a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAudit {
    /// The store: a file in which a change shows. Without this key nothing is kept.
    pub store: Option<Item<RawStore>>,
    /// Whoever gets records beside it. At most 16.
    pub sinks: Vec<Item<RawSink>>,
    /// How often the sinks get the number and hash of the store's last row, where it has changed: with it somebody who wrote the whole
    /// file anew is found out. 1s to 1d.
    pub anchor_interval: At<Time>,
}

/// The store: one SQLite file whose rows are chained by their hashes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// The file. It is made where there is none, in a folder that is there, for its user alone.
    pub path: At<PathBuf>,
    /// `guaranteed`: a message goes on, and a session opens, only after its record is on the disk; they wait while the disk is
    /// slow or full. `best_effort`: nothing waits, and records are dropped and counted when the queue is full.
    pub mode: Durability,
    /// What may wait to be written, 64KiB to 4GiB. A record takes about 1 KiB, and its payload where that is kept. This is
    /// the worst case in memory; in mode `guaranteed` each direction of a session may hold one record more.
    pub queue: At<Size>,
    /// How long a record may wait for others to be committed with, 0s to 10s. Default: 0s in mode `guaranteed`, else 200ms.
    pub commit_interval: Option<At<Time>>,
    /// How long records are kept, 1m to 36500d. Without it: as long as there is room.
    pub keep_age: Option<At<Time>>,
    /// How large the file may become, 1MiB to 64TiB; the oldest records go. Beside it there is a log of changes of up to 64 MiB.
    /// Without it: as large as the disk allows.
    pub keep_size: Option<At<Size>>,
    /// The public key that whole payloads are encrypted to, as `wicketgate audit key` prints it. The gateway cannot read them.
    /// Without it no whole payload is kept.
    pub payload_key: Option<At<String>>,
}

/// Whether messages wait for their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// They do.
    Guaranteed,
    /// They do not.
    BestEffort,
}

impl Default for RawAudit {
    fn default() -> Self {
        Self { store: None, sinks: Vec::new(), anchor_interval: At::nowhere(Time::secs(300)) }
    }
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            path: At::default(),
            mode: Durability::BestEffort,
            queue: At::nowhere(Size(16 << 20)),
            commit_interval: None,
            keep_age: None,
            keep_size: None,
            payload_key: None,
        }
    }
}

/// Where audit records are kept, and who else gets them.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditConfig {
    /// The store.
    pub store: Option<StoreConfig>,
    /// Whoever gets records beside it.
    pub sinks: Vec<SinkConfig>,
    /// How often sinks get the store's last row.
    pub anchor_interval: Duration,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { store: None, sinks: Vec::new(), anchor_interval: RawAudit::default().anchor_interval.0 }
    }
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The file.
    pub path: PathBuf,
    /// Whether messages wait for their records.
    pub mode: Durability,
    /// What may wait to be written, in bytes.
    pub queue: usize,
    /// How long a record may wait for others to be committed with.
    pub commit_interval: Duration,
    /// What is kept.
    pub keep: Keep,
    /// Whom whole payloads are encrypted to.
    pub recipient: Option<Recipient>,
}

/// The most sinks.
const MAX_SINKS: usize = 16;

impl RawAudit {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> AuditConfig {
        let mut sinks: Vec<SinkConfig> = Vec::new();
        for sink in self.sinks.into_iter().filter(|sink| sink.whole) {
            let place = sink.place;
            let Some(sink) = sink.value.check(place, problems) else { continue };
            if sinks.len() == MAX_SINKS {
                problems.error(
                    place,
                    format!("there are more than {MAX_SINKS} sinks"),
                    "take some of them out",
                );
            }
            if sinks.iter().any(|other| other.name == sink.name) {
                let what = format!("`{}` is the name of a sink already", sink.name);
                problems.error(place, what, "give it another one");
            }
            sinks.push(sink);
        }
        let interval =
            problems.in_range("anchor_interval", &self.anchor_interval, Time::secs(1)..=Time::secs(86_400));
        let store = self.store.filter(|store| store.whole);
        AuditConfig {
            store: store.and_then(|store| store.value.check(store.place, problems)),
            sinks,
            anchor_interval: interval.0,
        }
    }
}

impl RawStore {
    fn check(self, place: wicketgate_config::Place, problems: &mut Problems) -> Option<StoreConfig> {
        let path = self.path.value;
        if path.as_os_str().is_empty() {
            problems.error(
                place,
                "the audit store has no `path`",
                "give one, as in /var/lib/wicketgate/audit.db",
            );
            return None;
        }
        let queue = problems.in_range("queue", &self.queue, Size(64 << 10)..=Size(4 << 30));
        let usual = match self.mode {
            Durability::Guaranteed => Duration::ZERO,
            Durability::BestEffort => Duration::from_millis(200),
        };
        let commit = self
            .commit_interval
            .map(|time| problems.in_range("commit_interval", &time, Time::millis(0)..=Time::secs(10)).0);
        let day = 86_400;
        let age = self
            .keep_age
            .map(|age| problems.in_range("keep_age", &age, Time::secs(60)..=Time::secs(36_500 * day)).0);
        let size = self
            .keep_size
            .map(|size| problems.in_range("keep_size", &size, Size(1 << 20)..=Size(64 << 40)).0);
        let recipient = self.payload_key.and_then(|key| match key.parse::<Recipient>() {
            Ok(recipient) => Some(recipient),
            Err(error) => {
                problems.error(key.place, error.to_string(), "make a pair: wicketgate audit key FILE");
                None
            }
        });
        Some(StoreConfig {
            path,
            mode: self.mode,
            queue: usize::try_from(queue.0).unwrap_or(usize::MAX),
            commit_interval: commit.unwrap_or(usual),
            keep: Keep { age, size },
            recipient,
        })
    }
}
