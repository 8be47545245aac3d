//! Delimiters and quotes of text protocols.

use std::borrow::Cow;

use super::program::Quote;

/// Where `delimiter` first stands outside quotes.
pub(super) fn find(bytes: &[u8], delimiter: &[u8], quote: Option<Quote>) -> Option<usize> {
    let Some(quote) = quote else { return memchr::memmem::find(bytes, delimiter) };
    let (mut at, mut quoted) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' if quoted && quote.backslash => at += 1,
            byte if byte == quote.byte => quoted = !quoted,
            _ if !quoted && bytes[at..].starts_with(delimiter) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The text inside quotes, or one without any; none where a quote stands elsewhere, or a backslash before anything but a
/// quote and a backslash.
pub(super) fn unquoted(bytes: &[u8], quote: Quote) -> Option<Cow<'_, [u8]>> {
    if bytes.first() != Some(&quote.byte) {
        return (!bytes.contains(&quote.byte)).then_some(Cow::Borrowed(bytes));
    }
    let inner = bytes.get(1..bytes.len().checked_sub(1)?)?;
    if bytes.last() != Some(&quote.byte) {
        return None;
    }
    let is_special = |byte: &u8| *byte == quote.byte || quote.backslash && *byte == b'\\';
    if !inner.iter().any(is_special) {
        return Some(Cow::Borrowed(inner));
    }
    let mark = if quote.backslash { b'\\' } else { quote.byte };
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        let byte = match is_special(byte) {
            true if *byte == mark => rest.next().filter(|next| is_special(next))?,
            true => return None,
            false => byte,
        };
        text.push(*byte);
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLE: Quote = Quote { byte: b'"', backslash: false };
    const BACKSLASH: Quote = Quote { byte: b'"', backslash: true };

    #[test]
    fn delimiters_count_outside_quotes() {
        for (text, quote, expected) in [
            ("a b", None, Some(1)),
            ("\"a b\" c", None, Some(2)),
            ("\"a b\" c", Some(DOUBLE), Some(5)),
            ("\"a \"\" b\" c", Some(DOUBLE), Some(8)),
            ("\"a \\\" b\" c", Some(BACKSLASH), Some(8)),
            ("\"a \\\" b\" c", Some(DOUBLE), Some(5)),
            ("\"a b", Some(DOUBLE), None),
            ("\"a\\", Some(BACKSLASH), None),
        ] {
            assert_eq!(find(text.as_bytes(), b" ", quote), expected, "{text}");
        }
    }

    #[test]
    fn quotes_are_read_one_way() {
        for (text, quote, expected) in [
            ("plain", DOUBLE, Some("plain")),
            ("", DOUBLE, Some("")),
            ("\"\"", DOUBLE, Some("")),
            ("\"a \"\"b\"\"\"", DOUBLE, Some("a \"b\"")),
            (r#""a \"b\" \\""#, BACKSLASH, Some(r#"a "b" \"#)),
            (r#""a\b""#, DOUBLE, Some(r"a\b")),
            ("\"", DOUBLE, None),
            ("\"a", DOUBLE, None),
            ("a\"b", DOUBLE, None),
            ("\"a\"b\"", DOUBLE, None),
            ("\"a\"\"", DOUBLE, None),
            (r#""a\n""#, BACKSLASH, None),
            (r#""a\""#, BACKSLASH, None),
            (r#""a"b""#, BACKSLASH, None),
        ] {
            let read = unquoted(text.as_bytes(), quote);
            assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
