//! The latest findings, for an operator to see. A session never waits for it: what finds somebody else here is dropped, and counted.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use wicketgate_admission::RequestFinding;
use wicketgate_audit::Who;
use wicketgate_policy::{Direction, Enforcement, Finding};

/// The step under which what rules find in requests is told.
pub const IN_REQUESTS: &str = "admission.crs";

/// The longest text that is kept of a finding, in bytes; what is longer is cut.
const TEXT_MAX: usize = 512;

/// The latest findings of all sessions, in bounded memory: at most about 3 KiB each.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many are kept; 0: none.
    kept: AtomicUsize,
    seen: AtomicU64,
    missed: AtomicU64,
    ring: Mutex<VecDeque<Found>>,
}

/// A finding. Nothing in it is the message's or request's own but a masked excerpt, and the name of what it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number, from 1; in order of time.
    pub number: u64,
    /// When it was found.
    pub time: SystemTime,
    /// The route.
    pub route: Box<str>,
    /// The session; none where it was found in a request.
    pub session: Option<u64>,
    /// Who the client proved to be.
    pub subject: Option<Box<str>>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// `to_upstream` or `to_client`.
    pub direction: &'static str,
    /// The step of the policy, or [`IN_REQUESTS`].
    pub step: Box<str>,
    /// What was found, in a stable word.
    pub class: &'static str,
    /// The rule that found it.
    pub rule: Option<Box<str>>,
    /// Where in the message, or in the request as rules name it.
    pub path: Box<str>,
    /// More about it.
    pub detail: Box<str>,
    /// A masked piece of what it was found in.
    pub excerpt: Option<Box<str>>,
    /// What became of the message or request on account of it.
    pub action: &'static str,
    /// Whether the step only observes.
    pub observed: bool,
}

impl Findings {
    /// Keeps the latest `kept`, from the first on.
    pub fn keeping(kept: usize) -> Self {
        Self { kept: kept.into(), ..Self::default() }
    }

    /// Keeps the latest `kept` from now on; with 0 none, and nothing is done for any.
    pub fn keep(&self, kept: usize) {
        self.kept.store(kept, Ordering::Relaxed);
        let mut ring = self.lock();
        let over = ring.len().saturating_sub(kept);
        ring.drain(..over);
    }

    /// Notes what a step found in a session's message. Never waits.
    pub fn in_message(&self, who: &Who<'_>, direction: Direction, finding: &Finding) {
        self.note(|number| Found {
            direction: direction.label(),
            step: cut(&finding.step),
            class: finding.class,
            rule: finding.rule.as_deref().map(cut),
            path: cut(&finding.path),
            detail: cut(&finding.detail),
            excerpt: finding.excerpt.as_deref().map(cut),
            action: finding.action.label(),
            observed: finding.enforcement == Enforcement::Observe,
            ..Found::by(who, number)
        });
    }

    /// Notes what rules found in a request. Never waits.
    pub fn in_request(&self, who: &Who<'_>, finding: &RequestFinding, action: &'static str) {
        self.note(|number| Found {
            class: finding.class,
            rule: finding.rule.map(|rule| rule.to_string().into()),
            path: cut(&finding.variable),
            detail: cut(&finding.detail),
            excerpt: finding.excerpt.as_deref().map(cut),
            action,
            observed: finding.enforcement == Enforcement::Observe,
            ..Found::by(who, number)
        });
    }

    fn note(&self, found: impl FnOnce(u64) -> Found) {
        let kept = self.kept.load(Ordering::Relaxed);
        if kept == 0 {
            return;
        }
        let found = found(self.seen.fetch_add(1, Ordering::Relaxed) + 1);
        let Ok(mut ring) = self.ring.try_lock() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        while ring.len() >= kept {
            ring.pop_front();
        }
        ring.push_back(found);
    }

    /// How many there were since the process started, and how many of them were not kept because somebody else was here.
    pub fn counts(&self) -> (u64, u64) {
        (self.seen.load(Ordering::Relaxed), self.missed.load(Ordering::Relaxed))
    }

    /// Those that are meant, the latest first, at most `most`.
    pub fn latest(&self, most: usize, is_meant: impl Fn(&Found) -> bool) -> Vec<Found> {
        self.lock().iter().rev().filter(|found| is_meant(found)).take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Found>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// One of this moment, in a request of which no more is known yet.
    fn by(who: &Who<'_>, number: u64) -> Self {
        Self {
            number,
            time: SystemTime::now(),
            route: cut(who.route.unwrap_or_default()),
            session: who.session,
            subject: who.subject.map(cut),
            client: who.client,
            direction: Direction::ToUpstream.label(),
            step: IN_REQUESTS.into(),
            class: "",
            rule: None,
            path: "".into(),
            detail: "".into(),
            excerpt: None,
            action: "",
            observed: false,
        }
    }
}

fn cut(text: &str) -> Box<str> {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            step: "guard".into(),
            class: "sqli",
            rule: None,
            path: "a".into(),
            detail: "é".repeat(TEXT_MAX).into(),
            excerpt: None,
            action: wicketgate_policy::Action::Recorded,
            enforcement: Enforcement::Observe,
        }
    }

    fn of(session: u64) -> Who<'static> {
        Who { route: Some("chat"), session: Some(session), ..Who::default() }
    }

    #[test]
    fn the_latest_are_kept_and_their_texts_cut() {
        let findings = Findings::default();
        let note = |session| findings.in_message(&of(session), Direction::ToUpstream, &finding());
        note(1);
        assert_eq!((findings.counts(), findings.latest(9, |_| true).len()), ((0, 0), 0));
        findings.keep(2);
        (1..=3).for_each(note);
        let kept: Vec<u64> = findings.latest(9, |_| true).iter().filter_map(|found| found.session).collect();
        assert_eq!((kept, findings.counts()), (vec![3, 2], (3, 0)));
        assert!(
            findings.latest(9, |found| found.session == Some(3)).iter().all(|f| f.detail.len() <= TEXT_MAX)
        );
        assert_eq!(findings.latest(1, |_| true).len(), 1);
        findings.keep(1);
        assert_eq!(findings.latest(9, |_| true).len(), 1);
    }

    #[test]
    fn a_session_never_waits() {
        let findings = Findings::default();
        findings.keep(2);
        let held = findings.lock();
        findings.in_message(&of(1), Direction::ToClient, &finding());
        drop(held);
        assert_eq!((findings.counts(), findings.latest(9, |_| true).len()), ((1, 1), 0));
    }
}
