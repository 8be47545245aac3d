//! Captures: copies of a route's messages for an operator who learns from them. A session never waits for one: what finds no room is
//! dropped, and counted.
//!
//! At most one capture runs at a time. [`Tap`] is a session's side of it, [`Captures`] the operator's.

mod queue;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use wicketgate_learn::Redactor;
use wicketgate_learn::line::Line;
use wicketgate_policy::{Direction, Message};

pub use self::queue::Bounds;
use self::queue::Queue;

/// The captures of this process.
#[derive(Debug, Default)]
pub struct Captures {
    /// Whether one runs: all that a session asks while none does.
    is_running: AtomicBool,
    running: Mutex<Option<Running>>,
    started: AtomicU64,
    /// Messages of the running one that found somebody else at the queue.
    missed: AtomicU64,
    /// What covers the running one's messages. No session asks for it.
    covering: Mutex<Option<(u64, Redactor)>>,
}

#[derive(Debug)]
struct Running {
    id: u64,
    wanted: Wanted,
    queue: Queue,
    asked: Instant,
}

/// What is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The messages of this route's sessions.
    pub route: Arc<str>,
    /// One session of so many, by its number.
    pub every: u64,
}

/// What was captured since the last time that somebody asked.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, their secrets covered.
    pub lines: Vec<Line>,
    /// How many were dropped since, so that no session waits.
    pub dropped: u64,
    /// How many could not be read, and so may hold secrets.
    pub left_out: u64,
}

impl Captures {
    /// Starts one; its number. None while another runs.
    pub fn start(&self, wanted: Wanted, bounds: Bounds, redactor: Redactor) -> Option<u64> {
        let mut running = self.running();
        if running.as_ref().is_some_and(|running| !running.is_forgotten()) {
            return None;
        }
        let id = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        self.missed.store(0, Ordering::Relaxed);
        *self.covering() = Some((id, redactor));
        *running = Some(Running { id, wanted, queue: Queue::new(bounds), asked: Instant::now() });
        self.is_running.store(true, Ordering::Release);
        Some(id)
    }

    /// Takes what was captured. None where this one does not run any more.
    pub fn take(&self, id: u64) -> Option<Batch> {
        let (lines, dropped) = {
            let mut running = self.running();
            let running = running.as_mut().filter(|running| running.id == id)?;
            running.asked = Instant::now();
            running.queue.take()
        };
        // Sessions go on meanwhile: the queue is free.
        let mut covering = self.covering();
        let (_, redactor) = covering.as_mut().filter(|(of, _)| *of == id)?;
        let taken = lines.len();
        let lines: Vec<Line> = lines.into_iter().filter_map(|line| redactor.redact(line)).collect();
        let left_out = (taken - lines.len()) as u64;
        Some(Batch { lines, dropped: dropped + self.missed.swap(0, Ordering::Relaxed), left_out })
    }

    /// Ends it, and forgets what was not taken.
    pub fn stop(&self, id: u64) {
        let mut running = self.running();
        if running.as_ref().is_some_and(|running| running.id == id) {
            self.is_running.store(false, Ordering::Release);
            *running = None;
            *self.covering() = None;
        }
    }

    fn covering(&self) -> MutexGuard<'_, Option<(u64, Redactor)>> {
        self.covering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Whether whoever started it has not asked for so long that nobody will.
    fn is_forgotten(&self) -> bool {
        self.asked.elapsed() > queue::PATIENCE
    }
}

/// A session's side of captures.
#[derive(Clone, Debug)]
pub struct Tap {
    captures: Arc<Captures>,
    session: u64,
    route: Arc<str>,
    subprotocol: Option<Box<str>>,
}

impl Tap {
    /// That of a session of this number.
    pub fn new(
        captures: Arc<Captures>,
        session: u64,
        route: Arc<str>,
        subprotocol: Option<Box<str>>,
    ) -> Self {
        Self { captures, session, route, subprotocol }
    }

    /// Copies a message for the capture that runs, where one wants it. Never waits.
    pub fn note(&self, direction: Direction, message: &Message<'_>) {
        if !self.captures.is_running.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut running) = self.captures.running.try_lock() else {
            self.captures.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Some(capture) = running.as_mut() else { return };
        if capture.wanted.route != self.route || !self.session.is_multiple_of(capture.wanted.every) {
            return;
        }
        if capture.is_forgotten() {
            self.captures.is_running.store(false, Ordering::Release);
            *running = None;
            return;
        }
        capture.queue.push(message.payload.len(), || Line {
            name: None,
            session: self.session,
            time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok(),
            subprotocol: Some(self.subprotocol.as_deref().unwrap_or_default().into()),
            direction,
            kind: message.kind,
            payload: message.payload.to_vec(),
            covered: Vec::new(),
            expect: None,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_policy::{DataKind, Policy};

    use super::*;

    fn start(captures: &Captures, every: u64) -> Option<u64> {
        let wanted = Wanted { route: "chat".into(), every };
        captures.start(wanted, BOUNDS, Redactor::new(Policy::trivial(), Vec::new()))
    }

    const BOUNDS: Bounds = Bounds { messages: 3, bytes: 10_000, message: 5_000 };

    fn note(captures: &Arc<Captures>, session: u64, route: &str, payload: &[u8]) {
        let tap = Tap::new(captures.clone(), session, route.into(), None);
        tap.note(Direction::ToUpstream, &Message { kind: DataKind::Text, payload });
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
        assert_eq!((batch.lines.len(), batch.dropped, batch.left_out), (1, 1, 1));
        assert_eq!((batch.lines[0].payload.as_slice(), batch.lines[0].session), (&b"one"[..], 2));
        for _ in 0..5 {
            note(&captures, 2, "chat", b"many");
        }
        let batch = captures.take(id).unwrap();
        assert_eq!((batch.lines.len(), batch.dropped), (3, 2));
        captures.stop(id);
        note(&captures, 2, "chat", b"behind");
        assert!(captures.take(id).is_none());
        assert!(start(&captures, 1).is_some_and(|next| next != id));
    }

    #[test]
    fn a_session_never_waits() {
        let captures = Arc::new(Captures::default());
        let id = start(&captures, 1).unwrap();
        let held = captures.running();
        note(&captures, 1, "chat", b"a");
        drop(held);
        assert_eq!(captures.take(id).unwrap().dropped, 1);
    }
}
