//! What is found in a session's messages: counted, and told to whoever audits.

use std::sync::Arc;

use bytes::Bytes;
use wicketgate_audit::{About, Audit, Content, Event, Finding, Outcome as Fate, Ticket, Who};
use wicketgate_policy::{self as policy, DataKind, Direction, Enforcement, Keep, Message, Outcome, Verdict};

use crate::gateway::{Route, Shared};
use crate::pump::Report;
use crate::sessions::Live;

/// Tells of one session's messages. Where a record has to be durable before its message goes on, there is a ticket for it.
pub(super) fn report(shared: &Shared, live: &Arc<Live>, route: &Arc<Route>) -> Report {
    let (audit, findings) = (shared.audit.clone(), shared.findings.clone());
    let (live, route) = (live.clone(), route.clone());
    Box::new(move |direction, message, outcome| {
        let identity = live.standing.identity();
        let who = live.who(identity.as_deref());
        for finding in &outcome.findings {
            route.metrics.found(direction, finding);
            findings.in_message(&who, direction, finding);
        }
        tell(&audit, &who, direction, message, outcome)
    })
}

fn tell(
    audit: &Audit,
    who: &Who<'_>,
    direction: Direction,
    message: &Message<'_>,
    outcome: &Outcome,
) -> Option<Ticket> {
    for finding in &outcome.findings {
        audit.log(&Event::Finding(found(direction, finding)), who);
    }
    let content = match outcome.keep.as_ref()? {
        Keep::Metadata => Content::Metadata,
        Keep::Excerpt(excerpt) => Content::Excerpt(excerpt),
        Keep::Whole(payload) => Content::Whole(Bytes::copy_from_slice(payload)),
    };
    let message = about(direction, message, outcome);
    let event = Event::Recorded { message, verdict: fate(&outcome.verdict), content };
    audit.record(event.record(who))
}

fn about<'a>(direction: Direction, message: &Message<'_>, outcome: &'a Outcome) -> About<'a> {
    About {
        direction: direction.label(),
        kind: Some(&*outcome.kind).filter(|kind| !kind.is_empty()),
        is_text: message.kind == DataKind::Text,
        size: message.payload.len(),
    }
}

fn found(direction: Direction, finding: &policy::Finding) -> Finding<'_> {
    Finding {
        direction: direction.label(),
        step: &finding.step,
        class: finding.class,
        rule: finding.rule.as_deref(),
        path: &finding.path,
        detail: &finding.detail,
        excerpt: finding.excerpt.as_deref(),
        action: finding.action.label(),
        observed: finding.enforcement == Enforcement::Observe,
    }
}

const fn fate(verdict: &Verdict) -> Fate {
    match verdict {
        Verdict::Forward(_) => Fate::Forwarded,
        // What becomes of it where a picture cannot be marked, a finding says.
        Verdict::Rewrite(..) | Verdict::Mark(_) => Fate::Rewritten,
        Verdict::Drop => Fate::Dropped,
        Verdict::Reply(_) => Fate::Replied,
        Verdict::Close(_) => Fate::Closed,
    }
}
