//! `traceparent`: where a request belongs in a trace that somebody else began (W3C Trace Context, section 3.2).

use http::HeaderName;
use http::header::{HeaderMap, HeaderValue};

use crate::identifiers::{SpanId, TraceId};
use crate::tracestate::TraceState;

/// The header that names a request's trace, and the span that the request belongs to.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a request says about the trace it belongs to. Only a peer that is trusted may say so: whoever is believed decides what is
/// sampled, and whose trace shows our spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span that the request belongs to.
    pub span: SpanId,
    /// Whether whoever sent it keeps the trace.
    pub is_sampled: bool,
    pub(crate) state: TraceState,
}

/// `VERSION-TRACE-SPAN-FLAGS`, of 2, 32, 16 and 2 digits.
const LENGTH: usize = 55;
/// What a later version may add, and this; longer ones are not looked at.
const LENGTH_MAX: usize = 256;
/// The bit of the flags that says that the trace is kept.
const SAMPLED: u8 = 1;

impl Parent {
    /// Reads both headers. One `traceparent` that is in order, or nothing; a `tracestate` that is not is left out.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        let (line, more) = (lines.next()?, lines.next());
        if more.is_some() {
            return None;
        }
        let (trace, span, is_sampled) = parse(line.as_bytes())?;
        Some(Self { trace, span, is_sampled, state: TraceState::read(headers) })
    }
}

fn parse(text: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    if text.len() < LENGTH || text.len() > LENGTH_MAX {
        return None;
    }
    let (known, more) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split(|&byte| byte == b'-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    match byte(version)? {
        0xff => return None,
        0 if !more.is_empty() => return None,
        // Section 4.3: of a later version, what this one knows.
        _ if more.first().is_some_and(|&byte| byte != b'-') => return None,
        _ => {}
    }
    let is_sampled = byte(flags)? & SAMPLED != 0;
    parts.next().is_none().then_some((TraceId::parse(trace)?, SpanId::parse(span)?, is_sampled))
}

/// Two digits in lower case.
fn byte(digits: &[u8]) -> Option<u8> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 || !digits.iter().all(is_digit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The header that names this trace and span.
pub(crate) fn traceparent(trace: TraceId, span: SpanId, is_sampled: bool) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("00-{trace}-{span}-{:02x}", u8::from(is_sampled))).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(value: &str) -> Option<Parent> {
        let headers = [(TRACEPARENT, HeaderValue::from_bytes(value.as_bytes()).unwrap())];
        Parent::read(&headers.into_iter().collect())
    }

    #[test]
    fn a_parent_is_read() {
        for (value, is_sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-fe"), false),
            (format!("01-{TRACE}-{SPAN}-03-more"), true),
        ] {
            let parent = read(&value).unwrap();
            assert_eq!((parent.trace.to_string(), parent.span.to_string()), (TRACE.into(), SPAN.into()));
            assert_eq!(parent.is_sampled, is_sampled, "{value}");
        }
    }

    #[test]
    fn what_is_not_in_order_is_none() {
        for value in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("01-{TRACE}-{SPAN}-01more"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("0-{TRACE}-{SPAN}-001"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01-{}", "x".repeat(300)),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{}\u{e9}-01", &SPAN[..14]),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
        let twice: HeaderMap = [(); 2]
            .map(|()| (TRACEPARENT, HeaderValue::from_str(&format!("00-{TRACE}-{SPAN}-01")).unwrap()))
            .into_iter()
            .collect();
        assert_eq!(Parent::read(&twice), None, "two of them");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(is_sampled: bool) {
            let (trace, span) = (TraceId::random(), SpanId::random());
            let headers = [(TRACEPARENT, traceparent(trace, span, is_sampled).unwrap())];
            let read = Parent::read(&headers.into_iter().collect()).unwrap();
            prop_assert_eq!((read.trace, read.span, read.is_sampled), (trace, span, is_sampled));
        }

        #[test]
        fn nothing_else_than_the_grammar_is_read(
            version in "[0-9a-fA-F]{1,3}", trace in "[0-9a-f]{31,33}", span in "[0-9a-fg]{15,17}",
            flags in "[0-9a-f]{1,3}", more in "(-[ -~]{0,9})?",
        ) {
            let value = format!("{version}-{trace}-{span}-{flags}{more}");
            let is_hex = |text: &str, digits: usize| {
                text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            };
            let is_good = is_hex(&version, 2) && version != "ff" && (version != "00" || more.is_empty())
                && is_hex(&trace, 32) && is_hex(&span, 16) && is_hex(&flags, 2)
                && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0');
            prop_assert_eq!(read(&value).is_some(), is_good, "{}", value);
        }
    }
}
