//! Orders to a live session from outside its task: new settings, a later end, or an end at once.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::time::{Instant, timeout_at};
use wicketgate_policy::{Facts, Policy};

use super::config::WebSocketConfig;
use super::end::End;

/// What a session is told to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Go on under these settings, and judge messages by this policy.
    Settings(Arc<WebSocketConfig>, Policy),
    /// The client's credential was renewed: this is known of it now.
    Facts(Arc<Facts>),
    /// Send the client this text message, between two of the upstream's.
    Say(String),
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
    /// Stays where it is when it is used: a session says who is to be woken once, not at every poll.
    waker: Mutex<Option<Waker>>,
}

impl Control {
    /// Leaves an order.
    pub fn give(&self, order: Order) {
        lock(&self.orders).push(order);
        self.waiting.store(true, Ordering::Release);
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }

    /// Has `waker` woken by every order from now on. Orders that came before are found by [`Self::take`].
    pub(super) fn listen(&self, waker: &Waker) {
        *lock(&self.waker) = Some(waker.clone());
    }

    /// Waits for the order to end. For sessions whose messages nobody looks at: orders about those mean nothing here.
    pub async fn ended(&self) -> End {
        self.ended_but(|_| false).await
    }

    /// The same, where some orders to end are passed by.
    pub async fn ended_but(&self, passes_by: impl Fn(&End) -> bool) -> End {
        let mut until: Option<(Instant, End)> = None;
        loop {
            let orders = poll_fn(|cx| {
                self.listen(cx.waker());
                match self.take() {
                    orders if orders.is_empty() => Poll::Pending,
                    orders => Poll::Ready(orders),
                }
            });
            let orders = match until {
                None => orders.await,
                Some((at, end)) => match timeout_at(at, orders).await {
                    Ok(orders) => orders,
                    Err(_) if passes_by(&end) => {
                        until = None;
                        continue;
                    }
                    Err(_) => return end,
                },
            };
            for order in orders {
                match order {
                    Order::End(end) if passes_by(&end) => {}
                    Order::End(end) => return end,
                    Order::Until(other) => until = other,
                    Order::Settings(..) | Order::Facts(_) | Order::Say(_) => {}
                }
            }
        }
    }

    /// Orders that came since the last call.
    #[inline]
    pub(super) fn take(&self) -> Vec<Order> {
        if !self.waiting.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.waiting.store(false, Ordering::Release);
        std::mem::take(&mut *lock(&self.orders))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_waited_for_whatever_else_is_ordered() {
        let control = Control::default();
        control.give(Order::Say("nobody hears it".into()));
        control.give(Order::Until(Some((Instant::now() + Duration::from_secs(60), End::Idle))));
        let start = Instant::now();
        assert_eq!(control.ended().await, End::Idle);
        assert_eq!(start.elapsed().as_secs(), 60);
        control.give(Order::Until(Some((Instant::now() + Duration::from_secs(60), End::Idle))));
        control.give(Order::Until(None));
        let (end, ()) = tokio::join!(control.ended(), async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            control.give(Order::End(End::Drained));
        });
        assert_eq!(end, End::Drained);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_passed_by_hides_no_other_end() {
        let control = Control::default();
        let waits = || control.ended_but(|end| *end == End::Drained);
        control.give(Order::Until(Some((Instant::now() + Duration::from_secs(60), End::Idle))));
        control.give(Order::End(End::Drained));
        // The time that was set before counts on.
        assert_eq!(waits().await, End::Idle);
        let (end, ()) = tokio::join!(waits(), async {
            control.give(Order::End(End::Drained));
            tokio::time::sleep(Duration::from_secs(1)).await;
            control.give(Order::End(End::Idle));
        });
        assert_eq!(end, End::Idle);
    }
}
