//! What is found in a session's messages: counted, and told to whoever audits.

use std::sync::Arc;

use bytes::Bytes;
use wicketgate_audit::{About, Audit, Content, Direction, Event, Finding, Mode, Outcome as Fate, Ticket};
use wicketgate_policy::{self as policy, Action, DataKind, Enforcement, Keep, Message, Outcome, Verdict};

use crate::gateway::Route;
use crate::pump::Report;
use crate::sessions::Live;

/// Tells of one session's messages. Where a record has to be durable before its message goes on, there is a ticket for it.
pub(super) fn report(audit: &Audit, live: &Arc<Live>, route: &Arc<Route>) -> Report {
    let (audit, live, route) = (audit.clone(), live.clone(), route.clone());
    Box::new(move |direction, message, outcome| {
        for finding in &outcome.findings {
            route.metrics.found(direction, finding);
        }
        tell(&audit, &live, &about(direction, message, outcome), outcome)
    })
}

fn tell(audit: &Audit, live: &Live, message: &About<'_>, outcome: &Outcome) -> Option<Ticket> {
    let identity = live.standing.identity();
    let who = live.who(identity.as_deref());
    for finding in &outcome.findings {
        let verdict = fate_of(finding, &outcome.verdict);
        audit.log(&Event::Finding { message: *message, finding: found(finding), verdict }, &who);
    }
    let content = match outcome.keep.as_ref()? {
        Keep::Metadata => Content::Metadata,
        Keep::Excerpt(excerpt) => Content::Excerpt(excerpt),
        Keep::Whole(payload) => Content::Whole(Bytes::copy_from_slice(payload)),
    };
    let event = Event::Recorded { message: *message, verdict: fate(&outcome.verdict), content };
    audit.record(event.record(&who))
}

fn about<'a>(direction: policy::Direction, message: &Message<'_>, outcome: &'a Outcome) -> About<'a> {
    About {
        direction: match direction {
            policy::Direction::ToUpstream => Direction::ToUpstream,
            policy::Direction::ToClient => Direction::ToClient,
        },
        kind: Some(&*outcome.kind).filter(|kind| !kind.is_empty()),
        is_text: message.kind == DataKind::Text,
        size: message.payload.len(),
    }
}

fn found(finding: &policy::Finding) -> Finding<'_> {
    Finding {
        step: &finding.step,
        rule: finding.rule.as_deref(),
        class: finding.class,
        field: Some(&finding.path),
        excerpt: finding.excerpt.as_deref(),
        mode: match finding.enforcement {
            Enforcement::Enforce => Mode::Enforce,
            Enforcement::Observe => Mode::Observe,
        },
    }
}

/// What became of the message on account of a finding; where that is nothing, what became of it at last.
const fn fate_of(finding: &policy::Finding, verdict: &Verdict) -> Fate {
    match finding.action {
        Action::Recorded => fate(verdict),
        Action::Rewritten => Fate::Rewritten,
        Action::Dropped => Fate::Dropped,
        Action::Replied => Fate::Replied,
        Action::Closed => Fate::Closed,
    }
}

const fn fate(verdict: &Verdict) -> Fate {
    match verdict {
        Verdict::Forward(_) => Fate::Forwarded,
        Verdict::Rewrite(..) => Fate::Rewritten,
        Verdict::Drop => Fate::Dropped,
        Verdict::Reply(_) => Fate::Replied,
        Verdict::Close(_) => Fate::Closed,
    }
}
