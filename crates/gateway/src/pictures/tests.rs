//! The pool's bounds.

#![allow(clippy::unwrap_used)]

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use wicketgate_policy::{DataKind, Direction, Message, Pictures, Policy, Session, Verdict};

use super::Pool;
use super::config::PicturesConfig;
use crate::config::parse;

/// A PNG of one grey, 2000 by 2000 pixels: small to send, and long to work on.
fn pictures() -> Box<Pictures> {
    let text = "
listeners: [{name: l, bind: 127.0.0.1:1}]
upstreams: [{name: u, targets: ['ws://127.0.0.1:2']}]
routes: [{name: r, upstream: u, policy: p}]
policies:
  - name: p
    format: binary
    to_client: [{watermark: {invisible: {key: {value: a-key-of-at-least-32-characters!}}}}]
";
    let (config, _) = parse("test.yaml", text, &|_| None).unwrap();
    let policy: &Policy = &config.policies[0];
    let mut file = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(2000, 2000, image::Luma([99]))
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    let message = Message { kind: DataKind::Binary, payload: &file.into_inner() };
    match policy.judge(&mut Session::new(Arc::default()), Direction::ToClient, message).verdict {
        Verdict::Mark(pictures) => pictures,
        other => panic!("{other:?}"),
    }
}

fn config() -> PicturesConfig {
    PicturesConfig { threads: 1, queue: 1, memory: 1 << 30, time: Duration::from_secs(300) }
}

#[tokio::test]
async fn a_picture_is_marked_and_its_memory_given_back() {
    let pool = Pool::new(&config());
    let mut marking = pool.mark(pictures()).unwrap();
    assert!(pool.used() > 2000 * 2000 * 32);
    let outcome = poll_fn(|cx| marking.poll(cx)).await;
    assert!(matches!(outcome.verdict, Verdict::Rewrite(..)));
    // The thread lets go of it after it has told the outcome.
    while pool.used() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_finds_no_memory_no_room_or_no_time_is_refused() {
    let small = Pool::new(&PicturesConfig { memory: 1 << 20, ..config() });
    assert_eq!(small.mark(pictures()).unwrap_err().findings[0].class, "picture_no_room");
    assert_eq!(small.used(), 0);

    let full = Pool::new(&config());
    // One may be at work and one waits: of three, one finds no room.
    let markings: Vec<_> = (0..3).map(|_| full.mark(pictures())).collect();
    let refused = markings.iter().filter_map(|marking| marking.as_ref().err()).next().unwrap();
    assert_eq!(refused.findings[0].class, "picture_no_room");
    assert!(matches!(refused.verdict, Verdict::Close(_)));

    let hasty = Pool::new(&PicturesConfig { time: Duration::from_millis(1), ..config() });
    let mut marking = hasty.mark(pictures()).unwrap();
    tokio::time::sleep_until(marking.until()).await;
    let outcome = poll_fn(|cx| marking.poll(cx)).await;
    assert_eq!(outcome.findings[0].class, "picture_slow");
}
