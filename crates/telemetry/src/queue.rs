//! Spans that wait to be sent: in bounded number, and whoever hands one in never waits for whoever takes them out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::counts::{Counts, Loss};
use crate::span::Ended;

/// Spans on their way from the data plane to the exporter.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Box<Ended>>>,
    room: usize,
    batch: usize,
    filled: Notify,
    counts: Arc<Counts>,
}

impl Queue {
    /// A queue for `room` spans, of which `batch` are taken out at a time.
    pub(crate) fn new(room: usize, batch: usize, counts: Arc<Counts>) -> Self {
        // All of its own memory now, so that no thread of the data plane ever moves it.
        let waiting = Mutex::new(VecDeque::with_capacity(room));
        Self { waiting, room, batch: batch.min(room), filled: Notify::new(), counts }
    }

    /// Hands a span in; it is dropped and counted where there is no room. Nobody is woken but for a full batch: to wake a thread for
    /// each span would cost more than the span.
    pub(crate) fn put(&self, span: Box<Ended>) {
        let mut waiting = self.lock();
        if waiting.len() >= self.room {
            drop(waiting);
            self.counts.lost(Loss::Full, 1);
            return;
        }
        waiting.push_back(span);
        let is_batch = waiting.len().is_multiple_of(self.batch);
        drop(waiting);
        if is_batch {
            self.filled.notify_one();
        }
    }

    /// Takes a batch out, or what there is; `None` where there is nothing.
    pub(crate) fn take(&self) -> Option<Vec<Ended>> {
        let mut waiting = self.lock();
        let number = waiting.len().min(self.batch);
        (number > 0).then(|| waiting.drain(..number).map(|span| *span).collect())
    }

    /// Completes when there is a batch to be taken out.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<Ended>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::counts::Signal;

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_a_full_batch_is_told() {
        let counts = Arc::<Counts>::default();
        let queue = Queue::new(3, 2, counts.clone());
        assert!(queue.take().is_none());
        for _ in 0..5 {
            queue.put(Box::new(Ended::of_a_test()));
        }
        queue.filled().await;
        assert_eq!(queue.take().unwrap().len(), 2);
        assert_eq!(queue.take().unwrap().len(), 1);
        assert_eq!(counts.figures(Signal::Traces).lost, [2, 0, 0]);
    }
}
