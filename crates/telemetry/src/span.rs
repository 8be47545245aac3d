//! A span that has ended: what happened from when to when, and what is to be said of it.

use std::time::{Duration, Instant, SystemTime};

use crate::identifiers::{SpanId, TraceId};
use crate::tracestate::TraceState;

/// Whose doing a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something that happens inside.
    Internal,
    /// A request that somebody sent us.
    Server,
    /// A request that we sent somebody.
    Client,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Word(&'static str),
    Text(Box<str>),
    Number(i64),
}

/// The longest text in a span, in bytes; what is longer is cut.
pub(crate) const TEXT_MAX: usize = 512;
/// The most attributes of a span.
pub(crate) const ATTRIBUTES_MAX: usize = 16;

/// A span on its way to the collector.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) trace: TraceId,
    pub(crate) state: TraceState,
    pub(crate) id: SpanId,
    /// The span that it is a part of; of another process's trace where that is so.
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: Box<str>,
    pub(crate) kind: Kind,
    /// When it began, by the clock on the wall; how long it took is measured by one that nobody sets.
    pub(crate) start: SystemTime,
    pub(crate) begun: Instant,
    pub(crate) duration: Duration,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    /// Why it failed, in a stable word or a status, where it did.
    pub(crate) failure: Option<Box<str>>,
}

/// A text as a span holds it.
pub(crate) fn text(text: &str) -> Box<str> {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
impl Ended {
    /// One of no trace that anybody knows.
    pub(crate) fn of_a_test() -> Self {
        Self {
            trace: TraceId::random(),
            state: TraceState::default(),
            id: SpanId::random(),
            parent: Some(SpanId::random()),
            name: "GET chat".into(),
            kind: Kind::Server,
            start: SystemTime::now(),
            begun: Instant::now(),
            duration: Duration::from_millis(3),
            attributes: vec![
                ("url.path", Value::Text("/a".into())),
                ("http.response.status_code", Value::Number(502)),
                ("url.scheme", Value::Word("https")),
            ],
            failure: Some("refused".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(text(&"é".repeat(TEXT_MAX)).len(), TEXT_MAX);
        assert_eq!(text(&format!("a{}", "é".repeat(TEXT_MAX))).len(), TEXT_MAX - 1);
        assert_eq!(&*text("short"), "short");
    }
}
