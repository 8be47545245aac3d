//! What is wrong, or unwise, in a configuration: found all at once, each with its place and remedy.

use std::fmt;
use std::ops::RangeInclusive;

use super::place::{At, Place};

/// Whether a problem stops the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and weakens something.
    Warning,
    /// It can be used; whoever wrote it should know.
    Note,
}

/// One finding about the configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Error, warning or note.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// What would be right: a hint to act on.
    pub help: String,
    /// Another place that belongs to it, and what stands there.
    pub also: Option<(Place, String)>,
    /// What stands there is not shown: it may hold a secret.
    pub is_secret: bool,
}

/// Collects the problems of one configuration while raw values become typed ones.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes an error.
    pub fn error(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Error, place, what.into(), help.into(), None);
    }

    /// Notes an error about what may hold a secret: where it stands is told, and not what stands there.
    pub fn secret_error(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        let (what, help) = (what.into(), help.into());
        self.0.push(Problem { severity: Severity::Error, place, what, help, also: None, is_secret: true });
    }

    /// Notes an error that has to do with another place, such as the first of two that clash: what stands there.
    pub fn clash(
        &mut self,
        place: Place,
        what: impl Into<String>,
        help: impl Into<String>,
        (other, label): (Place, &str),
    ) {
        self.push(Severity::Error, place, what.into(), help.into(), Some((other, label.to_owned())));
    }

    /// Notes a warning.
    pub fn warning(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Warning, place, what.into(), help.into(), None);
    }

    /// Tells something that is neither wrong nor unwise.
    pub fn note(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.push(Severity::Note, place, what.into(), help.into(), None);
    }

    /// Notes an error where the value of the key `name` lies outside `range`; gives the value as it is.
    pub fn in_range<T>(&mut self, name: &str, at: &At<T>, range: RangeInclusive<T>) -> T
    where
        T: PartialOrd + fmt::Display + Copy,
    {
        if !range.contains(&at.value) {
            let what = format!("`{name}` is {}, outside its bounds", at.value);
            self.error(at.place, what, format!("give {} to {}", range.start(), range.end()));
        }
        at.value
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|p| p.severity == Severity::Error)
    }

    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Problem> {
        self.0.iter_mut()
    }

    /// Orders them as a reader of the files meets them; those without a place come last.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by_key(|p| (!p.place.is_known(), p.place.source(), p.place.bytes().start));
    }

    fn push(
        &mut self,
        severity: Severity,
        place: Place,
        what: String,
        help: String,
        also: Option<(Place, String)>,
    ) {
        self.0.push(Problem { severity, place, what, help, also, is_secret: false });
    }
}
