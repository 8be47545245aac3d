//! The store's thread: takes what is queued, seals payloads, commits, prunes; and goes on trying while the disk fails.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cell::Timestamp;
use crate::chain::Anchor;
use crate::counts::Counts;
use crate::payload::Payload;
use crate::queue::{Batch, Lost, Queue};
use crate::record::Record;
use crate::row::bound_to;
use crate::seal::Recipient;
use crate::store::{Keep, Store, StoreError};

/// What the thread works with.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) store: Store,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counts: Arc<Counts>,
    /// How long a record waits for others to be written with.
    pub(crate) linger: Duration,
    pub(crate) keep: Keep,
    pub(crate) recipient: Option<Recipient>,
    /// The word of this process in records.
    pub(crate) process: String,
    pub(crate) anchoring: Anchoring,
    pub(crate) ending: Arc<Ending>,
}

/// Tells those who keep anchors what the last row is.
pub(crate) struct Anchoring {
    interval: Duration,
    due: Instant,
    head: Anchor,
    told: Anchor,
    tell: Box<dyn Fn(Record) + Send>,
}

impl Anchoring {
    pub(crate) fn new(interval: Duration, tell: Box<dyn Fn(Record) + Send>) -> Self {
        let head = Anchor::default();
        Self { interval, due: Instant::now() + interval, head, told: head, tell }
    }

    fn tell(&mut self, process: &str) {
        self.due = Instant::now() + self.interval;
        if self.told != self.head {
            self.told = self.head;
            (self.tell)(Record {
                timestamp: Timestamp::now(),
                event: ANCHORED,
                process: Some(process.to_owned()),
                anchor: Some(self.head.to_string()),
                ..Record::default()
            });
        }
    }
}

/// Until when a thread may go on trying after its queue was closed.
#[derive(Debug, Default)]
pub(crate) struct Ending(Mutex<Option<Instant>>);

impl Ending {
    pub(crate) fn set(&self, deadline: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// How long to wait after a failure: doubled each time, up to the second.
pub(crate) const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Once the queue is closed there is not much time left.
const HURRY: Duration = Duration::from_millis(50);
/// How often it is looked whether there are rows to prune.
const PRUNE: Duration = Duration::from_secs(60);
/// The part of the file's bound after which it is looked in any case.
const PRUNE_PART: u64 = 64;

impl Writer {
    /// Until the queue is closed and everything in it is written, or the time for that is over.
    pub(crate) fn run(mut self) {
        let (mut prune_at, mut unpruned) = (Instant::now(), 0_u64);
        let part = self.keep.size.map_or(u64::MAX, |size| size / PRUNE_PART);
        while let Some(batch) = self.queue.take(self.linger, prune_at.min(self.anchoring.due)) {
            unpruned += batch.entries.iter().map(|entry| entry.record.size() as u64).sum::<u64>();
            if !batch.entries.is_empty() {
                self.write(batch);
            }
            if prune_at <= Instant::now() || unpruned > part {
                unpruned = 0;
                prune_at = Instant::now() + if self.prune() { Duration::ZERO } else { PRUNE };
            }
            if self.anchoring.due <= Instant::now() {
                self.anchoring.tell(&self.process);
            }
        }
        self.anchoring.tell(&self.process);
    }

    fn write(&mut self, batch: Batch) {
        let records = self.records(&batch);
        let written = self.persist(&records);
        self.queue.settle(batch, written);
    }

    /// The rows of a batch. What was lost before it is said before it.
    fn records(&self, batch: &Batch) -> Vec<Arc<Record>> {
        let lost = (batch.lost > 0).then(|| Arc::new(lost(batch.lost, &self.process)));
        let sealed = batch.entries.iter().map(|entry| match &entry.record.payload {
            Payload::Clear(clear) => Arc::new(self.sealed(&entry.record, clear)),
            _ => entry.record.clone(),
        });
        lost.into_iter().chain(sealed).collect()
    }

    fn sealed(&self, record: &Record, clear: &[u8]) -> Record {
        let bound_to = bound_to(record.process.as_deref(), record.serial);
        let sealed = self.recipient.as_ref().and_then(|recipient| {
            let sealed = recipient.seal(clear, &bound_to);
            let sealed = sealed.inspect_err(|error| tracing::error!(%error, "a payload is not kept"));
            Some((sealed.ok()?, recipient.short()))
        });
        let (payload, recipient) = match sealed {
            Some((sealed, short)) => (Payload::Sealed(sealed), Some(short)),
            None => (Payload::None, None),
        };
        Record { payload, recipient, ..record.clone() }
    }

    /// Commits, however long that takes.
    fn persist(&mut self, records: &[Arc<Record>]) -> Result<(), Lost> {
        let mut pause = BACKOFF.0;
        loop {
            match self.store.append(records.iter().map(|record| &**record)) {
                Ok(head) => {
                    self.anchoring.head = head;
                    if self.counts.fails(false) {
                        tracing::info!(path = %self.path.display(), "the audit store is written again");
                    }
                    return Ok(());
                }
                Err(error) => self.failed(&error),
            }
            let is_closed = self.queue.pause(pause);
            if is_closed {
                if self.ending.is_over() {
                    return Err(Lost);
                }
                std::thread::sleep(HURRY);
            }
            pause = (pause * 2).min(BACKOFF.1);
            // Its disk may have come back. A file that somebody took away is not made anew: that would hide it.
            if self.path.exists()
                && let Ok(store) = Store::open(&self.path)
            {
                self.store = store;
            }
        }
    }

    fn failed(&self, error: &StoreError) {
        if self.counts.fails(true) {
            tracing::error!(%error, "the audit store cannot be written: records wait");
        }
    }

    /// Whether there is more to prune.
    fn prune(&mut self) -> bool {
        let process = self.process.clone();
        let pruned = self.store.prune(&self.keep, |rows, last| Record {
            timestamp: Timestamp::now(),
            event: PRUNED,
            process: Some(process),
            count: Some(rows),
            anchor: Some(last.to_string()),
            ..Record::default()
        });
        match pruned {
            Ok(pruned) => pruned.more,
            Err(error) => {
                tracing::warn!(%error, "rows that are due are not removed from the audit store");
                false
            }
        }
    }
}

/// Rows were removed, as it is configured.
pub(crate) const PRUNED: &str = "audit.pruned";
/// Records were dropped.
pub(crate) const LOST: &str = "audit.lost";
/// What the store's last row is, for those who keep it elsewhere.
pub(crate) const ANCHORED: &str = "audit.anchored";

/// Says that records were dropped.
pub(crate) fn lost(count: u64, process: &str) -> Record {
    Record {
        timestamp: Timestamp::now(),
        event: LOST,
        process: Some(process.to_owned()),
        count: Some(count),
        ..Record::default()
    }
}
