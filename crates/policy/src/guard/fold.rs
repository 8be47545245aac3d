//! Characters and byte sequences that some reader takes for an ASCII character, or for none.

/// How the bytes at a place are read.
pub(super) enum Folded {
    /// They stay as they are, so many of them.
    Kept(usize),
    /// They stand for an ASCII character.
    Letter(u8, usize),
    /// They stand for nothing: invisible.
    Nothing(usize),
}

use Folded::{Kept, Letter, Nothing};

/// Reads the bytes at the start of `text`, the first of which is zero or not ASCII.
pub(super) fn read(text: &[u8]) -> Folded {
    let byte = |index: usize| text.get(index).copied().unwrap_or(0);
    match byte(0) {
        0 => Nothing(1),
        0xc0 | 0xc1 => overlong(text, 2),
        0xe0 if byte(1) < 0xa0 => overlong(text, 3),
        0xf0 if byte(1) < 0x90 => overlong(text, 4),
        0xf8..=0xfb => overlong(text, 5),
        0xfc..=0xfd => overlong(text, 6),
        0xc2 => match byte(1) {
            0xa0 => Letter(b' ', 2),
            0xad => Nothing(2),
            _ => kept(text, 2),
        },
        0xc4 if byte(1) == 0xb1 => Letter(b'i', 2),
        0xc5 if byte(1) == 0xbf => Letter(b's', 2),
        0xca if byte(1) == 0xbc => Letter(b'\'', 2),
        0xe2 => general(text, byte(1), byte(2)),
        0xe3 if byte(1) == 0x80 && byte(2) == 0x80 => Letter(b' ', 3),
        0xef => compatible(text, byte(1), byte(2)),
        0xf0 if byte(1) == 0x9d && follows(byte(2)) && follows(byte(3)) => mathematical(byte(2), byte(3)),
        // MySQL takes a bare no-break space for white space.
        0xa0 => Letter(b' ', 1),
        0xc3..=0xdf => kept(text, 2),
        0xe0..=0xef => kept(text, 3),
        0xf0..=0xf4 => kept(text, 4),
        _ => Kept(1),
    }
}

const fn follows(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// A character of so many bytes, as far as they are there and its own: what breaks it off is read for itself.
fn kept(text: &[u8], length: usize) -> Folded {
    Kept(1 + text.iter().take(length).skip(1).take_while(|byte| follows(**byte)).count())
}

/// A form that is longer than the character needs.
fn overlong(text: &[u8], length: usize) -> Folded {
    let Some(bytes) = text.get(..length) else { return Kept(1) };
    let lead = u32::from(bytes[0]) & (0x7f >> length);
    let code = bytes[1..]
        .iter()
        .try_fold(lead, |code, byte| follows(*byte).then_some(code << 6 | u32::from(byte & 0x3f)));
    match code {
        Some(0) => Nothing(length),
        Some(code @ 1..=0x7f) => Letter(code as u8, length),
        _ => Kept(1),
    }
}

/// U+2000 to U+2FFF.
fn general(text: &[u8], second: u8, third: u8) -> Folded {
    match (second, third) {
        (0x80, 0x80..=0x8a | 0xaf) | (0x81, 0x9f) => Letter(b' ', 3),
        (0x80, 0x8b..=0x8f | 0xaa..=0xae) | (0x81, 0xa0..=0xa4) => Nothing(3),
        (0x80, 0xa8 | 0xa9) => Letter(b'\n', 3),
        (0x80, 0x98..=0x9b | 0xb2) => Letter(b'\'', 3),
        (0x80, 0x9c..=0x9f | 0xb3) => Letter(b'"', 3),
        (0x80, 0xb9) => Letter(b'<', 3),
        (0x80, 0xba) => Letter(b'>', 3),
        (0x81, 0x84) | (0x88, 0x95) => Letter(b'/', 3),
        (0x88, 0x96) => Letter(b'\\', 3),
        (0x84, 0xaa) => Letter(b'k', 3),
        // Letters and digits in circles.
        (0x91, 0xa0..=0xa8) => Letter(third - 0xa0 + b'1', 3),
        (0x92, 0xb6..=0xbf) => Letter(third - 0xb6 + b'A', 3),
        (0x93, 0x80..=0x8f) => Letter(third - 0x80 + b'K', 3),
        (0x93, 0x90..=0xa9) => Letter(third - 0x90 + b'a', 3),
        (0x93, 0xaa) => Letter(b'0', 3),
        _ => kept(text, 3),
    }
}

/// U+F000 to U+FFFF: wide and small forms, the byte order mark.
fn compatible(text: &[u8], second: u8, third: u8) -> Folded {
    match (second, third) {
        (0xbc, 0x81..=0xbf) => Letter(third - 0x81 + b'!', 3),
        (0xbd, 0x80..=0x9e) => Letter(third - 0x80 + b'`', 3),
        (0xb9, 0xa4) => Letter(b'<', 3),
        (0xb9, 0xa5) => Letter(b'>', 3),
        (0xb9, 0xa8) => Letter(b'\\', 3),
        (0xbb, 0xbf) => Nothing(3),
        _ => kept(text, 3),
    }
}

/// U+1D400 to U+1D7FF: letters and digits of mathematics.
fn mathematical(third: u8, fourth: u8) -> Folded {
    let code = (u32::from(third & 0x3f) << 6 | u32::from(fourth & 0x3f)) + 0x1_d000;
    let letter = match code {
        0x1_d400..=0x1_d6a3 => match (code - 0x1_d400) % 52 {
            upper @ 0..=25 => b'A' + upper as u8,
            lower => b'a' + (lower - 26) as u8,
        },
        0x1_d7ce..=0x1_d7ff => b'0' + ((code - 0x1_d7ce) % 10) as u8,
        _ => return Kept(4),
    };
    Letter(letter, 4)
}
