//! Sessions that an operator ends.

use schemars::JsonSchema;
use serde::Serialize;
use wicketgate_audit::{self as audit, Event, Who};

use super::selector::Selector;
use crate::gateway::Shared;
use crate::pump::{End, Order};

/// How many were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ended {
    /// How many there were.
    pub ended: usize,
}

/// Ends the sessions that are meant; an audit event says so of each thing that they were picked by.
pub async fn kick(shared: &Shared, selector: &Selector, who: &Who<'_>) -> Ended {
    let snapshot = shared.snapshot();
    let mut ended = 0;
    for live in shared.sessions.all().into_iter().filter(|live| selector.takes(live)) {
        let codes = snapshot.route(&live.route).map(|route| route.guard.close_codes()).unwrap_or_default();
        live.control.give(Order::End(End::Kicked(codes.kicked)));
        ended += 1;
    }
    for (kind, value) in selector.given() {
        let selector = audit::Selector { kind, value: &value };
        shared.audit.wait(&Event::Kicked { selector, sessions: ended }, who).await;
    }
    Ended { ended }
}
