//! Patterns for hosts and paths, and how specific each is.

use std::cmp::Reverse;
use std::fmt;

use super::host::normalise_host;
use super::path::normalise_path;

/// Which hosts a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This one.
    Exact(Box<str>),
    /// Every name below this one, at any depth, but not itself: `*.example.com` without its `*`.
    Below(Box<str>),
    /// Every host, and requests that name none.
    Any,
}

impl HostPattern {
    /// Reads `example.com`, `*.example.com` or `*`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return Err("`*` stands only at the beginning, followed by a dot".into());
        }
        let host = normalise_host(name).map_err(|error| error.to_string())?;
        // An IPv6 address keeps its brackets and has colons of its own; anything else after a colon is a port.
        if !host.starts_with('[') && name.contains(':') || host.starts_with('[') && !name.ends_with(']') {
            return Err("a host is given without its port".into());
        }
        Ok(if below { Self::Below(host.into()) } else { Self::Exact(host.into()) })
    }

    /// Whether `host`, normalised, is one of these.
    pub fn matches(&self, host: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => host == Some(name),
            Self::Below(suffix) => host
                .and_then(|host| host.strip_suffix(&**suffix))
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        }
    }

    /// Smaller is more specific: exact, then the longest name after `*.`, then any.
    pub(super) fn rank(&self) -> (u8, Reverse<usize>) {
        match self {
            Self::Exact(_) => (0, Reverse(0)),
            Self::Below(suffix) => (1, Reverse(suffix.len())),
            Self::Any => (2, Reverse(0)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Which paths a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// This one: `/a`.
    Exact(Box<str>),
    /// All that begin with this, which ends with a slash: `/a/*` without its `*`.
    Prefix(Box<str>),
    /// By segments: `*` within a segment stands for any characters of it, `**` for any number of segments, at the
    /// end for one or more.
    Glob(Box<[Box<str>]>),
}

impl PathPattern {
    /// Reads `/a`, `/a/*` or a glob such as `/a/*/c` or `/a/**/c`. A `*` as the last segment stands for all that
    /// follows.
    pub fn parse(text: &str) -> Result<Self, String> {
        let normal = normalise_path(text).map_err(|error| error.to_string())?;
        if normal != text {
            return Err(format!("requests for it are matched as `{normal}`"));
        }
        if !text.contains('*') {
            return Ok(Self::Exact(text.into()));
        }
        let mut segments: Vec<Box<str>> = text.split('/').skip(1).map(Box::from).collect();
        if let Some(last) = segments.last_mut().filter(|last| ***last == *"*") {
            *last = ANY_SEGMENTS.into();
        }
        if segments.iter().any(|s| s.contains(ANY_SEGMENTS) && **s != *ANY_SEGMENTS) {
            return Err("`**` is a segment of its own, as in `/a/**/c`".into());
        }
        segments.dedup_by(|a, b| **a == *ANY_SEGMENTS && a == b);
        match segments.split_last() {
            Some((last, front)) if **last == *ANY_SEGMENTS && !front.iter().any(|s| s.contains('*')) => {
                Ok(Self::Prefix(front.iter().fold(String::from("/"), |out, s| out + s + "/").into()))
            }
            _ => Ok(Self::Glob(segments.into())),
        }
    }

    /// Whether `path`, normalised, is one of these.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => path.starts_with(&**prefix),
            Self::Glob(segments) => path.strip_prefix('/').is_some_and(|path| glob(segments, path)),
        }
    }

    /// The characters that every path of this pattern begins with.
    pub(super) fn literal_prefix(&self) -> String {
        match self {
            Self::Exact(path) | Self::Prefix(path) => path.to_string(),
            Self::Glob(segments) => {
                let whole = self.to_string();
                let until = whole.find('*').unwrap_or(whole.len());
                debug_assert!(!segments.is_empty());
                whole[..until].to_owned()
            }
        }
    }

    /// Smaller is more specific: exact, then by the number of literal characters.
    pub(super) fn rank(&self) -> (u8, Reverse<usize>) {
        match self {
            Self::Exact(path) => (0, Reverse(path.len())),
            Self::Prefix(prefix) => (1, Reverse(prefix.len())),
            Self::Glob(_) => (1, Reverse(self.to_string().bytes().filter(|&byte| byte != b'*').count())),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Glob(segments) => segments.iter().try_for_each(|segment| write!(f, "/{segment}")),
        }
    }
}

/// The segment that stands for any number of segments.
const ANY_SEGMENTS: &str = "**";

/// Matches segments with one point of return, at the last `**`: at most segments x pattern steps.
fn glob(pattern: &[Box<str>], path: &str) -> bool {
    let mut rest = Some(path);
    let mut at = 0;
    let mut again: Option<(usize, &str)> = None;
    loop {
        let step = match (pattern.get(at), rest) {
            (None, None) => return true,
            (Some(segment), _) if **segment == *ANY_SEGMENTS => {
                at += 1;
                match rest {
                    Some(_) if at == pattern.len() => return true,
                    Some(path) => again = Some((at, path)),
                    None => return false,
                }
                continue;
            }
            (Some(segment), Some(path)) => {
                let (first, next) = split_segment(path);
                wildcard(segment, first).then_some(next)
            }
            _ => None,
        };
        match (step, again) {
            (Some(next), _) => {
                rest = next;
                at += 1;
            }
            (None, Some((after, path))) => {
                let (_, next) = split_segment(path);
                let Some(next) = next else { return false };
                again = Some((after, next));
                rest = Some(next);
                at = after;
            }
            (None, None) => return false,
        }
    }
}

fn split_segment(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    }
}

/// Whether `text` fits `pattern`, in which each `*` stands for any number of characters. At most text x pattern
/// steps.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                p += 1;
                again = Some((p, t));
            }
            (Some(a), Some(b)) if a == b => {
                p += 1;
                t += 1;
            }
            (None, None) => return true,
            _ => match again {
                Some((after, from)) if from < text.len() => {
                    again = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts() {
        let below = HostPattern::parse("*.Example.com").unwrap();
        for (host, want) in [
            (Some("a.example.com"), true),
            (Some("a.b.example.com"), true),
            (Some("example.com"), false),
            (Some(".example.com"), false),
            (Some("aexample.com"), false),
            (None, false),
        ] {
            assert_eq!(below.matches(host), want, "{host:?}");
        }
        assert!(HostPattern::parse("*").unwrap().matches(None));
        assert!(HostPattern::parse("[::1]").unwrap().matches(Some("[::1]")));
        for text in ["", "*.", "a.*.com", "**.com", "a.com:80", "[::1]:80", "a b", "*.*.com"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths() {
        for (pattern, yes, no) in [
            ("/a", &["/a"][..], &["/a/", "/ab", "/"][..]),
            ("/*", &["/", "/a", "/a/b"], &[]),
            ("/a/*", &["/a/", "/a/b", "/a/b/c"], &["/a", "/ab"]),
            ("/a/*/c", &["/a/b/c", "/a//c"], &["/a/c", "/a/b/b/c", "/a/b/c/"]),
            ("/a/*/c/*", &["/a/b/c/", "/a/b/c/d/e"], &["/a/b/d"]),
            ("/a/**/c", &["/a/c", "/a/b/c", "/a/b/c/c", "/a/c/b/c"], &["/a/b", "/c"]),
            ("/**/x/*/y", &["/x/1/y", "/a/b/x/1/y", "/x/x/y/y"], &["/x/y"]),
            ("/img/*.png", &["/img/a.png", "/img/.png"], &["/img/a/b.png", "/img/a.pngx"]),
            ("/v*/x", &["/v1/x", "/v/x"], &["/w/x"]),
            ("/**", &["/", "/a/b"], &[]),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            yes.iter().for_each(|path| assert!(parsed.matches(path), "{pattern} {path}"));
            no.iter().for_each(|path| assert!(!parsed.matches(path), "{pattern} {path}"));
        }
        for text in ["", "a", "/a/../b", "/%61", "/a%2fb", "/a b", "/a**", "/é"] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
    }

    /// The plainest possible reading, exponential and certainly right.
    fn oracle(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**"], _) => !path.is_empty(),
            (["**", pattern @ ..], _) => (0..=path.len()).any(|n| oracle(pattern, &path[n..])),
            ([p, pattern @ ..], [s, path @ ..]) => (*p == "*" || p == s) && oracle(pattern, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_match_as_their_definition_says(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**"]), 1..6),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", ""]), 1..7),
        ) {
            let parsed = PathPattern::parse(&format!("/{}", pattern.join("/"))).unwrap();
            let mut pattern = pattern;
            if pattern.last() == Some(&"*") {
                *pattern.last_mut().unwrap() = "**";
            }
            let text = format!("/{}", path.join("/"));
            prop_assert_eq!(parsed.matches(&text), oracle(&pattern, &path), "{} {}", parsed, text);
        }

        #[test]
        fn wildcards_match_as_their_definition_says(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            fn oracle(p: &[u8], t: &[u8]) -> bool {
                match (p, t) {
                    ([], []) => true,
                    ([b'*', p @ ..], _) => (0..=t.len()).any(|n| oracle(p, &t[n..])),
                    ([a, p @ ..], [b, t @ ..]) => a == b && oracle(p, t),
                    _ => false,
                }
            }
            prop_assert_eq!(wildcard(&pattern, &text), oracle(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
