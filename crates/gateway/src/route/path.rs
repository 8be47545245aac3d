//! One spelling for every path, and none for those that two readers could take for two things.

use std::borrow::Cow;

/// Why a path is refused: each of these is read differently by different servers, and so could be matched as one
/// thing here and fetched as another behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    #[error("the path has a percent sign without two hexadecimal digits")]
    BadEscape,
    /// `%2F` or `%5C`.
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    /// A backslash as it is.
    #[error("the path has a backslash")]
    Backslash,
    /// NUL or another control character, as it is or encoded.
    #[error("the path has a control character")]
    Control,
    /// A byte that must be percent-encoded: a space, `#`, `?`, or anything outside ASCII.
    #[error("the path has a character that must be percent-encoded")]
    Unencoded,
    /// `..` with nothing left to leave.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// `..;x`, a dot segment to those servers only that cut parameters off.
    #[error("the path has a dot segment with a parameter")]
    DotSegmentWithParameter,
}

/// The one spelling of `path` (without its query): `.` and `..` resolved, `%41` written as `A` where RFC 3986 calls
/// the character unreserved, and the digits of other escapes in capitals. Nothing is allocated for a path that has
/// this form already. Empty segments stay: `/a//b` is not `/a/b`.
pub fn normalise_path(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let decoded = decode_unreserved(path)?;
    if !decoded.split('/').any(|segment| segment.starts_with('.')) {
        return Ok(decoded);
    }
    match resolve_dots(&decoded)? {
        Some(resolved) => Ok(Cow::Owned(resolved)),
        None => Ok(decoded),
    }
}

/// Checks every byte, and decodes the escapes that need not be ones.
fn decode_unreserved(path: &str) -> Result<Cow<'_, str>, PathError> {
    let bytes = path.as_bytes();
    let mut out: Option<String> = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let escape = bytes.get(at + 1..at + 3).ok_or(PathError::BadEscape)?;
                let byte = hex(escape[0])? << 4 | hex(escape[1])?;
                match byte {
                    b'/' | b'\\' => return Err(PathError::EncodedSlash),
                    0..=0x1f | 0x7f => return Err(PathError::Control),
                    _ => {}
                }
                let out = out.get_or_insert_with(|| path[..at].to_owned());
                if is_unreserved(byte) {
                    out.push(char::from(byte));
                } else {
                    out.push('%');
                    out.extend(escape.iter().map(|digit| char::from(digit.to_ascii_uppercase())));
                }
                at += 3;
                continue;
            }
            b'\\' => return Err(PathError::Backslash),
            0..=0x1f | 0x7f => return Err(PathError::Control),
            b' ' | b'#' | b'?' | 0x80.. => return Err(PathError::Unencoded),
            _ => {}
        }
        if let Some(out) = &mut out {
            out.push(char::from(byte));
        }
        at += 1;
    }
    Ok(match out {
        Some(out) if out != path => Cow::Owned(out),
        _ => Cow::Borrowed(path),
    })
}

/// RFC 3986, section 5.2.4, except that a climb above the root is an error; `None` where there is nothing to do.
fn resolve_dots(path: &str) -> Result<Option<String>, PathError> {
    let mut kept: Vec<&str> = Vec::new();
    let mut changed = false;
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                changed = true;
                if segment == ".." && kept.pop().is_none() {
                    return Err(PathError::AboveRoot);
                }
                if is_last {
                    kept.push("");
                }
            }
            _ if matches!(segment.split_once(';'), Some(("." | "..", _))) => {
                return Err(PathError::DotSegmentWithParameter);
            }
            _ => kept.push(segment),
        }
    }
    Ok(changed
        .then(|| kept.iter().fold(String::with_capacity(path.len()), |out, segment| out + "/" + segment)))
}

fn hex(digit: u8) -> Result<u8, PathError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(PathError::BadEscape),
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_for_every_path() {
        for (path, want) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/%61%2d%2E%5f%7e", "/a-._~"),
            ("/%c3%a9", "/%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2e/b", "/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/../", "/a/"),
            ("/.", "/"),
            ("/a//../b", "/a/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/%252e", "/%252e"),
            ("/*", "/*"),
        ] {
            assert_eq!(normalise_path(path).as_deref(), Ok(want), "{path}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        use PathError::*;
        for (path, want) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("a", NotAbsolute),
            ("/%", BadEscape),
            ("/%4", BadEscape),
            ("/%zz", BadEscape),
            ("/%+1", BadEscape),
            ("/a%2fb", EncodedSlash),
            ("/a%5Cb", EncodedSlash),
            ("/a\\b", Backslash),
            ("/%00", Control),
            ("/%0d%0a", Control),
            ("/\u{7f}", Control),
            ("/\n", Control),
            ("/é", Unencoded),
            ("/a b", Unencoded),
            ("/a?b", Unencoded),
            ("/a#b", Unencoded),
            ("/..", AboveRoot),
            ("/a/../..", AboveRoot),
            ("/%2e%2e/a", AboveRoot),
            ("/a/..;x/b", DotSegmentWithParameter),
            ("/a/.;/b", DotSegmentWithParameter),
            ("/a/%2e%2e;/b", DotSegmentWithParameter),
        ] {
            assert_eq!(normalise_path(path), Err(want), "{path}");
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(path in "/[ -~é]{0,40}") {
            if let Ok(once) = normalise_path(&path) {
                let twice = normalise_path(&once).unwrap();
                prop_assert_eq!(&once, &twice);
                prop_assert!(matches!(twice, Cow::Borrowed(_)), "a normal path allocates nothing");
            }
        }

        #[test]
        fn nothing_ambiguous_is_left(path in "/([a.%2eEfF5cC;/]|%2e|/\\.\\.?){0,20}") {
            if let Ok(path) = normalise_path(&path) {
                let lower = path.to_lowercase();
                prop_assert!(path.starts_with('/'));
                prop_assert!(!["%2f", "%5c", "%2e", "\\"].iter().any(|bad| lower.contains(bad)), "{}", path);
                prop_assert!(path.split('/').all(|s| !matches!(s.split(';').next(), Some("." | ".."))), "{}", path);
            }
        }

        #[test]
        fn no_text_panics(path in any::<String>()) {
            let _ = normalise_path(&path);
            let _ = normalise_path(&format!("/{path}"));
        }
    }
}
