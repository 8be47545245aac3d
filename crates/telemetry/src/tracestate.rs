//! `tracestate`: what tracing systems on the way have written down for themselves (W3C Trace Context, section 3.3).

use http::HeaderName;
use http::header::{HeaderMap, HeaderValue};

/// The header in which tracing systems keep what they need of a trace.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A list that was read and found in order. It goes on as it came: we write nothing into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceState(Option<HeaderValue>);

/// The longest list that is passed on, in bytes: what section 3.3.1.5 has everybody pass on.
const LENGTH_MAX: usize = 512;
/// The most members of a list (section 3.3.1.1).
const MEMBERS_MAX: usize = 32;
/// The longest key and value (sections 3.3.1.3.1 and 3.3.1.3.2).
const TEXT_MAX: usize = 256;

impl TraceState {
    /// Reads all lines of it. One that is not in order counts as none, for nobody can tell whose part of it is true.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        Self(
            joined(headers).filter(|text| is_list(text)).and_then(|text| HeaderValue::from_bytes(&text).ok()),
        )
    }

    /// The header's value, where there is one.
    pub(crate) const fn header(&self) -> Option<&HeaderValue> {
        self.0.as_ref()
    }

    /// The list as text; empty where there is none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The lines as one list, unless that is too long.
fn joined(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut list: Vec<u8> = Vec::new();
    for line in headers.get_all(TRACESTATE) {
        if list.len().saturating_add(line.len()) >= LENGTH_MAX {
            return None;
        }
        if !list.is_empty() {
            list.push(b',');
        }
        list.extend_from_slice(line.as_bytes());
    }
    Some(list)
}

fn is_list(text: &[u8]) -> bool {
    let mut keys: Vec<&[u8]> = Vec::new();
    for member in text.split(|&byte| byte == b',') {
        let member = member.trim_ascii();
        // Section 3.3.1.1: empty members are allowed.
        if member.is_empty() {
            continue;
        }
        let Some(at) = member.iter().position(|&byte| byte == b'=') else { return false };
        let (key, value) = member.split_at(at);
        if keys.len() >= MEMBERS_MAX || keys.contains(&key) || !is_key(key) || !is_value(&value[1..]) {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty()
}

fn is_key(key: &[u8]) -> bool {
    let starts = key.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    starts && key.len() <= TEXT_MAX && key.iter().all(is_inner)
}

fn is_value(value: &[u8]) -> bool {
    let is_inner = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    !value.is_empty() && value.len() <= TEXT_MAX && value.iter().all(is_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACESTATE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        TraceState::read(&headers).as_str().to_owned()
    }

    #[test]
    fn lists_go_on_as_they_came() {
        assert_eq!(
            read(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
        );
        assert_eq!(read(&["a=1", "b=2"]), "a=1,b=2");
        assert_eq!(read(&["fw529a3039@dt=FfAwMjI, ,b=x y"]), "fw529a3039@dt=FfAwMjI, ,b=x y");
    }

    #[test]
    fn what_is_not_in_order_counts_as_none() {
        let many = (0..33).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        let long = format!("a={}", "x".repeat(257));
        let endless = format!("a={},b={},c={}", "x".repeat(200), "x".repeat(200), "x".repeat(200));
        for bad in
            ["", ",", "a", "=1", "a=", "A=1", "a=1,a=2", "a=1=2", "a=\u{e9}", "_a=1", &many, &long, &endless]
        {
            assert_eq!(read(&[bad]), "", "{bad}");
        }
        assert_eq!(read(&[]), "");
    }
}
