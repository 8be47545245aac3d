//! A capture read from a file, within bounds.

use std::io::{self, BufRead};

use wicketgate_policy::Direction;

use crate::line::{InvalidLine, Line};

/// How much of a capture is read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages.
    pub messages: usize,
    /// Bytes of all lines.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 1_000_000, bytes: 256 << 20 }
    }
}

/// The messages of a capture.
#[derive(Debug, Default)]
pub struct Capture {
    /// In the order in which they came.
    pub lines: Vec<Line>,
    /// Whether there were more than the bounds let in.
    pub is_cut: bool,
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system's own.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is none.
    #[error("line {number}: {error}")]
    Line {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        error: InvalidLine,
    },
}

impl Capture {
    /// Reads lines up to the bounds; `direction` is that of lines that do not name theirs.
    ///
    /// # Errors
    /// What cannot be read. A last line without its end, which a capture that was broken off leaves, counts as cut.
    pub fn read(input: impl BufRead, direction: Direction, bounds: Bounds) -> Result<Self, Unreadable> {
        let mut input = input.take(bounds.bytes);
        let (mut capture, mut text) = (Self::default(), String::new());
        for number in 1.. {
            text.clear();
            if input.read_line(&mut text)? == 0 {
                capture.is_cut |= input.limit() == 0;
                break;
            }
            if text.trim().is_empty() {
                continue;
            }
            if capture.lines.len() >= bounds.messages {
                capture.is_cut = true;
                break;
            }
            match Line::read(&text, direction) {
                Ok(line) => capture.lines.push(line),
                Err(_) if !text.ends_with('\n') => {
                    capture.is_cut = true;
                    break;
                }
                Err(error) => return Err(Unreadable::Line { number, error }),
            }
        }
        Ok(capture)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, messages: usize, bytes: u64) -> Result<Capture, Unreadable> {
        Capture::read(text.as_bytes(), Direction::ToUpstream, Bounds { messages, bytes })
    }

    #[test]
    fn it_is_read_up_to_its_bounds() {
        let text = "{\"text\":\"a\"}\n\n{\"text\":\"b\"}\n{\"text\":\"c\"}";
        let shape = |capture: Capture| (capture.lines.len(), capture.is_cut);
        assert_eq!(shape(read(text, 10, 1000).unwrap()), (3, false));
        assert_eq!(shape(read(text, 2, 1000).unwrap()), (2, true));
        assert_eq!(shape(read(text, 10, 20).unwrap()), (1, true));
        assert_eq!(shape(read(&text[..text.len() - 3], 10, 1000).unwrap()), (2, true));
        let told = read("{\"text\":\"a\"}\nno\n{}\n", 10, 1000).unwrap_err().to_string();
        assert!(told.starts_with("line 2: "), "{told}");
    }
}
