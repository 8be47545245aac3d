//! The events: one variant each, one match that gives its name, one place that writes it.

use std::time::Duration;

use tracing::info;

use super::TARGET;
use super::who::Who;

/// Something that an auditor asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// A request passed every check of its route.
    Admitted,
    /// A request or connection did not.
    Refused {
        /// Why, in a stable word.
        reason: &'a str,
        /// The status that answered it; none where the connection ended before there was a request.
        status: Option<u16>,
    },
    /// A session ended.
    Closed {
        /// Why, in a stable word.
        reason: &'a str,
        /// The close code.
        code: u16,
        /// Whose doing it was: `client`, `upstream` or `gateway`.
        by: &'a str,
        /// How long it lasted.
        duration: Duration,
    },
    /// A session's credential was replaced by a later one.
    Renewed,
    /// A policy found something in a message.
    Finding(Finding<'a>),
    /// An operator ended sessions.
    Kicked {
        /// Which ones.
        selector: Selector<'a>,
        /// How many there were.
        sessions: usize,
    },
    /// An operator revoked a credential or subject.
    Revoked {
        /// Which one.
        selector: Selector<'a>,
    },
}

/// What a policy found in a message. Nothing in it is the message's own but a masked excerpt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// `to_upstream` or `to_client`.
    pub direction: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// What was found, in a stable word.
    pub class: &'a str,
    /// The rule that found it, where the step has several.
    pub rule: Option<&'a str>,
    /// The field's path.
    pub path: &'a str,
    /// More about it.
    pub detail: &'a str,
    /// A masked piece of what it was found in.
    pub excerpt: Option<&'a str>,
    /// What became of the message: `recorded`, `rewritten`, `dropped`, `replied` or `closed`.
    pub action: &'a str,
    /// Whether the step only observes.
    pub observed: bool,
}

/// What an operator picks sessions or credentials by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector<'a> {
    /// `subject`, `address`, `token_id`, `session` or `route`.
    pub kind: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Event<'_> {
    /// The name under which it is logged. Names do not change.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admitted => "admission.admitted",
            Self::Refused { .. } => "admission.refused",
            Self::Closed { .. } => "session.closed",
            Self::Renewed => "session.renewed",
            Self::Finding(_) => "message.finding",
            Self::Kicked { .. } => "session.kicked",
            Self::Revoked { .. } => "credential.revoked",
        }
    }

    /// Writes the event as one structured record.
    pub fn log(&self, who: &Who<'_>) {
        let (mut reason, mut status, mut code, mut by, mut duration) = (None, None, None, None, None);
        let (mut selector, mut sessions, mut finding) = (None, None, None);
        match *self {
            Self::Admitted | Self::Renewed => {}
            Self::Refused { reason: why, status: answer } => (reason, status) = (Some(why), answer),
            Self::Closed { reason: why, code: sent, by: whom, duration: lasted } => {
                (reason, code, by) = (Some(why), Some(sent), Some(whom));
                duration = Some(u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX));
            }
            Self::Finding(found) => finding = Some(found),
            Self::Kicked { selector: which, sessions: many } => {
                (selector, sessions) = (Some(which), Some(many));
            }
            Self::Revoked { selector: which } => selector = Some(which),
        }
        info!(
            target: TARGET,
            event = self.name(),
            listener = who.listener,
            client = who.client.map(tracing::field::display),
            route = who.route,
            session = who.session,
            subject = who.subject,
            method = who.method,
            token_id = who.token_id,
            reason,
            status,
            code,
            by,
            duration_us = duration,
            selector = selector.map(|selector| selector.kind),
            value = selector.map(|selector| selector.value),
            sessions,
            direction = finding.map(|finding| finding.direction),
            step = finding.map(|finding| finding.step),
            class = finding.map(|finding| finding.class),
            rule = finding.and_then(|finding| finding.rule),
            path = finding.map(|finding| finding.path),
            detail = finding.map(|finding| finding.detail),
            excerpt = finding.and_then(|finding| finding.excerpt),
            action = finding.map(|finding| finding.action),
            observed = finding.map(|finding| finding.observed),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(event: Event<'_>, who: Who<'_>) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || event.log(&who));
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_record_holds_what_is_known_and_nothing_else() {
        let who = Who { client: "192.0.2.1".parse().ok(), subject: Some("ann\n"), ..Who::default() };
        let line = logged(Event::Refused { reason: "origin", status: Some(403) }, who);
        for part in [
            r#""event":"admission.refused""#,
            r#""client":"192.0.2.1""#,
            r#""subject":"ann\n""#,
            r#""reason":"origin""#,
            r#""status":403"#,
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("session") && line.trim_end().lines().count() == 1, "{line}");
    }

    #[test]
    fn kicks_say_what_was_picked_by() {
        let selector = Selector { kind: "subject", value: "ann" };
        let line = logged(Event::Kicked { selector, sessions: 3 }, Who::default());
        for part in ["session.kicked", r#""selector":"subject""#, r#""value":"ann""#, r#""sessions":3"#] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}
