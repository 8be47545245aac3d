//! Sessions that an operator has ended: no ticket serves for them any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::session::SessionId;

/// The most that are remembered; beyond it the oldest are forgotten, about 50 bytes each.
const MAX: usize = 100_000;

/// Sessions that an operator has ended, as long as a ticket for them may be about.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<HashMap<SessionId, Instant>>);

impl Ended {
    /// Remembers a session for this long.
    pub(super) fn add(&self, session: SessionId, time: Duration) {
        let now = Instant::now();
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MAX {
            ended.retain(|_, until| *until > now);
        }
        if ended.len() >= MAX
            && let Some(oldest) = ended.iter().min_by_key(|(_, until)| **until).map(|(session, _)| *session)
        {
            ended.remove(&oldest);
        }
        ended.insert(session, now + time);
    }

    /// Whether a session was ended.
    pub(super) fn has(&self, session: SessionId) -> bool {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get(&session).is_some_and(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_ended_as_long_as_a_ticket_may_be_about() {
        let ended = Ended::default();
        ended.add(SessionId([1; 16]), Duration::from_secs(60));
        ended.add(SessionId([2; 16]), Duration::ZERO);
        assert!(ended.has(SessionId([1; 16])));
        assert!(!ended.has(SessionId([2; 16])) && !ended.has(SessionId([3; 16])));
    }
}
