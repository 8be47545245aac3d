//! What a file of rules says that is not done as it says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A line of a file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1; of a directive of several lines, the first.
    pub line: usize,
}

/// Something in a file of rules that is not done as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it stands.
    pub place: Place,
    /// The rule, where it has a number.
    pub rule: Option<u64>,
    /// What follows.
    pub effect: Effect,
    /// What it is, in words.
    pub what: String,
}

/// What follows of something that is not done as a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The rule is never asked.
    Left,
    /// The rule is asked, and that one thing is not done.
    Without,
    /// The rule may find more than it says.
    Wider,
    /// The rule looks at responses, and nobody asks it.
    Elsewhere,
}

/// Why rules cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("`{}` cannot be read: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A line is not in the rule language.
    #[error("{place}: {what}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong with it.
        what: String,
    },
    /// There is more of something than is allowed.
    #[error("{0}")]
    TooMuch(&'static str),
    /// There is no rule.
    #[error("there is no rule in it")]
    Empty,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(rule) = self.rule {
            write!(f, "rule {rule}: ")?;
        }
        let effect = match self.effect {
            Effect::Left => "it is never asked",
            Effect::Without => "the rest is done",
            Effect::Wider => "it may find more",
            Effect::Elsewhere => "nothing asks it",
        };
        write!(f, "{}; {effect}", self.what)
    }
}
