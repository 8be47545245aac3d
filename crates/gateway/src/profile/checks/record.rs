//! What is written down.

use super::super::finding::Finding;
use super::super::view::View;
use crate::config::LogSink;

/// Audit events.
pub(in super::super) fn audited(view: &View<'_>) -> Vec<Finding> {
    let audit = &view.config.audit;
    let is_kept = audit.store.is_some() || !audit.sinks.is_empty();
    vec![match view.config.log.audit {
        _ if is_kept => Finding::holds(
            "audit",
            "each event has its name, time, listener, client, route, subject, method, and what came of it",
        ),
        LogSink::Off => Finding::lacks("log.audit", "no audit event is written", "give `stdout`, or a path"),
        _ => Finding::holds(
            "log.audit",
            "each event has its name, time, listener, client, route, subject, method, and what came of it",
        ),
    }]
}

/// Requests and sessions.
pub(in super::super) fn accesses_logged(view: &View<'_>) -> Vec<Finding> {
    vec![match view.config.log.access {
        LogSink::Off => {
            Finding::lacks("log.access", "requests are not written down", "give `stdout`, or a path")
        }
        _ => Finding::holds("log.access", "each request and session has a line"),
    }]
}
