//! What is wrong, or unwise, in a configuration: found all at once, each with its place and remedy.

use super::value::Place;

/// Whether a problem stops the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and weakens something.
    Warning,
}

/// One finding about the configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where it stands.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// What would be right: a hint to act on.
    pub help: String,
}

/// Collects the problems of one configuration while raw values become typed ones.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes an error.
    pub fn error(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem { severity: Severity::Error, place, what: what.into(), help: help.into() });
    }

    /// Notes a warning.
    pub fn warning(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem { severity: Severity::Warning, place, what: what.into(), help: help.into() });
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|p| p.severity == Severity::Error)
    }

    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}
