//! Text as lists compare it: what cannot be seen is left out, and what parts words in any script is a space.

/// Bytes that may be read behind the end of a normal text, so that eight can be read at a time.
pub(super) const PADDING: usize = 8;

/// Writes the normal form of `text` to `out`, in lower case where `folds`; behind it stand [`PADDING`] bytes of 0.
pub(super) fn write(text: &str, folds: bool, out: &mut Vec<u8>) {
    out.clear();
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
        if folds {
            out.make_ascii_lowercase();
        }
    } else {
        for c in text.chars().filter(|c| !is_invisible(*c)) {
            match c {
                c if !c.is_ascii() && !c.is_alphanumeric() => out.push(b' '),
                c if folds => c.to_lowercase().for_each(|c| push(c, out)),
                c => push(c, out),
            }
        }
    }
    out.extend_from_slice(&[0; PADDING]);
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Characters that stand between others without a trace: a word with one in it looks as if it had none.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether a byte of a normal text belongs to a word.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}
