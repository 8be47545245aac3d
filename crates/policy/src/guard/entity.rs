//! HTML's character references.

use super::decode::hex;

/// The names that matter to attacks, and what they stand for. Those of [`BARE`] need no semicolon.
const NAMES: [(&str, u8); 42] = [
    ("lt", b'<'),
    ("gt", b'>'),
    ("amp", b'&'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("nbsp", b' '),
    ("tab", b'\t'),
    ("newline", b'\n'),
    ("colon", b':'),
    ("semi", b';'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("sol", b'/'),
    ("bsol", b'\\'),
    ("lbrace", b'{'),
    ("lcub", b'{'),
    ("rbrace", b'}'),
    ("rcub", b'}'),
    ("lbrack", b'['),
    ("lsqb", b'['),
    ("rbrack", b']'),
    ("rsqb", b']'),
    ("equals", b'='),
    ("grave", b'`'),
    ("excl", b'!'),
    ("num", b'#'),
    ("period", b'.'),
    ("comma", b','),
    ("plus", b'+'),
    ("percnt", b'%'),
    ("dollar", b'$'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("commat", b'@'),
    ("lowbar", b'_'),
    ("hyphen", b'-'),
    ("vert", b'|'),
    ("verbar", b'|'),
    ("hat", b'^'),
    ("quest", b'?'),
    ("lsquo", b'\''),
    ("rsquo", b'\''),
];
/// So many names at the front are read without a semicolon too.
const BARE: usize = 4;
/// A number may have so many leading zeros and digits.
const DIGITS: usize = 16;

/// Reads a reference at the start of `text`, which begins with `&`: its character, and how many bytes it takes.
pub(super) fn read(text: &[u8]) -> Option<(u32, usize)> {
    match text.get(1)? {
        b'#' => number(text),
        byte if byte.is_ascii_alphabetic() => name(text),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<(u32, usize)> {
    let rest = text.get(2..)?;
    let (code, end) = match rest.first()? {
        b'x' | b'X' => {
            let digits = &rest[1..];
            let zeros = digits.iter().take(DIGITS).take_while(|&&byte| byte == b'0').count();
            let (code, taken) = hex(&digits[zeros..], usize::from(zeros == 0), 6).unwrap_or((0, 0));
            (code, 3 + zeros + taken)
        }
        _ => {
            let digits = rest.iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let code = rest[..digits]
                .iter()
                .fold(0u32, |code, digit| code.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
            (code, 2 + digits)
        }
    };
    if end == 3 {
        return None;
    }
    Some((code, end + usize::from(text.get(end) == Some(&b';'))))
}

fn name(text: &[u8]) -> Option<(u32, usize)> {
    let rest = &text[1..];
    let letters = rest.iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let closed = rest.get(letters) == Some(&b';');
    let (index, (name, letter)) = match closed {
        true => NAMES
            .iter()
            .enumerate()
            .find(|(_, (name, _))| rest[..letters].eq_ignore_ascii_case(name.as_bytes()))?,
        false => NAMES.iter().enumerate().take(BARE).find(|(_, (name, _))| {
            rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        })?,
    };
    // A query such as `?a=1&gt=2` has names of its own.
    let own = !closed && (rest.get(name.len()) == Some(&b'=') || index >= BARE);
    (!own).then_some((u32::from(*letter), 1 + name.len() + usize::from(closed)))
}
