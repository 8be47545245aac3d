//! The files that a configuration was read from, kept to show what stands at a place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::outline::Outline;
use super::place::Place;

/// The files, in the order in which they were read: the main one first.
#[derive(Debug, Default)]
pub struct Sources {
    pub(crate) files: Vec<Source>,
    pub(crate) variables: Variables,
    /// The folders that patterns were looked up in.
    pub folders: BTreeSet<PathBuf>,
    /// Where each key stands.
    pub outline: Outline,
}

/// One file.
#[derive(Debug)]
pub struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Sources {
    /// Adds a file; gives its number.
    pub fn add(&mut self, path: &Path, text: String) -> u32 {
        self.files.push(Source { path: path.to_owned(), text });
        // The number of files is bounded by the loader, far below `u32::MAX`.
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The file in which `place` stands.
    pub(crate) fn source(&self, place: Place) -> Option<&Source> {
        self.files.get(place.source()).filter(|_| place.is_known())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }
}

impl Source {
    /// The line that begins `place`, as a range of bytes, and the part of `place` that lies on it.
    pub(crate) fn line(&self, place: Place) -> (Range<usize>, Range<usize>) {
        let text = self.text.as_str();
        let floor =
            |at: usize| (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        let (start, end) = (floor(place.bytes().start), floor(place.bytes().end));
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let stop = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        (begin..stop, start..end.clamp(start, stop))
    }
}

/// What the environment's variables gave, and where.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<Place, Vec<(String, String)>>);

impl Variables {
    /// Notes that the value at `place` was made with these variables, by name and value.
    pub(crate) fn note(&mut self, place: Place, used: Vec<(String, String)>) {
        self.0.insert(place, used);
    }

    /// Puts the names back in place of the values in a message about `place`: an environment holds secrets.
    pub(crate) fn hide(&self, place: Place, message: &mut String) {
        for (name, value) in self.0.get(&place).into_iter().flatten().filter(|(_, value)| !value.is_empty()) {
            let mark = format!("${{{name}}}");
            *message =
                message.replace(value.as_str(), &mark).replace(&value.escape_debug().to_string(), &mark);
        }
    }
}
