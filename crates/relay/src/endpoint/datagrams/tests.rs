//! Flows of datagrams over a way that a test holds.

#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const IDLE: Duration = Duration::from_secs(60);

impl Outlet for mpsc::UnboundedSender<Vec<u8>> {
    async fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        mpsc::UnboundedSender::send(self, datagram.to_vec()).map_err(io::Error::other)
    }
}

struct End {
    waiting: Arc<Queue>,
    came: mpsc::UnboundedReceiver<Vec<u8>>,
    carried: JoinHandle<io::Result<()>>,
}

fn end(stream: DuplexStream) -> End {
    let (mut outlet, came) = mpsc::unbounded_channel();
    let waiting = Arc::new(Queue::new(Room { bytes: 256 << 10, datagrams: 256 }));
    let queue = waiting.clone();
    let carried = tokio::spawn(async move { carry(stream, &queue, &mut outlet, IDLE, pending()).await });
    End { waiting, came, carried }
}

#[tokio::test]
async fn datagrams_keep_their_borders_whatever_pieces_they_come_in() {
    for room in [1, 7, 4096, 1 << 20] {
        let (one, two) = duplex(room);
        let (near, mut far) = (end(one), end(two));
        for length in [0, 1, 2, 512, 1472, 9000, MAX_DATAGRAM] {
            let sent = vec![u8::try_from(length % 251).unwrap(); length];
            near.waiting.push(&sent);
            assert_eq!(far.came.recv().await.unwrap(), sent);
        }
        far.waiting.push(b"back");
        let mut came = near.came;
        assert_eq!(came.recv().await.unwrap(), b"back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_flow_ends_at_both_ends_and_no_sooner() {
    let (one, two) = duplex(4096);
    let (near, mut far) = (end(one), end(two));
    for _ in 0..5 {
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        near.waiting.push(b"still");
        assert_eq!(far.came.recv().await.unwrap(), b"still");
    }
    let start = Instant::now();
    near.carried.await.unwrap().unwrap();
    far.carried.await.unwrap().unwrap();
    assert!(
        start.elapsed() >= IDLE && start.elapsed() < IDLE + Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_the_session_holds_up_is_not_a_quiet_one() {
    // Nobody reads at the other end.
    let (one, _two) = duplex(16);
    let near = end(one);
    for _ in 0..5 {
        near.waiting.push(b"more than the way takes");
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        assert!(!near.waiting.is_closed());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(near.waiting.is_closed());
}

#[tokio::test]
async fn what_is_no_datagram_ends_the_flow_and_nothing_of_it_goes_on() {
    for (bytes, kind) in [
        (&[0xff, 0xe4, 1, 2, 3][..], io::ErrorKind::InvalidData),
        (&[0xff, 0xff][..], io::ErrorKind::InvalidData),
        // An end in the midst of one.
        (&[0, 5, 1, 2], io::ErrorKind::UnexpectedEof),
        (&[0], io::ErrorKind::UnexpectedEof),
    ] {
        let (ours, mut theirs) = duplex(4096);
        let mut near = end(ours);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let ended = timeout(IDLE, near.carried).await.unwrap().unwrap();
        assert_eq!(ended.unwrap_err().kind(), kind, "{bytes:?}");
        assert!(near.came.recv().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_stands_still_holds_little_and_then_the_newest() {
    let (one, two) = duplex(4096);
    let near = end(one);
    let numbers = |number: u32| [&number.to_be_bytes()[..], &[0; 1000]].concat();
    for number in 0..10_000 {
        near.waiting.push(&numbers(number));
        tokio::task::yield_now().await;
    }
    // The way takes 4 KiB, and no more: the rest is dropped, the oldest first.
    assert!(near.waiting.dropped() >= 9_700, "{}", near.waiting.dropped());
    let mut far = end(two);
    let mut came = Vec::new();
    while came.last() != Some(&9_999) {
        let datagram = far.came.recv().await.unwrap();
        assert_eq!(datagram.len(), 1004);
        came.push(u32::from_be_bytes(datagram[..4].try_into().unwrap()));
    }
    assert!(came.is_sorted_by(|one, two| one < two) && came.len() < 300, "{came:?}");
    assert!(came.contains(&9_800));
}
