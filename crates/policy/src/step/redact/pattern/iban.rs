//! International bank account numbers (ISO 13616): a country's length, and the remainder of 97.

use super::{Match, Pattern, before, byte};

/// How many characters a country's numbers have, by the IBAN registry.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

pub(super) fn find(text: &[u8], found: &mut Vec<Match>) {
    let mut at = 0;
    while at + 15 <= text.len() {
        let next = match begins(text, at).then(|| end(text, at)).flatten() {
            Some(end) => {
                found.push(Match { at: at..end, pattern: Pattern::Iban });
                end
            }
            None => at + 1,
        };
        at = next;
    }
}

fn begins(text: &[u8], at: usize) -> bool {
    byte(text, at + 2).is_ascii_digit()
        && byte(text, at + 3).is_ascii_digit()
        && byte(text, at).is_ascii_alphabetic()
        && byte(text, at + 1).is_ascii_alphabetic()
        && !before(text, at).is_ascii_alphanumeric()
}

/// The end of the number that begins here.
fn end(text: &[u8], start: usize) -> Option<usize> {
    let country = [byte(text, start).to_ascii_uppercase(), byte(text, start + 1).to_ascii_uppercase()];
    let length = LENGTHS.iter().find(|(known, _)| **known == country)?.1;
    let mut number = [0; 34];
    let (mut at, mut count) = (start, 0);
    while count < length {
        let next = *text.get(at)?;
        match next {
            b' ' | b'-' if byte(text, at + 1).is_ascii_alphanumeric() => {}
            next if next.is_ascii_alphanumeric() => {
                *number.get_mut(count)? = next.to_ascii_uppercase();
                count += 1;
            }
            _ => return None,
        }
        at += 1;
    }
    let number = number.get(..length)?;
    let is_whole = !byte(text, at).is_ascii_alphanumeric();
    (is_whole && remainder(number) == 1).then_some(at)
}

/// Of the number by 97, its first four characters at its end, letters as 10 to 35.
fn remainder(number: &[u8]) -> u32 {
    number.iter().skip(4).chain(number.iter().take(4)).fold(0, |rest, character| match character {
        b'0'..=b'9' => (rest * 10 + u32::from(character - b'0')) % 97,
        _ => (rest * 100 + 10 + u32::from(character.wrapping_sub(b'A'))) % 97,
    })
}
