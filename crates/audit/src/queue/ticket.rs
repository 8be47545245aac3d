//! Tickets: how whoever hands in a record learns that it is on the disk.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Queue;

/// A record will never be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit store was closed before the record was on the disk")]
pub struct Lost;

/// A place in the queue of the store: pending until the record is on the disk. Whoever drops it while the queue is full takes the
/// record back, which then counts as lost; one that has its place in the queue is written in any case.
#[derive(Debug)]
pub struct Ticket {
    pub(super) slot: Arc<Slot>,
    pub(super) number: u64,
    pub(super) queue: Arc<Queue>,
}

/// What a ticket and the queue share.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Queued,
    Awaited(Waker),
    Durable,
    Lost,
}

impl Ticket {
    /// Whether the record is on the disk.
    ///
    /// # Errors
    /// It will never be.
    pub fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.slot.poll(cx)
    }
}

impl Future for Ticket {
    type Output = Result<(), Lost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_durable(cx)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.slot.is_settled() {
            self.queue.withdraw(self.number);
        }
    }
}

impl Slot {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Durable => return Poll::Ready(Ok(())),
            State::Lost => return Poll::Ready(Err(Lost)),
            State::Awaited(waker) if waker.will_wake(cx.waker()) => {}
            State::Queued | State::Awaited(_) => *state = State::Awaited(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn is_settled(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Durable | State::Lost)
    }

    pub(super) fn settle(&self, result: Result<(), Lost>) {
        let next = if result.is_ok() { State::Durable } else { State::Lost };
        let last = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next);
        if let State::Awaited(waker) = last {
            waker.wake();
        }
    }
}
