//! The latest lines of the process's own log, for an operator to see. Whoever logs never waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

/// The longest line that is kept, in bytes; what is longer is cut.
const LONGEST: usize = 900;

/// The latest lines, in bounded memory.
#[derive(Debug, Default)]
pub struct Recent {
    /// How many are kept; 0: none.
    kept: usize,
    missed: AtomicU64,
    ring: Mutex<VecDeque<Line>>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Line {
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: OffsetDateTime,
    /// How urgent it is: `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The part of the program that wrote it.
    pub target: String,
    /// What it says, with its fields.
    pub text: String,
}

/// What an operator is shown of them.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Latest {
    /// The latest lines, the oldest first.
    pub lines: Vec<Line>,
    /// Lines that were not kept because somebody else was at it.
    pub missed: u64,
}

impl Recent {
    /// Keeps so many.
    pub fn new(kept: usize) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Whether any is kept.
    pub const fn is_on(&self) -> bool {
        self.kept > 0
    }

    /// Notes a line. Never waits.
    pub fn note(&self, level: &str, target: &str, mut text: String) {
        if !self.is_on() {
            return;
        }
        let end = text.floor_char_boundary(LONGEST);
        text.truncate(end);
        text.shrink_to_fit();
        let line =
            Line { time: SystemTime::now().into(), level: level.to_owned(), target: target.to_owned(), text };
        let Ok(mut ring) = self.ring.try_lock() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        while ring.len() >= self.kept {
            ring.pop_front();
        }
        ring.push_back(line);
    }

    /// Those that are kept now.
    pub fn latest(&self) -> Latest {
        Latest { lines: self.lock().iter().cloned().collect(), missed: self.missed.load(Ordering::Relaxed) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_cut_and_nobody_waits() {
        let none = Recent::new(0);
        none.note("INFO", "a", "one".into());
        assert!(none.latest().lines.is_empty());
        let recent = Recent::new(2);
        for text in ["one", "two", &"é".repeat(LONGEST)] {
            recent.note("INFO", "a", text.into());
        }
        let Latest { lines, missed } = recent.latest();
        assert_eq!((lines.len(), missed), (2, 0));
        assert_eq!(lines[0].text, "two");
        assert!(lines[1].text.len() <= LONGEST && lines[1].text.ends_with('é'));
        let held = recent.lock();
        recent.note("INFO", "a", "three".into());
        drop(held);
        assert_eq!(recent.latest().missed, 1);
    }
}
