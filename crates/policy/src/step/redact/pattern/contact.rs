//! E-mail addresses and telephone numbers.

use super::{Match, Pattern, before, byte, run};

/// The longest name before the `@` (RFC 5321 section 4.5.3.1).
const MAX_NAME: usize = 64;
/// The longest domain.
const MAX_DOMAIN: usize = 253;

pub(super) fn find_emails(text: &[u8], found: &mut Vec<Match>) {
    let mut from = 0;
    for at in memchr::memchr_iter(b'@', text) {
        if at < from {
            continue;
        }
        // Names in other letters are taken only where there is none in ASCII: they need not be parted from the text.
        let name = [is_name as fn(u8) -> bool, |byte| byte >= 0x80].into_iter().find_map(|is_of| {
            let before = text.get(from.max(at.saturating_sub(MAX_NAME))..at)?;
            let count = before.iter().rev().take_while(|byte| is_of(**byte)).count();
            let dots = run(text, at - count, |byte| byte == b'.' || byte == b'\'');
            (count > dots).then_some(at - count + dots)
        });
        let Some(start) = name else { continue };
        if let Some(end) = domain_end(text, at + 1) {
            found.push(Match { at: start..end, pattern: Pattern::Email });
            from = end;
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'".contains(&byte)
}

/// Where a domain of two labels or more ends.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let text = text.get(..text.len().min(start + MAX_DOMAIN))?;
    let is_ascii = byte(text, start).is_ascii();
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || !is_ascii && byte >= 0x80;
    let (mut at, mut end) = (start, None);
    loop {
        let label = run(text, at, is_label);
        let letters = text.get(at..at + label)?;
        let letters = letters.iter().rposition(|byte| *byte != b'-').and_then(|last| letters.get(..=last))?;
        // The last label has letters and two characters.
        if at > start && letters.len() > 1 && letters.iter().any(|byte| !byte.is_ascii_digit()) {
            end = Some(at + letters.len());
        }
        at += label;
        if letters.len() < label || byte(text, at) != b'.' || !is_label(byte(text, at + 1)) {
            return end;
        }
        at += 1;
    }
}

/// The digits of an international number (E.164), without the `+`.
const FEWEST: usize = 8;
const MOST: usize = 15;

pub(super) fn find_phones(text: &[u8], found: &mut Vec<Match>) {
    let mut at = 0;
    while at < text.len() {
        let first = byte(text, at);
        let begins = matches!(first, b'+' | b'(' | b'0'..=b'9') && is_apart(before(text, at));
        let end = match first {
            _ if !begins => None,
            b'+' => international(text, at + 1),
            b'0' if byte(text, at + 1) == b'0' => spaced(text, at, international(text, at + 2)),
            b'0' => french(text, at).or_else(|| national(text, at)),
            _ => american(text, at),
        };
        match end {
            Some(end) => {
                found.push(Match { at: at..end, pattern: Pattern::Phone });
                at = end;
            }
            None if first.is_ascii_digit() => at += run(text, at, |byte| byte.is_ascii_digit()),
            None => at += 1,
        }
    }
}

/// Whether a number may begin behind this byte, or end before it.
fn is_apart(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !b"+-./_=#".contains(&byte) || byte == b'='
}

fn is_end(text: &[u8], at: usize) -> bool {
    let next = byte(text, at);
    !next.is_ascii_alphanumeric()
        && next != b'_'
        && !(b"-./".contains(&next) && byte(text, at + 1).is_ascii_digit())
}

/// A country's code and what follows it, with at most two signs between digits.
fn international(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut digits, mut signs, mut end) = (start, 0, 0, start);
    loop {
        match byte(text, at) {
            b'0'..=b'9' => {
                digits += 1;
                signs = 0;
                end = at + 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' if signs < 2 && digits > 0 && at < text.len() => {
                signs += 1
            }
            _ => break,
        }
        if digits > MOST {
            return None;
        }
        at += 1;
    }
    let is_code = matches!(byte(text, start), b'1'..=b'9');
    // North America's numbers have ten digits behind the 1.
    let is_long = if byte(text, start) == b'1' { digits == 11 } else { digits >= FEWEST };
    (is_code && is_long && !byte(text, end).is_ascii_alphanumeric()).then_some(end)
}

/// Only where it has groups: digits alone may be anything.
fn spaced(text: &[u8], start: usize, end: Option<usize>) -> Option<usize> {
    end.filter(|end| {
        text.get(start..*end).is_some_and(|number| number.iter().any(|byte| !byte.is_ascii_digit()))
    })
}

/// `(415) 555-2671`, `415-555-2671`, `1.415.555.2671`.
fn american(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    if byte(text, at) == b'1' && is_sign(byte(text, at + 1)) {
        at += 2;
    }
    let is_bracketed = byte(text, at) == b'(';
    at = group(text, at + usize::from(is_bracketed), 3, true)?;
    at += match (is_bracketed, byte(text, at), byte(text, at + 1)) {
        (true, b')', b' ') => 2,
        (true, b')', _) => 1,
        (false, sign, _) if is_sign(sign) => 1,
        _ => return None,
    };
    at = group(text, at, 3, true)?;
    if !is_sign(byte(text, at)) {
        return None;
    }
    at = group(text, at + 1, 4, false)?;
    is_end(text, at).then_some(at)
}

/// `01 23 45 67 89`.
fn french(text: &[u8], start: usize) -> Option<usize> {
    let sign = byte(text, start + 2);
    if !is_sign(sign) || byte(text, start + 1) == b'0' {
        return None;
    }
    let mut at = group(text, start, 2, false)?;
    for _ in 0..4 {
        if byte(text, at) != sign {
            return None;
        }
        at = group(text, at + 1, 2, false)?;
    }
    is_end(text, at).then_some(at)
}

/// `020 7946 0958`, `0171 1234567`, `030/1234567`: an area of three to five digits, and one or two groups.
fn national(text: &[u8], start: usize) -> Option<usize> {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let area = run(text, start, is_digit);
    let mut at = start + area;
    let mut digits = area;
    let mut end = None;
    for _ in 0..2 {
        if !matches!(byte(text, at), b' ' | b'-' | b'/') {
            break;
        }
        let group = run(text, at + 1, is_digit);
        if group < 3 {
            break;
        }
        digits += group;
        at += 1 + group;
        end = ((10..=12).contains(&digits) && is_end(text, at)).then_some(at);
    }
    end.filter(|_| (3..=5).contains(&area) && byte(text, start + 1) != b'0')
}

fn is_sign(byte: u8) -> bool {
    b" -.".contains(&byte)
}

/// The end of a group of so many digits; one that is no beginning of a service's number where `plain`.
fn group(text: &[u8], at: usize, count: usize, plain: bool) -> Option<usize> {
    let is_right = run(text, at, |byte| byte.is_ascii_digit()) == count;
    (is_right && (!plain || byte(text, at) >= b'2')).then_some(at + count)
}
