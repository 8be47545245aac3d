//! What waits to go on, in bounded memory: the oldest is dropped for what comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Activity, MAX_DATAGRAM};

/// How much of a flow waits for the session at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: usize,
    /// Datagrams: short ones take room beside their bytes.
    pub datagrams: usize,
}

/// Datagrams of a flow that wait for the session.
#[derive(Debug)]
pub struct Queue {
    room: Room,
    waiting: Mutex<Waiting>,
    more: Notify,
    last: Activity,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    /// An empty one.
    pub fn new(room: Room) -> Self {
        let (waiting, more, last, over) = Default::default();
        Self { room, waiting, more, last, over }
    }

    /// Takes a datagram in. Where there is no room, the oldest ones go.
    pub fn push(&self, datagram: &[u8]) {
        self.last.note();
        let mut waiting = self.lock();
        if datagram.len() > MAX_DATAGRAM {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += datagram.len();
        waiting.datagrams.push_back(Bytes::copy_from_slice(datagram));
        while waiting.bytes > self.room.bytes || waiting.datagrams.len() > self.room.datagrams {
            let Some(oldest) = waiting.datagrams.pop_front() else { break };
            waiting.bytes -= oldest.len();
            waiting.dropped += 1;
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// The one that has waited longest; waits for it.
    pub async fn next(&self) -> Bytes {
        loop {
            if let Some(datagram) = self.pop() {
                return datagram;
            }
            self.more.notified().await;
        }
    }

    /// When something last went either way.
    pub fn last(&self) -> Instant {
        self.last.at()
    }

    pub(super) const fn activity(&self) -> &Activity {
        &self.last
    }

    /// Nothing is taken out any more.
    pub fn close(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub fn is_closed(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// How many were dropped.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn pop(&self) -> Option<Bytes> {
        let mut waiting = self.lock();
        let datagram = waiting.datagrams.pop_front()?;
        waiting.bytes -= datagram.len();
        Some(datagram)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { bytes: 256 << 10, datagrams: 256 };

    #[tokio::test]
    async fn the_oldest_are_dropped_and_the_newest_come_in_order() {
        let queue = Queue::new(ROOM);
        for number in 0..2000_u32 {
            queue.push(&number.to_be_bytes());
        }
        assert_eq!(queue.dropped(), 2000 - ROOM.datagrams as u64);
        for number in 2000 - ROOM.datagrams..2000 {
            assert_eq!(queue.next().await, u32::try_from(number).unwrap_or_default().to_be_bytes()[..]);
        }
        assert!(queue.pop().is_none());
        for _ in 0..100 {
            queue.push(&[7; MAX_DATAGRAM]);
        }
        assert!(queue.lock().bytes <= ROOM.bytes);
        assert_eq!(queue.lock().datagrams.len(), ROOM.bytes / MAX_DATAGRAM);
        queue.push(&[7; MAX_DATAGRAM + 1]);
        assert_eq!(queue.lock().datagrams.len(), ROOM.bytes / MAX_DATAGRAM);
        // Empty ones are datagrams too, and are bounded like others.
        let empty = Queue::new(ROOM);
        (0..2000).for_each(|_| empty.push(b""));
        assert_eq!((empty.next().await.len(), empty.lock().datagrams.len()), (0, ROOM.datagrams - 1));
    }
}
