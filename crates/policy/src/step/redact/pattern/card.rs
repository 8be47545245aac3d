//! Payment card numbers: digits in groups, an issuer's beginning and length, and the check digit by Luhn.

use super::{Match, Pattern, before, byte, run};

/// What an issuer's numbers begin with, from and to, and how many digits they have.
struct Issuer(&'static str, &'static str, &'static [usize]);

const LONG: &[usize] = &[16, 17, 18, 19];

const ISSUERS: &[Issuer] = &[
    // Visa
    Issuer("4", "4", &[13, 16, 19]),
    // Mastercard
    Issuer("51", "55", &[16]),
    Issuer("2221", "2720", &[16]),
    // American Express
    Issuer("34", "34", &[15]),
    Issuer("37", "37", &[15]),
    // Diners Club
    Issuer("300", "305", &[14, 16, 19]),
    Issuer("3095", "3095", &[14, 16, 19]),
    Issuer("36", "36", &[14, 16, 19]),
    Issuer("38", "39", &[14, 16, 19]),
    // Discover
    Issuer("6011", "6011", LONG),
    Issuer("644", "649", LONG),
    Issuer("65", "65", LONG),
    // JCB
    Issuer("3528", "3589", LONG),
    // UnionPay
    Issuer("62", "62", LONG),
    Issuer("81", "81", LONG),
    // Maestro
    Issuer("5018", "5018", &[13, 14, 15, 16, 17, 18, 19]),
    Issuer("5020", "5020", &[13, 14, 15, 16, 17, 18, 19]),
    Issuer("5038", "5038", &[13, 14, 15, 16, 17, 18, 19]),
    Issuer("5893", "5893", &[13, 14, 15, 16, 17, 18, 19]),
    Issuer("6304", "6304", &[13, 14, 15, 16, 17, 18, 19]),
    Issuer("6759", "6763", &[13, 14, 15, 16, 17, 18, 19]),
    // Dankort
    Issuer("5019", "5019", &[16]),
    // Mir
    Issuer("2200", "2204", LONG),
    // RuPay
    Issuer("60", "60", &[16]),
    Issuer("82", "82", &[16]),
    Issuer("508", "508", &[16]),
    // Verve
    Issuer("506099", "506198", LONG),
    // Troy
    Issuer("9792", "9792", &[16]),
];

const FEWEST: usize = 13;
const MOST: usize = 19;
/// Digits of a group that another follows.
const GROUP: usize = 4;

/// Whether digits are a card number.
pub(in crate::step::redact) fn is_card(digits: &[u8]) -> bool {
    (FEWEST..=MOST).contains(&digits.len()) && is_issued(digits) && checks(digits)
}

fn is_issued(digits: &[u8]) -> bool {
    let begins = |from: &str, to: &str| {
        digits.get(..from.len()).is_some_and(|start| (from.as_bytes()..=to.as_bytes()).contains(&start))
    };
    ISSUERS.iter().any(|Issuer(from, to, lengths)| lengths.contains(&digits.len()) && begins(from, to))
}

/// Luhn's check: every second digit from the right but one counts twice.
fn checks(digits: &[u8]) -> bool {
    let values = digits.iter().rev().map(|digit| u32::from(digit.wrapping_sub(b'0')));
    let sum: u32 = values
        .enumerate()
        .map(|(place, value)| match place % 2 {
            0 => value,
            _ => value * 2 % 10 + value * 2 / 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

pub(super) fn find(text: &[u8], found: &mut Vec<Match>) {
    let mut at = 0;
    while at < text.len() {
        if !byte(text, at).is_ascii_digit() {
            at += 1;
            continue;
        }
        let count = run(text, at, |byte| byte.is_ascii_digit());
        // Behind `+` stands a telephone number, behind a point a fraction.
        let is_start = match before(text, at) {
            b'+' => false,
            b'.' => !before(text, at - 1).is_ascii_digit(),
            _ => true,
        };
        match is_start.then(|| longest(text, at)).flatten() {
            Some(end) => {
                found.push(Match { at: at..end, pattern: Pattern::Card });
                at = end;
            }
            None => at += count,
        }
    }
}

/// The end of the longest card number that begins here. Each group takes part in few of them, so this is linear.
fn longest(text: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0; MOST];
    let (mut count, mut at, mut end) = (0, start, None);
    loop {
        let group = run(text, at, |byte| byte.is_ascii_digit());
        let room = digits.get_mut(count..count + group)?;
        room.copy_from_slice(text.get(at..at + group)?);
        count += group;
        at += group;
        if is_card(&digits[..count]) {
            end = Some(at);
        }
        let next = at + separator(text, at);
        if next == at || group < GROUP || count == MOST || !byte(text, next).is_ascii_digit() {
            return end;
        }
        if text.get(next..).is_none_or(|rest| count + run(rest, 0, |byte| byte.is_ascii_digit()) > MOST) {
            return end;
        }
        at = next;
    }
}

/// The length of one space or hyphen, also of those that do not break.
fn separator(text: &[u8], at: usize) -> usize {
    match text.get(at..) {
        Some([b' ' | b'-', ..]) => 1,
        Some([0xc2, 0xa0, ..]) => 2,
        Some([0xe2, 0x80, 0x90 | 0x91 | 0xaf, ..]) => 3,
        _ => 0,
    }
}
