//! Pictures are marked on threads of their own: a session waits for its message, and the others of its worker go on.

pub mod config;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;
use wicketgate_policy::{Outcome, Pictures};
use wicketgate_wire::{Budget, Reserved};

use self::config::PicturesConfig;

/// The threads that mark pictures, and how much may wait for them.
pub struct Pool {
    config: PicturesConfig,
    memory: Arc<Budget>,
    /// Where work waits; the threads start with the first of it, for most gateways have none.
    queue: OnceLock<Option<SyncSender<Job>>>,
}

/// A message whose pictures are to be marked.
struct Job {
    pictures: Arc<Pictures>,
    until: Instant,
    done: oneshot::Sender<Outcome>,
    _memory: Reserved,
}

/// A message whose pictures are being marked. Dropped, it stops the work.
#[derive(Debug)]
pub struct Marking {
    pictures: Arc<Pictures>,
    until: Instant,
    done: oneshot::Receiver<Outcome>,
}

impl Pool {
    /// A pool without threads yet.
    pub fn new(config: &PicturesConfig) -> Self {
        let memory = Arc::new(Budget::new(usize::try_from(config.memory).unwrap_or(usize::MAX)));
        Self { config: config.clone(), memory, queue: OnceLock::new() }
    }

    /// Bytes that are held for pictures, as they were reckoned before the work.
    pub fn used(&self) -> usize {
        self.memory.used()
    }

    /// Has pictures marked; where there is no room for them, what becomes of their message.
    pub fn mark(&self, pictures: Box<Pictures>) -> Result<Marking, Outcome> {
        let mut memory = Reserved::new(self.memory.clone());
        let Some(queue) = self.queue.get_or_init(|| self.start()).as_ref() else {
            return Err(pictures.find_no_room());
        };
        if !memory.grow_to(pictures.memory()) {
            return Err(pictures.find_no_room());
        }
        let (pictures, until) = (Arc::<Pictures>::from(pictures), Instant::now() + self.config.time);
        let (sender, done) = oneshot::channel();
        let job = Job { pictures: pictures.clone(), until, done: sender, _memory: memory };
        match queue.try_send(job) {
            Ok(()) => Ok(Marking { pictures, until, done }),
            Err(_) => Err(pictures.find_no_room()),
        }
    }

    /// Starts the threads; they end with the pool. None where the system gives no thread.
    fn start(&self) -> Option<SyncSender<Job>> {
        let (sender, receiver) = sync_channel(self.config.queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut started = 0;
        for number in 0..self.config.threads {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new().name(format!("pictures-{number}"));
            match thread.spawn(move || work(&receiver)) {
                Ok(_) => started += 1,
                Err(error) => tracing::error!(%error, "no thread for pictures"),
            }
        }
        (started > 0).then_some(sender)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.config).finish_non_exhaustive()
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { pictures, until, done, _memory }) = job else { return };
        // Nobody may wait for it any more.
        let is_time_left = || Instant::now() < until && !done.is_closed();
        // A decoder that panics takes one message with it, and not the thread.
        let outcome = catch_unwind(AssertUnwindSafe(|| match is_time_left() {
            true => pictures.mark(&is_time_left),
            false => pictures.run_late(),
        }));
        let outcome = outcome.unwrap_or_else(|_| pictures.fail());
        let _ = done.send(outcome);
    }
}

impl Marking {
    /// When it takes too long.
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// What becomes of the message, once that is known or it took too long.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match Pin::new(&mut self.done).poll(cx) {
            Poll::Ready(Ok(outcome)) => Poll::Ready(outcome),
            Poll::Ready(Err(_)) => Poll::Ready(self.pictures.fail()),
            Poll::Pending if Instant::now() >= self.until => Poll::Ready(self.pictures.run_late()),
            Poll::Pending => Poll::Pending,
        }
    }
}
