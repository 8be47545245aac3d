//! The fuzz target's entry: headers of the trace context, as any peer may send them.

use http::header::{HeaderMap, HeaderValue};

use crate::context::{Parent, TRACEPARENT};
use crate::tracestate::TRACESTATE;

/// Lines of both headers: what begins with `=` is a `tracestate`. Whatever is read is within its bounds, and reads the same again.
pub fn trace_context(input: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in input.split(|&byte| byte == b'\n').take(64) {
        let (name, value) = match line.split_first() {
            Some((b'=', rest)) => (TRACESTATE, rest),
            _ => (TRACEPARENT, line),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let Some(parent) = Parent::read(&headers) else { return };
    assert!(parent.state.as_str().len() <= 512, "the list is within its bound");
    let again = crate::context::traceparent(parent.trace, parent.span, parent.is_sampled);
    let again: HeaderMap = again.into_iter().map(|value| (TRACEPARENT, value)).collect();
    let again = Parent::read(&again);
    assert!(again.is_some_and(|again| again.trace == parent.trace && again.span == parent.span));
}
