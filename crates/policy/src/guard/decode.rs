//! One layer of encoding undone: URL, HTML entities, escapes of JSON, JavaScript and CSS, and characters that stand for
//! ASCII.

use super::entity;
use super::fold::{self, Folded};

/// Undoes one layer of encoding of `text` into `out`, which is empty then. Without any, it gives `false` and leaves `out`
/// empty.
pub(super) fn layer(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let (mut at, mut copied) = (0, 0);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let read = match byte {
            b'%' => percent(rest),
            b'\\' => backslash(rest),
            b'&' => entity::read(rest).map(|(letter, taken)| (Piece::Letter(letter), taken)),
            0 | 0x80.. => match fold::read(rest) {
                Folded::Kept(taken) => {
                    at += taken.max(1);
                    continue;
                }
                Folded::Letter(letter, taken) => Some((Piece::Letter(letter.into()), taken)),
                Folded::Nothing(taken) => Some((Piece::Nothing, taken)),
            },
            _ => None,
        };
        let Some((piece, taken)) = read else {
            at += 1;
            continue;
        };
        out.extend_from_slice(&text[copied..at]);
        piece.write(out);
        at += taken.max(1);
        copied = at;
    }
    if copied == 0 {
        return false;
    }
    out.extend_from_slice(&text[copied..]);
    true
}

/// What an encoded piece stands for.
enum Piece {
    Byte(u8),
    Letter(u32),
    Nothing,
}

impl Piece {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Byte(byte) => out.push(byte),
            Self::Letter(code) => {
                // What is no character, such as half of a surrogate pair, still takes a place.
                let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Self::Nothing => {}
        }
    }
}

/// `%41` or `%u0041`.
fn percent(text: &[u8]) -> Option<(Piece, usize)> {
    if matches!(text.get(1), Some(b'u' | b'U')) {
        let (code, _) = hex(&text[2..], 4, 4)?;
        return Some((Piece::Letter(code), 6));
    }
    let (code, _) = hex(text.get(1..)?, 2, 2)?;
    Some((Piece::Byte(code as u8), 3))
}

/// `\x41`, `\u0041`, `\u{41}`, `\101`, `\000041`, `\n`, `\"`, and a run of backslashes that stands for one.
fn backslash(text: &[u8]) -> Option<(Piece, usize)> {
    let rest = text.get(2..).unwrap_or_default();
    match *text.get(1)? {
        b'x' | b'X' => {
            if let Some((code, taken)) = braced(rest) {
                return Some((Piece::Letter(code), 2 + taken));
            }
            let (code, taken) = hex(rest, 2, 2)?;
            Some((Piece::Byte(code as u8), 2 + taken))
        }
        b'u' | b'U' => unicode(rest).map(|(code, taken)| (Piece::Letter(code), 2 + taken)),
        b'0'..=b'7' => octal(&text[1..]).map(|(code, taken)| (Piece::Letter(code), 1 + taken)),
        b'n' | b'r' => Some((Piece::Byte(b'\n'), 2)),
        b't' | b'v' | b'f' => Some((Piece::Byte(b' '), 2)),
        escaped @ (b'"' | b'\'' | b'`' | b'/' | b'<' | b'>') => Some((Piece::Byte(escaped), 2)),
        // Many layers of escaping double it again and again, and ASCII art has them in rows.
        b'\\' => {
            let run = text.iter().take_while(|&&byte| byte == b'\\').count();
            Some((Piece::Byte(b'\\'), run))
        }
        _ => None,
    }
}

/// What follows `\u`: four digits, two surrogates of four each, or digits in braces.
fn unicode(text: &[u8]) -> Option<(u32, usize)> {
    if let Some(read) = braced(text) {
        return Some(read);
    }
    let (high, _) = hex(text, 4, 4)?;
    if (0xd800..0xdc00).contains(&high)
        && text.get(4..6).is_some_and(|next| next.eq_ignore_ascii_case(b"\\u"))
        && let Some((low, _)) = hex(&text[6..], 4, 4)
        && (0xdc00..0xe000).contains(&low)
    {
        return Some((0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 10));
    }
    Some((high, 4))
}

/// `{41}`.
fn braced(text: &[u8]) -> Option<(u32, usize)> {
    let inside = text.strip_prefix(b"{")?;
    let (code, taken) = hex(inside, 1, 6)?;
    (inside.get(taken) == Some(&b'}')).then_some((code, taken + 2))
}

/// `101` of C and JavaScript, or `0041` of CSS.
fn octal(text: &[u8]) -> Option<(u32, usize)> {
    if text.starts_with(b"00")
        && let Some((code, taken)) = hex(text, 4, 6)
    {
        return Some((code, taken));
    }
    let digits = text.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    let code = text[..digits].iter().fold(0, |code, digit| code * 8 + u32::from(digit - b'0'));
    (digits >= 2 && code < 0x80).then_some((code, digits))
}

/// Between `least` and `most` hexadecimal digits at the start of `text`, and how many there are.
pub(super) fn hex(text: &[u8], least: usize, most: usize) -> Option<(u32, usize)> {
    let (mut code, mut taken) = (0u32, 0);
    for &byte in text.iter().take(most) {
        let Some(digit) = char::from(byte).to_digit(16) else { break };
        code = code << 4 | digit;
        taken += 1;
    }
    (taken >= least).then_some((code, taken))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decoded(text: &str) -> String {
        let mut out = Vec::new();
        match layer(text.as_bytes(), &mut out) {
            true => String::from_utf8_lossy(&out).into_owned(),
            false => text.to_owned(),
        }
    }

    #[test]
    fn one_layer_is_undone() {
        for (text, plain) in [
            ("%3Cscript%3e", "<script>"),
            ("%253C", "%3C"),
            ("%%32%65", "%2e"),
            ("%u003cb%U003E", "<b>"),
            (r"\u003cb\x3e\74\u{62}", "<b><b"),
            (r"\ud83d\ude00", "😀"),
            (r"\0061lert", "alert"),
            (r#"{\"a\":\"b\"}"#, r#"{"a":"b"}"#),
            (r"a\\\\b", r"a\b"),
            ("&lt;b&#62;&#x3c;&#0000062;&colon;", "<b><>:"),
            ("&LT;&amp;lt;", "<&lt;"),
            ("ｓｃｒｉｐｔ＞", "script>"),
            ("Ⓛⓞ𝐜𝒂l", "Local"),
            ("x\u{a0}y\u{200b}z", "x yz"),
            ("..%c0%af", "..\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(decoded(text), plain, "{text}");
        }
    }

    #[test]
    fn what_is_no_encoding_stays() {
        for text in [
            "100 %",
            "50% of",
            "AT&T",
            "a & b",
            "C:\\Users",
            "grüße",
            "日本語、テスト。",
            "¯\\_(ツ)_/¯",
            "%",
            "\\",
            "&",
        ] {
            let mut out = Vec::new();
            assert!(!layer(text.as_bytes(), &mut out), "{text}: {out:?}");
        }
    }

    #[test]
    fn a_character_that_breaks_off_hides_nothing_behind_it() {
        for lead in
            [&b"\xc3"[..], b"\xe2", b"\xe2\x80", b"\xef\xbc", b"\xf0\x9d", b"\xf0\x9d\x90", b"\xf1\x80\x80"]
        {
            let mut out = Vec::new();
            assert!(!layer(lead, &mut out), "{lead:x?}");
            assert!(layer(&[lead, b"%3C"].concat(), &mut out), "{lead:x?}");
            assert_eq!(out, [lead, b"<"].concat());
        }
    }

    #[test]
    fn overlong_forms_are_read_as_their_letter() {
        for text in [
            &b"\xc0\xaf"[..],
            b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf",
            b"\xf8\x80\x80\x80\xaf",
            b"\xfc\x80\x80\x80\x80\xaf",
        ] {
            let mut out = Vec::new();
            assert!(layer(text, &mut out));
            assert_eq!(out, b"/", "{text:x?}");
        }
    }
}
