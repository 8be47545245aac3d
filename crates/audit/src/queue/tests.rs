//! Tests of the queue: it is bounded, in order, and says who waits when there is room.

#![allow(clippy::unwrap_used)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const NOW: Duration = Duration::ZERO;

fn record(serial: u64, bytes: usize) -> Arc<Record> {
    Arc::new(Record { serial: Some(serial), excerpt: Some("x".repeat(bytes)), ..Record::default() })
}

fn queue(records: usize) -> (Arc<Queue>, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    (Arc::new(Queue::new(record(0, 100).size() * records, counts.clone())), counts)
}

fn take(queue: &Queue) -> Batch {
    queue.take(NOW, Instant::now()).unwrap()
}

fn serials(batch: &Batch) -> Vec<u64> {
    batch.entries.iter().filter_map(|entry| entry.record.serial).collect()
}

fn poll(ticket: &mut Ticket) -> Poll<Result<(), Lost>> {
    pin!(ticket).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_has_no_room_is_dropped_and_told_with_the_next_that_has() {
    let (queue, counts) = queue(3);
    (0..5).for_each(|n| drop(queue.put(record(n, 100), Urgency::Dropped)));
    assert_eq!(counts.all_dropped(), 2);
    let batch = take(&queue);
    assert_eq!((serials(&batch), batch.lost), (vec![0, 1, 2], 2));
    // Until it is written it takes its room.
    queue.put(record(5, 100), Urgency::Dropped);
    queue.settle(batch, Ok(()));
    queue.put(record(6, 100), Urgency::Dropped);
    let batch = take(&queue);
    assert_eq!((serials(&batch), batch.lost, counts.all_written()), (vec![6], 1, 3));
}

#[test]
fn tickets_wait_in_order_and_none_overtakes() {
    let (queue, counts) = queue(2);
    let mut tickets: Vec<Ticket> =
        (0..5).map(|n| queue.put(record(n, 100), Urgency::Waits).unwrap()).collect();
    let batch = take(&queue);
    assert_eq!(serials(&batch), [0, 1]);
    // There is room for it, and others wait.
    assert!(queue.put(record(9, 0), Urgency::Dropped).is_none() && counts.all_dropped() == 1);
    assert!(tickets.iter_mut().all(|ticket| poll(ticket).is_pending()));
    queue.settle(batch, Ok(()));
    assert!(poll(&mut tickets[0]) == Poll::Ready(Ok(())) && poll(&mut tickets[1]) == Poll::Ready(Ok(())));
    assert!(poll(&mut tickets[2]).is_pending());
    // Whoever goes before there is room takes its record along; who has its place leaves it.
    drop(tickets.pop());
    drop(tickets.remove(2));
    let batch = take(&queue);
    assert_eq!((serials(&batch), batch.lost), (vec![2, 3], 2));
    queue.settle(batch, Ok(()));
    let batch = take(&queue);
    assert_eq!((batch.entries.len(), batch.lost, counts.all_dropped()), (0, 0, 2));
}

#[test]
fn records_that_anybody_can_cause_leave_half_of_the_room() {
    let (queue, counts) = queue(4);
    (0..4).for_each(|n| drop(queue.put(record(n, 100), Urgency::Yields)));
    assert_eq!(counts.all_dropped(), 2);
    queue.put(record(4, 100), Urgency::Dropped);
    assert_eq!(serials(&take(&queue)), [0, 1, 4]);
}

#[test]
fn one_record_larger_than_the_queue_is_not_stuck() {
    let (queue, _) = queue(1);
    let mut ticket = queue.put(record(0, 10_000), Urgency::Waits).unwrap();
    let mut next = queue.put(record(1, 10_000), Urgency::Waits).unwrap();
    for ticket in [&mut ticket, &mut next] {
        queue.settle(take(&queue), Ok(()));
        assert_eq!(poll(ticket), Poll::Ready(Ok(())));
    }
}

#[test]
fn a_closed_queue_is_emptied_and_takes_no_more() {
    let (queue, counts) = queue(1);
    let mut first = queue.put(record(0, 100), Urgency::Waits).unwrap();
    let mut second = queue.put(record(1, 100), Urgency::Waits).unwrap();
    queue.close();
    assert_eq!(poll(&mut second), Poll::Ready(Err(Lost)));
    let mut third = queue.put(record(2, 100), Urgency::Waits).unwrap();
    assert_eq!(poll(&mut third), Poll::Ready(Err(Lost)));
    queue.settle(take(&queue), Ok(()));
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
    assert!(queue.take(NOW, Instant::now()).is_none());
    assert_eq!((counts.all_written(), counts.all_dropped(), queue.bytes()), (1, 2, 0));
}
