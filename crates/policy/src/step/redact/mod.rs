//! `redact`: values at paths, and what looks like a card number or a credential in any text, are covered or taken out.

mod config;
mod cover;
mod pattern;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use config::RawRedact;
pub(crate) use config::check;

use self::cover::Cover;
use self::pattern::{Match, Pattern, Patterns};
use super::{Effect, New, View};
use crate::fields::{Field, Path, Shown};
use crate::finding::Hit;
use crate::rewrite::{Change, Edits, NewValue};

/// What is covered, and how.
#[derive(Clone, Debug)]
pub(crate) struct Redact(Box<[Rule]>);

#[derive(Clone, Debug)]
struct Rule {
    /// Where it looks; everywhere where there is none.
    paths: Box<[Path]>,
    /// What it looks for; the whole value where there is none.
    patterns: Option<Patterns>,
    cover: Cover,
}

/// Whether a text looks like what nobody should see: a card number, a bank account, a token or a key.
pub fn reveals_secret(text: &str) -> bool {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
        Patterns::new([Pattern::Card, Pattern::Iban, Pattern::Token, Pattern::Key].into_iter())
    });
    let mut found = Vec::new();
    PATTERNS.find(text.as_bytes(), &mut found);
    !found.is_empty()
}

/// The most findings of one message: beyond it, more of it is covered and not told.
const MAX_HITS: usize = 32;

/// What is found in a message. It has no memory of its own before something is.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
    edits: Edits,
    matches: Vec<Match>,
}

impl Redact {
    /// The paths whose values it covers, whatever they are.
    pub(crate) fn whole_paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(|rule| rule.patterns.is_none()).flat_map(|rule| rule.paths.iter())
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let mut found = Found::default();
        for rule in &self.0 {
            match &*rule.paths {
                [] => view.fields.all().for_each(|field| rule.look(&field, &mut found)),
                paths => paths.iter().for_each(|path| {
                    path.each(&view.fields, |field| rule.look_inside(&field, &mut found));
                }),
            }
        }
        match found.edits.is_empty() {
            true => Effect::Pass,
            false => Effect::Rewrite(found.hits, New::Edits(found.edits)),
        }
    }
}

impl Rule {
    fn look_inside(&self, field: &Field<'_>, found: &mut Found) {
        if let (None, Cover::Remove) = (&self.patterns, &self.cover) {
            found.note(field, "field", self.cover.done());
            found.edits.push(field.id(), Change::Remove);
            return;
        }
        field.with_inner().for_each(|field| self.look(&field, found));
    }

    fn look(&self, field: &Field<'_>, found: &mut Found) {
        match &self.patterns {
            None => self.cover_whole(field, found),
            Some(patterns) => match field.show() {
                Shown::Text(text) => self.cover_matches(patterns, text.as_bytes(), field, found),
                Shown::Bytes(bytes) => self.cover_matches(patterns, bytes, field, found),
                Shown::Int(number) => self.cover_number(patterns, number.unsigned_abs(), field, found),
                Shown::Uint(number) => self.cover_number(patterns, number, field, found),
                // What is above the whole numbers that a float holds exactly is written as one all the same.
                Shown::Float(number) if number.fract() == 0.0 && number.abs() < 1e19 => {
                    self.cover_number(patterns, number.abs() as u64, field, found);
                }
                _ => {}
            },
        }
    }

    fn cover_whole(&self, field: &Field<'_>, found: &mut Found) {
        let new = match field.show() {
            Shown::List(_) | Shown::Map(_) | Shown::Null => return,
            Shown::Text(text) => self.cover.cover(Pattern::of(text), text),
            Shown::Bytes(bytes) => self.cover.cover(None, &String::from_utf8_lossy(bytes)),
            Shown::Bool(value) => self.cover.short(&value.to_string()),
            Shown::Int(value) => self.cover.short(&value.to_string()),
            Shown::Uint(value) => self.cover.short(&value.to_string()),
            Shown::Float(value) => self.cover.short(&value.to_string()),
        };
        let change = match (new, field.show()) {
            (Some(new), Shown::Bytes(_)) => Change::Replace(NewValue::Bytes(new.into_bytes())),
            (Some(new), _) => Change::Replace(NewValue::Text(new)),
            (None, _) => Change::Remove,
        };
        found.note(field, "field", self.cover.done());
        found.edits.push(field.id(), change);
    }

    fn cover_matches(&self, patterns: &Patterns, text: &[u8], field: &Field<'_>, found: &mut Found) {
        patterns.find(text, &mut found.matches);
        if found.matches.is_empty() {
            return;
        }
        let matches = std::mem::take(&mut found.matches);
        let mut pieces = Vec::with_capacity(matches.len());
        for Match { at, pattern } in matches {
            found.note(field, pattern.label(), self.cover.done());
            let piece = String::from_utf8_lossy(text.get(at.clone()).unwrap_or_default());
            pieces.push((at, self.cover.cover(Some(pattern), &piece).unwrap_or_default()));
        }
        found.edits.push(field.id(), Change::Splice(pieces));
    }

    fn cover_number(&self, patterns: &Patterns, number: u64, field: &Field<'_>, found: &mut Found) {
        // The shortest card number has 13 digits.
        if number < 1_000_000_000_000 || !patterns.wants(Pattern::Card) {
            return;
        }
        let digits = number.to_string();
        if !pattern::is_card(digits.as_bytes()) {
            return;
        }
        let change = match self.cover.cover(Some(Pattern::Card), &digits) {
            Some(new) => Change::Replace(NewValue::Text(new)),
            None => Change::Remove,
        };
        found.note(field, Pattern::Card.label(), self.cover.done());
        found.edits.push(field.id(), change);
    }
}

impl Found {
    /// A finding says where something was and what kind of thing, and nothing of it.
    fn note(&mut self, field: &Field<'_>, class: &'static str, done: &str) {
        if self.hits.len() < MAX_HITS {
            let path = field.path().into();
            self.hits.push(Hit { class, rule: None, path, detail: done.into(), excerpt: None });
        }
    }
}
