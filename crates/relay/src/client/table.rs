//! The flows of a session, whichever entrance they came in at: all of them share its places, and the quietest makes room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::endpoint::datagrams::{Queue, Room};

/// An entrance, and who sends there.
type Source = (u64, SocketAddr);

/// All flows of a session.
#[derive(Debug)]
pub(super) struct Table {
    max: usize,
    /// For what waits of each.
    queue: Room,
    flows: Mutex<Flows>,
}

#[derive(Debug, Default)]
struct Flows {
    open: HashMap<Source, Flow>,
    /// How many are held; those too whose source has another by now.
    held: usize,
    /// Numbers that were given out.
    numbers: u64,
}

#[derive(Debug)]
struct Flow {
    number: u64,
    waiting: Arc<Queue>,
    over: CancellationToken,
}

impl Flow {
    /// What comes goes on, now or later.
    fn is_live(&self) -> bool {
        !self.over.is_cancelled() && !self.waiting.is_closed()
    }
}

impl Flows {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Makes room for this one, once both ends know.
    fn end_quietest_but(&self, number: u64) {
        let others = self.open.values().filter(|flow| flow.is_live() && flow.number != number);
        if let Some(quietest) = others.min_by_key(|flow| flow.waiting.last()) {
            quietest.over.cancel();
        }
    }
}

/// A flow in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) waiting: Arc<Queue>,
    /// Told where it has to make room.
    pub(super) over: CancellationToken,
    table: Arc<Table>,
    source: Source,
    number: u64,
}

impl Table {
    /// A table that has this many places, and room for each.
    pub(super) fn new(max: usize, queue: Room) -> Self {
        Self { max, queue, flows: Mutex::default() }
    }

    /// The number of another entrance.
    pub(super) fn entrance(&self) -> u64 {
        self.lock().number()
    }

    /// Takes in what a source has sent; gives the flow that is to be carried where that is a new one.
    pub(super) fn take(self: Arc<Self>, source: Source, datagram: &[u8]) -> Option<Held> {
        let mut flows = self.lock();
        if let Some(flow) = flows.open.get(&source).filter(|flow| flow.is_live()) {
            flow.waiting.push(datagram);
            return None;
        }
        // As many as there may be wait for a place already.
        if flows.held >= 2 * self.max {
            return None;
        }
        let number = flows.number();
        let (waiting, over) = (Arc::new(Queue::new(self.queue)), CancellationToken::new());
        waiting.push(datagram);
        flows.open.insert(source, Flow { number, waiting: waiting.clone(), over: over.clone() });
        flows.held += 1;
        if flows.open.values().filter(|flow| flow.is_live()).count() > self.max {
            flows.end_quietest_but(number);
        }
        drop(flows);
        Some(Held { waiting, over, table: self, source, number })
    }

    fn lock(&self) -> MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Has another flow end: the agent has no place for this one.
    pub(super) fn make_room(&self) {
        self.table.lock().end_quietest_but(self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut flows = self.table.lock();
        flows.held -= 1;
        if flows.open.get(&self.source).is_some_and(|flow| flow.number == self.number) {
            flows.open.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    const A_WHILE: Duration = Duration::from_secs(1);

    fn source(entrance: u64, port: u16) -> Source {
        (entrance, ([127, 0, 0, 1], port).into())
    }

    #[tokio::test(start_paused = true)]
    async fn the_quietest_of_all_entrances_makes_room_and_never_the_new_one() {
        let table = Arc::new(Table::new(2, Room { bytes: 1 << 16, datagrams: 9 }));
        let (one, two) = (table.entrance(), table.entrance());
        let take = |source| table.clone().take(source, b"x");
        let first = take(source(one, 1)).unwrap();
        sleep(A_WHILE).await;
        let second = take(source(one, 2)).unwrap();
        sleep(A_WHILE).await;
        assert!(take(source(one, 1)).is_none() && !first.over.is_cancelled());
        sleep(A_WHILE).await;
        // The same address at another entrance is another flow, whose entrance has none that could make room.
        let third = take(source(two, 1)).unwrap();
        assert!(second.over.is_cancelled() && !first.over.is_cancelled() && !third.over.is_cancelled());
        sleep(A_WHILE).await;
        // What comes back counts too.
        first.waiting.push(b"either way");
        let fourth = take(source(two, 2)).unwrap();
        assert!(third.over.is_cancelled() && !first.over.is_cancelled() && !fourth.over.is_cancelled());
        fourth.make_room();
        assert!(first.over.is_cancelled() && !fourth.over.is_cancelled());
        fourth.make_room();
        assert!(!fourth.over.is_cancelled());
    }

    #[test]
    fn a_flow_that_is_over_swallows_nothing_and_many_are_not_held() {
        let table = Arc::new(Table::new(2, Room { bytes: 1 << 16, datagrams: 9 }));
        let take = || table.clone().take(source(1, 1), b"x");
        let counts = || {
            let flows = table.lock();
            (flows.held, flows.open.len())
        };
        let first = take().unwrap();
        assert!(take().is_none());
        first.waiting.close();
        let second = take().unwrap();
        second.over.cancel();
        let third = take().unwrap();
        // The end of those before leaves it where it is.
        drop((first, second));
        assert!(take().is_none() && !third.over.is_cancelled());
        assert_eq!(counts(), (1, 1));
        third.waiting.close();
        let mut held = vec![third];
        for _ in 0..10 {
            if let Some(flow) = take() {
                flow.waiting.close();
                held.push(flow);
            }
        }
        assert_eq!(held.len(), 4);
        drop(held);
        assert_eq!(counts(), (0, 0));
    }
}
