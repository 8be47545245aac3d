//! Orders to a live session from outside its task: new settings, a later end, or an end at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use tokio::time::Instant;

use super::config::WebSocketConfig;
use super::end::End;

/// What a session is told to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Go on under these settings.
    Settings(Arc<WebSocketConfig>),
    /// End for this reason.
    End(End),
    /// End for this reason at this time, instead of the one that was set before; never, where there is none.
    Until(Option<(Instant, End)>),
}

/// The ear of a session: orders are left here, and the session is woken to find them.
#[derive(Debug, Default)]
pub struct Control {
    waiting: AtomicBool,
    orders: Mutex<Vec<Order>>,
    waker: AtomicWaker,
}

impl Control {
    /// Leaves an order.
    pub fn give(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.waiting.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Has `waker` woken by every order from now on.
    pub(super) fn listen(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Orders that came since the last call.
    #[inline]
    pub(super) fn take(&self) -> Vec<Order> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
