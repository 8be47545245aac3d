//! Normal forms: a text as SQL, a shell or a script engine reads it.

use serde::Deserialize;

use super::summary::{Summary, set};

/// A way of reading a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// As it stands, its white space made one space or one end of line.
    Text,
    /// Without comments of SQL.
    Sql,
    /// Without what a shell takes out of words: quotes, backslashes, carets, empty variables.
    Shell,
    /// Without white space and comments at all.
    Compact,
}

impl Form {
    /// The forms besides the text.
    pub(super) const OTHERS: [Self; 3] = [Self::Sql, Self::Shell, Self::Compact];

    /// Whether a text of such characters may read differently in this form.
    pub(super) fn applies(self, text: &[u8], summary: Summary) -> bool {
        match self {
            Self::Text => summary.has_any(set(b"\n\r\0")),
            Self::Sql => {
                summary.has_all(set(b"/*")) || summary.has_any(set(b"-#")) && summary.has_any(set(b"\n"))
            }
            Self::Shell => {
                summary.has_any(set(b"'\"\\^$`{"))
                    && (summary.has_any(set(b"/$`|\\^")) || summary.has_any(set(b";&")) && breaks_out(text))
            }
            Self::Compact => {
                summary.has_any(set(b"\n\r\0")) && summary.has_any(set(b"([:<"))
                    || summary.has_all(set(b"/*")) && summary.has_any(set(b"([:<."))
            }
        }
    }

    /// Writes `text` in this form to `out`.
    pub(super) fn write(self, text: &[u8], out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Text => collapse(text, out),
            Self::Sql => sql(text, out),
            Self::Shell => shell(text, out),
            Self::Compact => compact(text, out),
        }
    }
}

/// Whether a separator of commands ends the first word.
fn breaks_out(text: &[u8]) -> bool {
    let word = text.iter().take_while(|byte| !byte.is_ascii_alphabetic()).count();
    let end = text[word..].iter().position(|&byte| byte <= b' ').map_or(text.len(), |end| word + end);
    text[..(end + 2).min(text.len())].iter().any(|byte| matches!(byte, b';' | b'&'))
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, 1..=b' ' | 127)
}

/// Each run of white space becomes one space, or one end of line if it holds one.
fn collapse(text: &[u8], out: &mut Vec<u8>) {
    let mut gap = None;
    for &byte in text {
        match byte {
            0 => {}
            b'\n' => gap = Some(b'\n'),
            _ if is_space(byte) => gap = gap.or(Some(b' ')),
            _ => {
                out.extend(gap.take());
                out.push(byte);
            }
        }
    }
    out.extend(gap);
}

/// How long a comment at the start of `text` is; to the end of the text if nobody ends it.
fn after_comment(text: &[u8]) -> Option<usize> {
    match text {
        [b'/', b'*', rest @ ..] => Some(memchr::memmem::find(rest, b"*/").map_or(text.len(), |end| end + 4)),
        _ => None,
    }
}

/// Without comments. What MySQL runs in a comment stays: `/*!50000select*/`. A comment to the end of its line goes if
/// another line follows; at the very end it says more as it is.
fn sql(text: &[u8], out: &mut Vec<u8>) {
    // Beyond the last end of a comment, or of a line, nothing is searched again.
    let last_end = memchr::memmem::rfind(text, b"*/").unwrap_or(0);
    let last_line = memchr::memrchr(b'\n', text).unwrap_or(0);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let (piece, taken) = match rest {
            [b'/', b'*', b'!', inside @ ..] => {
                (b' ', 3 + inside.iter().take_while(|b| b.is_ascii_digit()).count())
            }
            [b'*', b'/', ..] => (b' ', 2),
            [b'/', b'*', inside @ ..] if at < last_end => {
                (b' ', memchr::memmem::find(inside, b"*/").map_or(2, |end| end + 4))
            }
            [b'#', ..] | [b'-', b'-', ..] if at < last_line => {
                (b' ', memchr::memchr(b'\n', rest).map_or(1, |end| end + 1))
            }
            _ if is_space(byte) => (b' ', 1),
            _ => (byte, 1),
        };
        if piece != b' ' || out.last() != Some(&b' ') {
            out.push(piece);
        }
        at += taken.max(1);
    }
}

/// As a shell reads words: `c'a't`, `c\at`, `c^md`, `cat$IFS/etc`, `{cat,/etc}`, `c$@at`.
fn shell(text: &[u8], out: &mut Vec<u8>) {
    let (mut at, mut braced) = (0, false);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        match byte {
            b'{' => braced = true,
            b'}' | b' ' | b'\n' => braced = false,
            _ => {}
        }
        let (piece, taken) = match rest {
            [b'$', b'{', b'I', b'F', b'S', inside @ ..] => (
                Some(b' '),
                5 + memchr::memchr(b'}', &inside[..inside.len().min(16)]).map_or(0, |end| end + 1),
            ),
            [b'$', b'I', b'F', b'S', b'$', b'0'..=b'9', ..] => (Some(b' '), 6),
            [b'$', b'I', b'F', b'S', ..] => (Some(b' '), 4),
            [b'$', b'(', b')', ..] => (None, 3),
            [b'$', b'@' | b'*' | b'!' | b'0'..=b'9', ..] => (None, 2),
            [b'$', b'a'..=b'z', next, ..] if !next.is_ascii_alphanumeric() && *next != b'_' => (None, 2),
            [b'$', b'a'..=b'z'] => (None, 2),
            [b'`', b'`', ..] => (None, 2),
            [b'\'' | b'"' | b'\\' | b'^', ..] => (None, 1),
            [b'{', ..] | [b'}', ..] => (Some(b' '), 1),
            [b',', ..] if braced => (Some(b' '), 1),
            _ if is_space(byte) && byte != b'\n' => (Some(b' '), 1),
            _ => (Some(byte), 1),
        };
        match piece {
            Some(b' ') if out.last() == Some(&b' ') => {}
            Some(piece) => out.push(piece),
            None => {}
        }
        at += taken;
    }
}

/// Without any white space or comment.
fn compact(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if let Some(taken) = after_comment(&text[at..]) {
            at += taken;
            continue;
        }
        if byte != 0 && !is_space(byte) {
            out.push(byte);
        }
        at += 1;
    }
}
