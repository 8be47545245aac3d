//! Text as lists compare it: what cannot be seen is left out, and what parts words in any script is a space.

/// Bytes that may be read behind the end of a normal text, so that eight can be read at a time.
pub(super) const PADDING: usize = 8;

/// Writes the normal form of `text` to `out`, in lower case where `folds`; behind it stand [`PADDING`] bytes of 0.
pub(super) fn write(text: &str, folds: bool, out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    loop {
        let ascii = ascii_length(rest.as_bytes());
        let (plain, other) = rest.split_at(ascii);
        out.extend_from_slice(plain.as_bytes());
        let Some(c) = other.chars().next() else { break };
        match c {
            c if is_invisible(c) => {}
            c if !c.is_alphanumeric() => out.push(b' '),
            c if folds => c.to_lowercase().for_each(|c| push(c, out)),
            c => push(c, out),
        }
        rest = other.get(c.len_utf8()..).unwrap_or_default();
    }
    if folds {
        out.make_ascii_lowercase();
    }
    out.extend_from_slice(&[0; PADDING]);
}

/// How many bytes are ASCII before one is not.
fn ascii_length(text: &[u8]) -> usize {
    const STRIDE: usize = 128;
    let plain = text.chunks(STRIDE).take_while(|chunk| chunk.is_ascii()).count() * STRIDE;
    let rest = text.get(plain..).unwrap_or_default();
    plain.min(text.len()) + rest.iter().take_while(|byte| byte.is_ascii()).count()
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
