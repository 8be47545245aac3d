//! Tokens (RFC 9110 section 5.6.2) and comma lists of them, read in one pass and bounded.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use http::HeaderValue;

/// A non-empty string of RFC 9110 token characters; safe to write into a header as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(Cow<'static, str>);

impl Token {
    /// Reads a token; `None` if `text` is empty or holds any other character.
    pub fn new(text: &str) -> Option<Self> {
        is_token(text.as_bytes()).then(|| Self(Cow::Owned(text.to_owned())))
    }

    /// A token known when the program is written.
    ///
    /// # Panics
    /// If `text` is no token; in a `const` that is an error at compile time.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(is_token(text.as_bytes()), "not a token");
        Self(Cow::Borrowed(text))
    }

    /// The token's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a token out of header bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::new(std::str::from_utf8(bytes).ok()?)
    }
}

impl Deref for Token {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a list header may be; a longer one is refused before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListBounds {
    /// Bytes of all lines of the header together.
    pub max_bytes: usize,
    /// Elements of the list, empty ones counted too.
    pub max_elements: usize,
    /// Parameters of one element.
    pub max_parameters: usize,
}

/// How a list header can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A character or an order of characters that the grammar does not know.
    #[error("does not follow the grammar")]
    Syntax,
    /// An element that must be there is empty.
    #[error("has an empty element")]
    Empty,
    /// The same element twice where elements must differ.
    #[error("names an element twice")]
    Duplicate,
    /// More bytes than [`ListBounds::max_bytes`].
    #[error("is too long")]
    TooLong,
    /// More than [`ListBounds::max_elements`] or [`ListBounds::max_parameters`].
    #[error("has too many elements")]
    TooMany,
}

/// The elements of a header that is a comma list of tokens, over all its lines.
///
/// Empty elements are skipped, as RFC 9110 section 5.6.1.2 asks of recipients.
pub fn elements<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = Result<&'a str, ListError>> {
    lines
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(trim)
        .filter(|element| !element.is_empty())
        .map(|element| {
            std::str::from_utf8(element)
                .ok()
                .filter(|text| is_token(text.as_bytes()))
                .ok_or(ListError::Syntax)
        })
}

/// Whether a comma list of tokens names `token`, in any letter case.
pub fn names<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, token: &str) -> Result<bool, ListError> {
    // The whole list is read: one bad element makes all of it untrustworthy.
    elements(lines).try_fold(false, |found, element| Ok(found | element?.eq_ignore_ascii_case(token)))
}

/// Counts a list's lines against [`ListBounds::max_bytes`], each before it is read.
pub(crate) struct Length(usize);

impl Length {
    pub(crate) fn new(bounds: &ListBounds) -> Self {
        Self(bounds.max_bytes)
    }

    pub(crate) fn count(&mut self, line: &HeaderValue) -> Result<(), ListError> {
        self.0 = self.0.checked_sub(line.len()).ok_or(ListError::TooLong)?;
        Ok(())
    }
}

/// A header value of bytes that are visible ASCII by their grammar: tokens, separators, base64.
pub(crate) fn visible(bytes: &[u8]) -> HeaderValue {
    let value = HeaderValue::from_bytes(bytes);
    debug_assert!(value.is_ok());
    // An empty value is refused by every reader of such a header, so the impossible fails closed.
    value.unwrap_or(HeaderValue::from_static(""))
}

/// Whether `bytes` are a token.
pub(crate) const fn is_token(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if !is_token_byte(bytes[at]) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

/// RFC 9110 section 5.6.2, `tchar`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Optional white space of RFC 9110: space and tab only.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Takes optional white space off both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(lines: &[&str]) -> Result<Vec<String>, ListError> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
        elements(&lines).map(|element| element.map(str::to_owned)).collect()
    }

    #[test]
    fn lists_run_over_lines_and_skip_empty_elements() {
        assert_eq!(read(&["a, b ,\tc", ",", "", " d,,"]).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(read(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bad in ["a b", "a;b", "\"a\"", "a/b", "a=b", "(a)", "a@b", "ok, {"] {
            assert_eq!(read(&[bad]).unwrap_err(), ListError::Syntax, "{bad}");
        }
        let high = [HeaderValue::from_bytes(b"caf\xe9").unwrap()];
        assert_eq!(elements(&high).next(), Some(Err(ListError::Syntax)));
        assert!(Token::new("").is_none());
        assert!(Token::new("a\r\nb").is_none());
    }

    #[test]
    fn every_byte_is_judged_as_rfc_9110_lists_them() {
        let tchar = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for byte in 0..=u8::MAX {
            assert_eq!(is_token_byte(byte), tchar.as_bytes().contains(&byte), "{byte}");
        }
    }

    #[test]
    fn a_name_is_found_in_any_case_but_not_in_a_broken_list() {
        let good = [HeaderValue::from_static("keep-alive, UPGRADE")];
        assert_eq!(names(&good, "upgrade"), Ok(true));
        assert_eq!(names(&good, "close"), Ok(false));
        let bad = [HeaderValue::from_static("upgrade, not a token")];
        assert_eq!(names(&bad, "upgrade"), Err(ListError::Syntax));
    }
}
