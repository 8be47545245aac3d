//! What a session's messages are judged with: the route's policy, what is known of the client, and who is told.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use wicketgate_audit::Ticket;
use wicketgate_policy::{DataKind, Direction, Facts, Message, Outcome, Pictures, Policy, Session, Verdict};

use crate::pictures::{Marking, Pool};

use crate::capture::Tap;
use crate::latency::{Latencies, Sampler};

/// Takes what was found in a message, or is to be recorded of it; must not block. The message goes on no sooner than the ticket
/// says, where there is one.
pub type Report = Box<dyn Fn(Direction, &Message<'_>, &Outcome) -> Option<Ticket> + Send + Sync>;

/// The beginning of the clock that the policies of all sessions go by.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What a session's messages are judged with.
pub struct Inspector {
    /// When the session began, by the clock of all.
    began: Duration,
    policy: Policy,
    session: Session,
    report: Report,
    pictures: Arc<Pool>,
    /// Where messages are captured; none where nobody could ask for it.
    tap: Option<Tap>,
    latencies: Arc<Latencies>,
    sampler: Sampler,
}

impl Inspector {
    /// For a new session of this client.
    pub fn new(
        policy: Policy,
        facts: Arc<Facts>,
        report: Report,
        pictures: Arc<Pool>,
        tap: Option<Tap>,
        latencies: Arc<Latencies>,
    ) -> Self {
        let (began, session) = (BEGINNING.elapsed(), Session::new(facts));
        Self { began, policy, session, report, pictures, tap, latencies, sampler: Sampler::default() }
    }

    /// Has the session's messages judged by another policy from now on.
    pub(super) fn follow(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The client's credential was renewed.
    pub(super) fn set_facts(&mut self, facts: Arc<Facts>) {
        self.session.set_facts(facts);
    }

    /// Judges a message that came at `now`, since the session's begin; the ticket of its record is left in `awaited`.
    pub(super) fn judge(
        &mut self,
        direction: Direction,
        message: Message<'_>,
        now: Duration,
        awaited: &mut Vec<Ticket>,
    ) -> Verdict {
        if self.policy.name().is_some() {
            let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.session.at(self.began + now, unix);
        }
        let outcome = match self.sampler.is_next() {
            false => self.policy.judge(&mut self.session, direction, message),
            true => {
                let began = std::time::Instant::now();
                let outcome = self.policy.judge(&mut self.session, direction, message);
                self.latencies.judging.note(began.elapsed());
                outcome
            }
        };
        if let Some(tap) = &mut self.tap {
            tap.note(direction, &message, &outcome.verdict);
        }
        if outcome.keep.is_some() || !outcome.findings.is_empty() {
            awaited.extend((self.report)(direction, &message, &outcome));
        }
        outcome.verdict
    }

    /// Has a message's pictures marked; where there is no room for that, what becomes of the message.
    pub(super) fn mark(
        &self,
        direction: Direction,
        kind: DataKind,
        pictures: Box<Pictures>,
    ) -> Result<Marking, Verdict> {
        self.pictures.mark(pictures).map_err(|outcome| self.tell(direction, kind, outcome))
    }

    /// Tells what was found while pictures were marked. What is to be recorded of the message was when the steps had judged it.
    pub(super) fn tell(&self, direction: Direction, kind: DataKind, outcome: Outcome) -> Verdict {
        if !outcome.findings.is_empty() {
            (self.report)(direction, &Message { kind, payload: &[] }, &outcome);
        }
        outcome.verdict
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("policy", &self.policy).finish_non_exhaustive()
    }
}
