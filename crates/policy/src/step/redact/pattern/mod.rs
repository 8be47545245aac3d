//! What looks like something that nobody should see. Each scanner is linear in the text; what a text cannot have is not
//! looked for in it.

mod card;
mod contact;
mod iban;
mod secret;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(super) use card::is_card;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Card,
    Email,
    Iban,
    Phone,
    Token,
    Key,
}

/// Where something was found. None overlaps another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) at: Range<usize>,
    pub(super) pattern: Pattern,
}

/// Some of the patterns.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    wanted: u8,
    literals: Option<secret::Literals>,
}

impl Pattern {
    /// The word for findings.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::Token => "token",
            Self::Key => "key",
        }
    }

    /// What a whole text is, where how it is covered depends on it.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut found = Vec::new();
        // The longest card number with its separators.
        if text.len() <= 40 {
            card::find(text.as_bytes(), &mut found);
        }
        found.first().filter(|found| found.at == (0..text.len())).map(|found| found.pattern)
    }
}

impl Patterns {
    pub(super) fn new(patterns: impl Iterator<Item = Pattern>) -> Self {
        let wanted = patterns.fold(0, |wanted, pattern| wanted | 1 << pattern as u8);
        let mut patterns = Self { wanted, literals: None };
        if patterns.wants(Pattern::Token) || patterns.wants(Pattern::Key) {
            patterns.literals =
                secret::Literals::new(patterns.wants(Pattern::Token), patterns.wants(Pattern::Key));
        }
        patterns
    }

    pub(super) const fn wants(&self, pattern: Pattern) -> bool {
        self.wanted & 1 << pattern as u8 != 0
    }

    /// Leaves what is found in `found`, in order.
    pub(super) fn find(&self, text: &[u8], found: &mut Vec<Match>) {
        // The shortest of all is an address as `a@b.cd`.
        if text.len() < 6 {
            return;
        }
        let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
        if digits >= 13 && self.wants(Pattern::Card) {
            card::find(text, found);
        }
        if digits >= 4 && self.wants(Pattern::Iban) {
            iban::find(text, found);
        }
        if digits >= 8 && self.wants(Pattern::Phone) {
            contact::find_phones(text, found);
        }
        if self.wants(Pattern::Email) && memchr::memchr(b'@', text).is_some() {
            contact::find_emails(text, found);
        }
        if let Some(literals) = &self.literals {
            literals.find(text, found);
        }
        if found.len() > 1 {
            join(found);
        }
    }
}

/// Orders what was found, and makes one of what overlaps: nothing of either is to be seen.
fn join(found: &mut Vec<Match>) {
    found.sort_by_key(|found| (found.at.start, usize::MAX - found.at.end));
    found.dedup_by(|next, last| {
        let overlap = next.at.start < last.at.end;
        if overlap {
            last.at.end = last.at.end.max(next.at.end);
        }
        overlap
    });
}

/// The byte before a place; a space at the beginning.
fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ')
}

/// The byte at a place; a space behind the end.
fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

/// How many bytes from `at` on are of a kind.
fn run(text: &[u8], at: usize, is_of: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| is_of(**byte)).count()
}
