//! The handle by which events are recorded: made once by the process, and shared.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::{AuditConfig, Durability, StoreConfig};
use crate::counts::Counts;
use crate::event::Event;
use crate::queue::{Queue, Ticket, Urgency};
use crate::record::Record;
use crate::sink::{Sink, join};
use crate::store::{Store, StoreError};
use crate::who::Who;
use crate::writer::{Anchoring, Ending, Writer};

/// Takes records for the store and all sinks. Cheap to copy. The default one keeps nothing.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Inner>>);

struct Inner {
    /// A random word of this start.
    process: String,
    serial: AtomicU64,
    store: Option<Kept>,
    sinks: Arc<Sinks>,
}

/// The store's side that records are handed to.
struct Kept {
    mode: Durability,
    keeps_payloads: bool,
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    ending: Arc<Ending>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// All sinks.
struct Sinks(Vec<Sink>);

/// Why the audit cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store's file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sink: its name, and why.
    #[error("the audit sink `{0}` cannot start: {1}")]
    Sink(String, io::Error),
    /// The system has no more threads.
    #[error("the audit cannot start: {0}")]
    System(io::Error),
}

/// What became of records at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `store`, or the name of a sink.
    pub name: String,
    /// Records that it has.
    pub written: u64,
    /// Records that were dropped.
    pub dropped: u64,
    /// What waits, in bytes.
    pub waiting: usize,
    /// Whether it cannot be written just now.
    pub is_failing: bool,
}

impl Audit {
    /// Opens the store and starts the threads.
    ///
    /// # Errors
    /// What cannot be had, with a remedy.
    pub fn start(config: AuditConfig) -> Result<Self, StartError> {
        let process = format!("{:012x}", rand::random::<u64>() & 0xffff_ffff_ffff);
        let mut sinks = Vec::new();
        for sink in config.sinks {
            let name = sink.name.clone();
            sinks.push(Sink::start(sink, &process).map_err(|error| StartError::Sink(name, error))?);
        }
        let sinks = Arc::new(Sinks(sinks));
        let store = match config.store {
            Some(store) => Some(Kept::start(store, &process, config.anchor_interval, sinks.clone())?),
            None => None,
        };
        Ok(Self(Some(Arc::new(Inner { process, serial: AtomicU64::new(0), store, sinks }))))
    }

    /// Queues a record. In mode `guaranteed` the ticket is pending until the record is on the disk; in `best_effort` there is
    /// none.
    pub fn record(&self, record: Record) -> Option<Ticket> {
        let inner = self.0.as_deref()?;
        let urgency = match inner.store.as_ref().map(|store| store.mode) {
            Some(Durability::Guaranteed) => Urgency::Waits,
            Some(Durability::BestEffort) | None => Urgency::Dropped,
        };
        inner.put(record, urgency)
    }

    /// Queues a record that nothing waits for, in either mode. In mode `guaranteed` such records take at most half of the queue:
    /// anybody can cause them, by being refused.
    pub fn note(&self, record: Record) {
        let Some(inner) = self.0.as_deref() else { return };
        let urgency = match inner.store.as_ref().map(|store| store.mode) {
            Some(Durability::Guaranteed) => Urgency::Yields,
            _ => Urgency::Dropped,
        };
        inner.put(record, urgency);
    }

    /// Records an event that nothing waits for.
    pub fn log(&self, event: &Event<'_>, who: &Who<'_>) {
        if self.0.is_some() {
            self.note(event.record(who));
        }
    }

    /// Records an event, and waits until it is on the disk where the store is to guarantee that. Where it was closed before, it
    /// returns all the same: the process is ending.
    pub async fn wait(&self, event: &Event<'_>, who: &Who<'_>) {
        if self.0.is_none() {
            return;
        }
        if let Some(ticket) = self.record(event.record(who)) {
            let _ = ticket.await;
        }
    }

    /// Whether whole payloads are kept: there is a store, and a key to encrypt them to.
    pub fn keeps_payloads(&self) -> bool {
        self.0.as_ref().and_then(|inner| inner.store.as_ref()).is_some_and(|store| store.keeps_payloads)
    }

    /// Whether nothing is held up: not where messages wait for a store that cannot be written.
    pub fn is_ready(&self) -> bool {
        let store = self.0.as_ref().and_then(|inner| inner.store.as_ref());
        store.is_none_or(|store| store.mode == Durability::BestEffort || !store.counts.is_failing())
    }

    /// What became of records at the store and each sink.
    pub fn places(&self) -> Vec<Place> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let place = |name: &str, counts: &Counts, waiting| Place {
            name: name.to_owned(),
            written: counts.all_written(),
            dropped: counts.all_dropped(),
            waiting,
            is_failing: counts.is_failing(),
        };
        let store = inner.store.iter().map(|store| place("store", &store.counts, store.queue.bytes()));
        let sinks = inner.sinks.0.iter().map(|sink| place(sink.name(), &sink.counts, sink.bytes()));
        store.chain(sinks).collect()
    }

    /// Opens the files of sinks anew, for those who rotate them.
    pub fn reopen(&self) {
        if let Some(inner) = &self.0 {
            inner.sinks.0.iter().for_each(Sink::reopen);
        }
    }

    /// Takes nothing more in, and writes what waits, for at most this long: then what is left is lost.
    pub fn close(&self, patience: Duration) {
        let Some(inner) = &self.0 else { return };
        let deadline = Instant::now() + patience;
        if let Some(store) = &inner.store {
            store.ending.set(deadline);
            store.queue.close();
            // Before the sinks: they get its last row.
            join(&store.thread, deadline + GRACE);
        }
        let deadline = deadline.max(Instant::now() + GRACE);
        inner.sinks.0.iter().for_each(|sink| sink.close(deadline));
        inner.sinks.0.iter().for_each(|sink| sink.join(deadline + GRACE));
    }
}

/// What a thread gets beyond its time, to notice that it is over.
const GRACE: Duration = Duration::from_millis(200);

impl Inner {
    fn put(&self, mut record: Record, urgency: Urgency) -> Option<Ticket> {
        record.process = Some(self.process.clone());
        record.serial = Some(self.serial.fetch_add(1, Ordering::Relaxed));
        let payload = std::mem::take(&mut record.payload);
        // Payloads are for the store alone, and only where it can seal them.
        let kept = self.store.as_ref().filter(|store| store.keeps_payloads && !payload.is_empty());
        let whole = kept.map(|_| Arc::new(Record { payload, ..record.clone() }));
        let bare = Arc::new(record);
        self.sinks.put(&bare);
        self.store.as_ref()?.queue.put(whole.unwrap_or(bare), urgency)
    }
}

impl Kept {
    fn start(
        config: StoreConfig,
        process: &str,
        interval: Duration,
        sinks: Arc<Sinks>,
    ) -> Result<Self, StartError> {
        let counts = Arc::<Counts>::default();
        let queue = Arc::new(Queue::new(config.queue, counts.clone()));
        let ending = Arc::<Ending>::default();
        let writer = Writer {
            store: Store::open(&config.path)?,
            path: config.path,
            queue: queue.clone(),
            counts: counts.clone(),
            linger: config.commit_interval,
            keep: config.keep,
            recipient: config.recipient.clone(),
            process: process.to_owned(),
            anchoring: Anchoring::new(interval, Box::new(move |record| sinks.put(&Arc::new(record)))),
            ending: ending.clone(),
        };
        let thread = thread::Builder::new().name("audit-store".into()).spawn(move || writer.run());
        let thread = Mutex::new(Some(thread.map_err(StartError::System)?));
        let keeps_payloads = config.recipient.is_some();
        Ok(Self { mode: config.mode, keeps_payloads, queue, counts, ending, thread })
    }
}

impl Sinks {
    fn put(&self, record: &Arc<Record>) {
        self.0.iter().for_each(|sink| sink.put(record.clone()));
    }
}

/// Threads end with their queues.
impl Drop for Inner {
    fn drop(&mut self) {
        let now = Instant::now();
        if let Some(store) = &self.store {
            store.ending.set(now);
            store.queue.close();
        }
        self.sinks.0.iter().for_each(|sink| sink.close(now));
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Audit").field(&self.places()).finish()
    }
}
