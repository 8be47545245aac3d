//! Copies of messages: for whom, how many, and at what cost.

#![allow(clippy::unwrap_used)]
use wicketgate_learn::Redactor;
use wicketgate_policy::{DataKind, Direction, Message, Policy, Verdict};

use super::*;

const BOUNDS: Bounds = Bounds { messages: 3, bytes: 10_000, message: 5_000 };

fn cover() -> Cover {
    Cover::new(Redactor::new(Policy::trivial(), Vec::new()), Box::new(|| Some(None)))
}

fn start(captures: &Captures, every: u64) -> Option<u64> {
    let wanted = Wanted { every, ..Wanted::all_of("chat".into()) };
    captures.start(wanted, BOUNDS, cover())
}

fn tap(captures: &Arc<Captures>, session: u64, route: &str) -> Tap {
    Tap::new(captures.clone(), session, route.into(), None)
}

fn note(captures: &Arc<Captures>, session: u64, route: &str, payload: &[u8]) {
    let message = Message { kind: DataKind::Text, payload };
    tap(captures, session, route).note(Direction::ToUpstream, &message, &Verdict::Drop);
}

fn look(watch: &mut Watch) -> Batch {
    watch.take().unwrap()
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.copies.iter().map(|copy| std::str::from_utf8(&copy.line.payload).unwrap()).collect()
}

#[test]
fn what_is_wanted_is_taken_and_what_finds_no_room_is_counted() {
    let captures = Arc::new(Captures::default());
    note(&captures, 2, "chat", b"before");
    let id = start(&captures, 2).unwrap();
    assert_eq!(start(&captures, 1), None);
    note(&captures, 2, "chat", b"one");
    note(&captures, 3, "chat", b"not this session");
    note(&captures, 2, "other", b"not this route");
    note(&captures, 4, "chat", &[b'x'; 5_001]);
    note(&captures, 4, "chat", b"password=hunter2");
    let batch = captures.take(id).unwrap();
    assert_eq!((texts(&batch), batch.dropped, batch.left_out), (vec!["one"], 1, 1));
    assert_eq!((batch.copies[0].line.session, batch.copies[0].verdict), (2, "dropped"));
    for _ in 0..5 {
        note(&captures, 2, "chat", b"many");
    }
    let batch = captures.take(id).unwrap();
    assert_eq!((batch.copies.len(), batch.dropped), (3, 2));
    captures.stop(id);
    note(&captures, 2, "chat", b"behind");
    assert!(captures.take(id).is_none());
    assert!(start(&captures, 1).is_some_and(|next| next != id));
}

#[test]
fn several_look_on_each_at_what_is_asked_for() {
    let captures = Arc::new(Captures::default());
    let watch = |wanted| captures.watch(wanted, BOUNDS, cover());
    let mut one = watch(Wanted { session: Some(1), ..Wanted::all_of("chat".into()) });
    let mut down = watch(Wanted { direction: Some(Direction::ToClient), ..Wanted::all_of("chat".into()) });
    let mut binary = watch(Wanted { kind: Some(DataKind::Binary), ..Wanted::all_of("chat".into()) });
    let id = start(&captures, 1).unwrap();
    // The taps of sessions that go on all the while.
    let (mut first, mut second) = (tap(&captures, 1, "chat"), tap(&captures, 2, "chat"));
    let say = |tap: &mut Tap, direction, kind, text: &str| {
        tap.note(direction, &Message { kind, payload: text.as_bytes() }, &Verdict::Drop);
    };
    say(&mut first, Direction::ToUpstream, DataKind::Text, "a");
    say(&mut second, Direction::ToClient, DataKind::Text, "b");
    say(&mut second, Direction::ToUpstream, DataKind::Binary, "c");
    assert_eq!(texts(&look(&mut one)), ["a"]);
    assert_eq!(texts(&look(&mut down)), ["b"]);
    assert_eq!(texts(&look(&mut binary)), ["c"]);
    assert_eq!(texts(&captures.take(id).unwrap()), ["a", "b", "c"]);
    // Who does not look any more gets nothing, and the others go on.
    drop((one, binary));
    say(&mut first, Direction::ToClient, DataKind::Binary, "d");
    assert_eq!(texts(&look(&mut down)), ["d"]);
    drop(down);
    captures.stop(id);
    say(&mut first, Direction::ToClient, DataKind::Text, "e");
    assert!(captures.feeds().is_empty());
}

#[test]
fn a_session_never_waits() {
    let captures = Arc::new(Captures::default());
    let mut watch = captures.watch(Wanted::all_of("chat".into()), BOUNDS, cover());
    let mut tap = tap(&captures, 1, "chat");
    let mut say = || {
        tap.note(Direction::ToUpstream, &Message { kind: DataKind::Text, payload: b"a" }, &Verdict::Drop);
    };
    let changing = captures.feeds();
    say();
    drop(changing);
    say();
    let feed = captures.feeds()[0].clone();
    let held = feed.hold();
    say();
    drop(held);
    let batch = look(&mut watch);
    assert_eq!((texts(&batch), batch.dropped), (vec!["a"], 1));
}

#[test]
fn what_covers_is_as_new_as_what_is_taken() {
    let captures = Arc::new(Captures::default());
    let secret = |paths: &[&str]| {
        Redactor::new(Policy::trivial(), paths.iter().map(|path| path.parse().unwrap()).collect())
    };
    let mut renewals = vec![None, Some(Some(secret(&["plan"])))];
    let renew = Box::new(move || renewals.pop().unwrap_or(Some(None)));
    let id = captures.start(Wanted::all_of("chat".into()), BOUNDS, Cover::new(secret(&[]), renew)).unwrap();
    note(&captures, 1, "chat", br#"{"plan": "to leave at dawn"}"#);
    let batch = captures.take(id).unwrap();
    assert!(!texts(&batch).concat().contains("dawn"), "{:?}", texts(&batch));
    note(&captures, 1, "chat", b"the route is gone");
    assert!(captures.take(id).is_none());
}
