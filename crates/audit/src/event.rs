//! The events: one variant each, one match that gives its name, one place that makes a record of it.

use std::time::Duration;

use bytes::Bytes;

use crate::cell::Timestamp;
use crate::payload::Payload;
use crate::private::Private;
use crate::record::{Record, micros, text};
use crate::who::Who;

/// Something that an auditor asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// An operator ended sessions.
    Kicked {
        /// Which ones.
        selector: Selector<'a>,
        /// How many there were.
        sessions: usize,
    },
    /// An operator began to capture messages.
    Captured {
        /// Of which route.
        selector: Selector<'a>,
    },
    /// An operator began to look on at messages.
    Watched {
        /// Of which route or session.
        selector: Selector<'a>,
    },
    /// An operator revoked a credential or subject.
    Revoked {
        /// Which one.
        selector: Selector<'a>,
    },
    /// An operator signed in at the console.
    SignedIn,
    /// An operator signed out.
    SignedOut,
    /// Somebody was not signed in at the console.
    SignInRefused {
        /// Why, in a stable word.
        reason: &'a str,
    },
    /// A step of a route's policy found something in a message.
    Finding(Finding<'a>),
    /// A rule of a route's admission found something in a request.
    RequestFinding(RequestFinding<'a>),
    /// A message was recorded, as its route's policy asks.
    Recorded {
        /// The message.
        message: About<'a>,
        /// What became of it.
        verdict: Outcome,
        /// How much of it is kept.
        content: Content<'a>,
    },
    /// Something happened to an agent, a client or a private session.
    Private(Private<'a>),
    /// The configuration was read anew.
    Reloaded {
        /// Why.
        reason: &'a str,
        /// Whether it is followed; otherwise the one before stays in force.
        is_followed: bool,
    },
    /// The process began to serve.
    Started {
        /// Its version.
        version: &'a str,
    },
    /// The process ends.
    Stopped {
        /// Why, in a stable word.
        reason: &'a str,
        /// Sessions that were cut off.
        sessions: usize,
    },
}

/// What an operator picks sessions or credentials by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector<'a> {
    /// `subject`, `address`, `token_id`, `session` or `route`.
    pub kind: &'a str,
    /// Its value.
    pub value: &'a str,
}

/// A message, without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// Which way it went: `to_upstream` or `to_client`.
    pub direction: &'a str,
    /// Its kind in its format: a method, operation, topic or event.
    pub kind: Option<&'a str>,
    /// Whether it was text; otherwise binary.
    pub is_text: bool,
    /// The length of its payload, in bytes.
    pub size: usize,
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
    /// What became of the message on account of it: `recorded`, `rewritten`, `dropped`, `replied` or `closed`.
    pub action: &'a str,
    /// Whether the step only observes.
    pub observed: bool,
}

/// What a rule found in a request. Nothing in it is the request's own but a masked excerpt, and the name of what it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFinding<'a> {
    /// What was found, in a stable word.
    pub class: &'a str,
    /// The rule's number; none where a bound was reached.
    pub rule: Option<u64>,
    /// Where, as rules name it.
    pub variable: &'a str,
    /// More about it.
    pub detail: &'a str,
    /// A masked piece of what it was found in.
    pub excerpt: Option<&'a str>,
    /// What became of the request on account of the rules: `recorded` or `refused`.
    pub action: &'a str,
    /// Whether the rules only observe.
    pub observed: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went on as it came.
    Forwarded,
    /// It went no further.
    Dropped,
    /// It went on with another payload.
    Rewritten,
    /// It went no further, and its sender got an answer.
    Replied,
    /// Its session was closed.
    Closed,
}

/// How much of a message is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing of what it says.
    Metadata,
    /// A part, redacted by the route's policy.
    Excerpt(&'a str),
    /// All of it. It is kept encrypted, and only where there is a key; see [`crate::StoreConfig`].
    Whole(Bytes),
}

impl Outcome {
    /// Its word in records.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Dropped => "dropped",
            Self::Rewritten => "rewritten",
            Self::Replied => "replied",
            Self::Closed => "closed",
        }
    }
}

impl Event<'_> {
    /// The name under which it is kept. Names do not change.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admitted => "admission.admitted",
            Self::Refused { .. } => "admission.refused",
            Self::Closed { .. } => "session.closed",
            Self::Renewed => "session.renewed",
            Self::Kicked { .. } => "session.kicked",
            Self::Captured { .. } => "message.captured",
            Self::Watched { .. } => "message.watched",
            Self::Revoked { .. } => "credential.revoked",
            Self::SignedIn => "console.signed_in",
            Self::SignedOut => "console.signed_out",
            Self::SignInRefused { .. } => "console.refused",
            Self::Finding(_) => "message.finding",
            Self::RequestFinding(_) => "admission.finding",
            Self::Recorded { .. } => "message.recorded",
            Self::Private(private) => private.name(),
            Self::Reloaded { .. } => "configuration.reloaded",
            Self::Started { .. } => "gateway.started",
            Self::Stopped { .. } => "gateway.stopped",
        }
    }

    /// The event as a record, of this moment.
    pub fn record(&self, who: &Who<'_>) -> Record {
        let record = Record {
            timestamp: Timestamp::now(),
            event: self.name(),
            listener: who.listener.and_then(text),
            client: who.client,
            route: who.route.and_then(text),
            session: who.session,
            subject: who.subject.and_then(text),
            method: who.method.and_then(text),
            token_id: who.token_id.and_then(text),
            trace_id: who.trace.map(|trace| trace.to_string()),
            ..Record::default()
        };
        match self {
            Self::Admitted | Self::Renewed | Self::SignedIn | Self::SignedOut => record,
            Self::SignInRefused { reason } => Record { reason: text(reason), ..record },
            Self::Refused { reason, status } => Record { reason: text(reason), status: *status, ..record },
            Self::Closed { reason, code, by, duration } => Record {
                reason: text(reason),
                code: Some(*code),
                by: text(by),
                duration_us: Some(micros(*duration)),
                ..record
            },
            Self::Kicked { selector, sessions } => {
                Record { sessions: Some(*sessions as u64), ..selector.on(record) }
            }
            Self::Captured { selector } | Self::Watched { selector } | Self::Revoked { selector } => {
                selector.on(record)
            }
            Self::Finding(finding) => finding.on(record),
            Self::RequestFinding(finding) => finding.on(record),
            Self::Recorded { message, verdict, content } => {
                Record { verdict: Some(verdict.label()), ..message.on(content.on(record)) }
            }
            Self::Private(private) => private.on(record),
            Self::Reloaded { reason, is_followed } => Record {
                reason: text(reason),
                outcome: Some(if *is_followed { "done" } else { "refused" }),
                ..record
            },
            Self::Started { version } => Record { version: text(version), ..record },
            Self::Stopped { reason, sessions } => {
                Record { reason: text(reason), sessions: Some(*sessions as u64), ..record }
            }
        }
    }
}

impl Selector<'_> {
    fn on(self, record: Record) -> Record {
        Record { selector: text(self.kind), value: text(self.value), ..record }
    }
}

impl About<'_> {
    fn on(self, record: Record) -> Record {
        Record {
            direction: text(self.direction),
            kind: self.kind.and_then(text),
            message_type: Some(if self.is_text { "text" } else { "binary" }),
            size: Some(self.size as u64),
            ..record
        }
    }
}

impl Finding<'_> {
    fn on(self, record: Record) -> Record {
        Record {
            direction: text(self.direction),
            step: text(self.step),
            class: text(self.class),
            rule: self.rule.and_then(text),
            path: text(self.path),
            detail: text(self.detail),
            excerpt: self.excerpt.and_then(text),
            action: text(self.action),
            mode: Some(if self.observed { "observe" } else { "enforce" }),
            ..record
        }
    }
}

impl RequestFinding<'_> {
    fn on(self, record: Record) -> Record {
        Record {
            class: text(self.class),
            rule: self.rule.map(|rule| rule.to_string()),
            path: text(self.variable),
            detail: text(self.detail),
            excerpt: self.excerpt.and_then(text),
            action: text(self.action),
            mode: Some(if self.observed { "observe" } else { "enforce" }),
            ..record
        }
    }
}

impl Content<'_> {
    fn on(&self, record: Record) -> Record {
        match self {
            Self::Metadata => record,
            Self::Excerpt(excerpt) => Record { excerpt: text(excerpt), ..record },
            Self::Whole(payload) => Record { payload: Payload::Clear(payload.clone()), ..record },
        }
    }
}
