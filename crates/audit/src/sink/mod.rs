//! Whoever gets records beside the store: each by a queue and a thread of its own, so that a slow or dead one holds up nobody.

pub(crate) mod config;
mod lines;
mod otlp;
mod syslog;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::queue::{Batch, Lost, Queue, Urgency};
use crate::record::Record;
use crate::writer::{BACKOFF, Ending, lost};
use config::{SinkConfig, SinkKind};

/// How records are delivered to one place.
trait Deliver: Send {
    /// Delivers records, from the first on.
    fn deliver(&mut self, records: &[Arc<Record>]) -> Delivered;
}

/// What came of a delivery.
#[derive(Debug, Default)]
struct Delivered {
    /// How many are done with.
    done: usize,
    /// How many of those will never be taken there.
    refused: usize,
    /// Why there are not more of them: they are tried again.
    fault: Option<String>,
}

/// A place that gets records.
pub(crate) struct Sink {
    name: String,
    queue: Arc<Queue>,
    pub(crate) counts: Arc<Counts>,
    ending: Arc<Ending>,
    reopen: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How long a record waits for others to be sent with.
const LINGER: Duration = Duration::from_millis(50);
/// A day: a queue is looked at when something is in it.
const LONG: Duration = Duration::from_secs(86_400);
/// Once the queue is closed there is not much time left.
const HURRY: Duration = Duration::from_millis(50);

impl Sink {
    /// Starts its thread. `process` is the word of this process in records.
    ///
    /// # Errors
    /// A file that cannot be opened, or the system has no more threads.
    pub(crate) fn start(config: SinkConfig, process: &str) -> io::Result<Self> {
        let (counts, ending, reopen) = (Arc::<Counts>::default(), Arc::default(), Arc::default());
        let queue = Arc::new(Queue::new(config.queue, counts.clone()));
        let deliver: Box<dyn Deliver> = match config.kind {
            SinkKind::Lines(lines) => Box::new(lines::Lines::open(lines, Arc::clone(&reopen))?),
            SinkKind::Syslog(syslog) => Box::new(syslog::Syslog::new(*syslog)),
            SinkKind::Otlp(otlp) => Box::new(otlp::Otlp::new(*otlp, process)?),
        };
        let worker = Worker {
            name: config.name.clone(),
            process: process.to_owned(),
            queue: queue.clone(),
            counts: counts.clone(),
            ending: Arc::clone(&ending),
            deliver,
        };
        let thread = thread::Builder::new().name("audit-sink".into()).spawn(move || worker.run())?;
        Ok(Self { name: config.name, queue, counts, ending, reopen, thread: Mutex::new(Some(thread)) })
    }

    /// What the operator calls it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Hands a record in; it is dropped where there is no room.
    pub(crate) fn put(&self, record: Arc<Record>) {
        self.queue.put(record, Urgency::Dropped);
    }

    /// What waits, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Opens its file anew with the next record, where it has one.
    pub(crate) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Takes nothing more in, and delivers what waits until then.
    pub(crate) fn close(&self, deadline: Instant) {
        self.ending.set(deadline);
        self.queue.close();
    }

    /// Waits for the thread to end, at most until then: a peer may hold it a little longer.
    pub(crate) fn join(&self, deadline: Instant) {
        join(&self.thread, deadline);
    }
}

/// Waits for a thread to end, at most until then.
pub(crate) fn join(thread: &Mutex<Option<JoinHandle<()>>>, deadline: Instant) {
    let Some(thread) = thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    while !thread.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    if thread.is_finished() && thread.join().is_err() {
        tracing::error!("a thread of the audit ended early");
    }
}

/// What a sink's thread works with.
struct Worker {
    name: String,
    process: String,
    queue: Arc<Queue>,
    counts: Arc<Counts>,
    ending: Arc<Ending>,
    deliver: Box<dyn Deliver>,
}

impl Worker {
    fn run(mut self) {
        while let Some(batch) = self.queue.take(LINGER, Instant::now() + LONG) {
            if !batch.entries.is_empty() {
                self.send(batch);
            }
        }
    }

    fn send(&mut self, batch: Batch) {
        let lost = (batch.lost > 0).then(|| Arc::new(lost(batch.lost, &self.process)));
        let records: Vec<_> =
            lost.into_iter().chain(batch.entries.iter().map(|entry| entry.record.clone())).collect();
        let (mut left, mut refused, mut pause) = (&records[..], 0, BACKOFF.0);
        let result = loop {
            let delivered = self.deliver.deliver(left);
            left = left.get(delivered.done..).unwrap_or_default();
            refused += delivered.refused;
            if delivered.done > 0 {
                pause = BACKOFF.0;
            }
            match delivered.fault {
                None => break Ok(()),
                Some(why) if self.counts.fails(true) => {
                    tracing::warn!(sink = self.name, why, "audit records cannot be delivered: they wait");
                }
                Some(_) => {}
            }
            if self.queue.pause(pause) {
                if self.ending.is_over() {
                    break Err(Lost);
                }
                thread::sleep(HURRY);
            }
            pause = (pause * 2).min(BACKOFF.1);
        };
        if result.is_ok() && self.counts.fails(false) {
            tracing::info!(sink = self.name, "audit records are delivered again");
        }
        self.queue.settle(batch, result);
        self.counts.refused(refused);
    }
}
