//! White space, comments, and what a shell does not see.

use memchr::memmem;

use super::SPACES;

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

pub(super) fn trim_left(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_space(**byte)).count()..]
}

pub(super) fn trim_right(text: &[u8]) -> &[u8] {
    &text[..text.len() - text.iter().rev().take_while(|byte| is_space(**byte)).count()]
}

/// Whether all white space is single spaces.
pub(super) fn is_compressed(text: &[u8]) -> bool {
    let mut was_space = false;
    text.iter().all(|&byte| {
        let after_space = std::mem::replace(&mut was_space, byte == b' ');
        !(SPACES.has(byte) && (after_space || byte != b' '))
    })
}

/// White space in a row becomes one space.
pub(super) fn compress(text: &[u8], out: &mut Vec<u8>) {
    let mut in_space = false;
    for &byte in text {
        match SPACES.has(byte) {
            true if in_space => {}
            true => out.push(b' '),
            false => out.push(byte),
        }
        in_space = SPACES.has(byte);
    }
}

/// As a shell or Windows' command line reads it: quotes, carets and backslashes are gone, commas and semicolons are spaces, no
/// space stands before `/` and `(`.
pub(super) fn cmd_line(text: &[u8], out: &mut Vec<u8>) {
    let mut in_space = false;
    for &byte in text {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !in_space {
                    out.push(b' ');
                    in_space = true;
                }
            }
            b'/' | b'(' => {
                if in_space {
                    out.pop();
                }
                in_space = false;
                out.push(byte);
            }
            _ => {
                in_space = false;
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
}

/// Each comment between `/*` and `*/` becomes a space, and so does one that does not end.
pub(super) fn replace_comments(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(start) = memmem::find(rest, b"/*") {
        out.extend_from_slice(&rest[..start]);
        out.push(b' ');
        let inner = &rest[start + 2..];
        match memmem::find(inner, b"*/") {
            Some(end) => rest = &inner[end + 2..],
            None => return,
        }
    }
    out.extend_from_slice(rest);
}

/// Comments of C, HTML, SQL and shells are gone.
pub(super) fn remove_comments(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (start, end): (usize, &[u8]) = match first {
            b'/' if rest.starts_with(b"/*") => (2, b"*/"),
            b'<' if rest.starts_with(b"<!--") => (4, b"-->"),
            b'#' => return,
            b'-' if rest.starts_with(b"--") => return,
            _ => {
                out.push(first);
                rest = behind;
                continue;
            }
        };
        // `/*/` is no whole comment: its end stands behind its whole start.
        let inner = &rest[start..];
        match memmem::find(inner, end) {
            Some(at) => rest = &inner[at + end.len()..],
            None => {
                out.push(b' ');
                return;
            }
        }
    }
}

/// The marks of comments are gone, and what stands between them stays.
pub(super) fn remove_comment_marks(text: &[u8], out: &mut Vec<u8>) {
    const MARKS: [&[u8]; 6] = [b"/*", b"*/", b"<!--", b"-->", b"--", b"#"];
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        match MARKS.iter().find(|mark| rest.starts_with(mark)) {
            Some(mark) => rest = &rest[mark.len()..],
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
}
