//! Lines that a component writes to the log: so many a second of one step, the others are counted.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most lines of one call.
pub(super) const MAX_LINES: u32 = 64;
/// The longest text of a line, in bytes.
pub(super) const MAX_TEXT: usize = 1024;
/// The most lines a second.
const RATE: u32 = 20;

/// What all instances of a component wrote in this second.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// Whether a line may be written now; if so, how many were left out before it.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.began.is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1)) {
            second.began = Some(now);
            second.written = 0;
        }
        if second.written >= RATE {
            second.left_out += 1;
            return None;
        }
        second.written += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

/// As much of a text as a line has room for.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines() {
        let (lines, begin) = (Lines::default(), Instant::now());
        let admitted = (0..100).filter(|_| lines.admit(begin).is_some()).count();
        assert_eq!(admitted, RATE as usize);
        assert_eq!(lines.admit(begin + Duration::from_millis(999)), None);
        assert_eq!(lines.admit(begin + Duration::from_secs(1)), Some(101 - u64::from(RATE)));
        assert_eq!(lines.admit(begin + Duration::from_secs(1)), Some(0));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(1000)).len(), MAX_TEXT);
        assert_eq!(cut(&"€".repeat(1000)).len(), MAX_TEXT - 1);
    }
}
