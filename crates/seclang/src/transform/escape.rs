//! Escapes by a backslash: JavaScript, CSS, ANSI C.

use super::{digit, full_width, pair, quad};

/// The control character of a letter behind a backslash.
const fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        _ => return None,
    })
}

/// Up to three octal digits, no more than a byte holds: the byte, and how many they are.
fn octal(text: &[u8]) -> Option<(u8, usize)> {
    let count = text.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let count = match text.first()? {
        b'4'.. if count == 3 => 2,
        _ => count,
    };
    let value = text[..count].iter().fold(0u8, |value, byte| value << 3 | (byte - b'0'));
    (count > 0).then_some((value, count))
}

pub(super) fn js(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'\\' || behind.is_empty() {
            out.push(first);
            rest = behind;
            continue;
        }
        let (byte, length) = match behind[0] {
            b'u' if quad(&behind[1..]).is_some() => (quad(&behind[1..]).unwrap_or(0), 5),
            b'x' if pair(&behind[1..]).is_some() => (pair(&behind[1..]).unwrap_or(0), 3),
            b'0'..=b'7' => octal(behind).unwrap_or((behind[0], 1)),
            letter => (control(letter).unwrap_or(letter), 1),
        };
        out.push(byte);
        rest = behind.get(length..).unwrap_or_default();
    }
}

/// One to six hexadecimal digits, of which the last two count, and white space behind them.
pub(super) fn css(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'\\' {
            out.push(first);
            rest = behind;
            continue;
        }
        let Some(&next) = behind.first() else { break };
        let count = behind.iter().take(6).take_while(|byte| digit(**byte).is_some()).count();
        if count == 0 {
            // A line that goes on.
            if next != b'\n' {
                out.push(next);
            }
            rest = &behind[1..];
            continue;
        }
        let digits = &behind[..count];
        let low = match count {
            1 => digit(digits[0]).unwrap_or(0),
            _ => pair(&digits[count - 2..]).unwrap_or(0),
        };
        let is_full = count >= 4
            && digits[count - 4..count - 2].eq_ignore_ascii_case(b"ff")
            && digits[..count - 4].iter().all(|byte| *byte == b'0');
        out.push(if is_full { full_width(0xff, low) } else { low });
        rest = &behind[count..];
        if rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 11) {
            rest = &rest[1..];
        }
    }
}

pub(super) fn ansi_c(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'\\' || behind.is_empty() {
            out.push(first);
            rest = behind;
            continue;
        }
        let (byte, length) = match behind[0] {
            letter @ (b'\\' | b'?' | b'\'' | b'"') => (Some(letter), 1),
            b'x' | b'X' => match pair(&behind[1..]) {
                Some(byte) => (Some(byte), 3),
                None => (None, 0),
            },
            b'0'..=b'7' => {
                let count = behind.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value =
                    behind[..count].iter().fold(0u32, |value, byte| value << 3 | u32::from(byte - b'0'));
                (Some((value & 0xff) as u8), count)
            }
            letter => (control(letter), 1),
        };
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(length..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
}
