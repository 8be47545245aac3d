//! A session's side of captures: what it costs while nobody looks is one number that is read for each message.

use std::sync::Arc;
use std::time::SystemTime;

use wicketgate_learn::line::Line;
use wicketgate_policy::{Direction, Message, Verdict};

use super::Captures;
use super::feed::Feed;
use super::queue::Copied;

/// A session's side of captures.
#[derive(Clone, Debug)]
pub struct Tap {
    captures: Arc<Captures>,
    session: u64,
    route: Arc<str>,
    subprotocol: Option<Box<str>>,
    /// The change of captures that `feeds` are of.
    seen: u64,
    /// Those that want this session's messages: almost always none.
    feeds: Box<[Arc<Feed>]>,
}

impl Tap {
    /// That of a session of this number.
    pub fn new(
        captures: Arc<Captures>,
        session: u64,
        route: Arc<str>,
        subprotocol: Option<Box<str>>,
    ) -> Self {
        Self { captures, session, route, subprotocol, seen: 0, feeds: Box::default() }
    }

    /// Copies a message for whoever wants it. Never waits.
    pub fn note(&mut self, direction: Direction, message: &Message<'_>, verdict: &Verdict) {
        let changes = self.captures.changes();
        if changes != self.seen {
            // Somebody else is at it: the next message asks again.
            let Some(feeds) = self.captures.try_feeds(&self.route, self.session) else { return };
            (self.seen, self.feeds) = (changes, feeds);
        }
        for feed in &self.feeds {
            feed.offer(direction, message, || self.copy(direction, message, verdict));
        }
    }

    fn copy(&self, direction: Direction, message: &Message<'_>, verdict: &Verdict) -> Copied {
        let line = Line {
            name: None,
            session: self.session,
            time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok(),
            subprotocol: Some(self.subprotocol.as_deref().unwrap_or_default().into()),
            direction,
            kind: message.kind,
            payload: message.payload.to_vec(),
            covered: Vec::new(),
            expect: None,
        };
        Copied { line, verdict: verdict.label() }
    }
}
