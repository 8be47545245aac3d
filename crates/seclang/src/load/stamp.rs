//! Files as they were when they were read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file or folder as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    path: PathBuf,
    state: Option<(u64, Option<SystemTime>)>,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        let state = fs::metadata(path).ok().map(|about| (about.len(), about.modified().ok()));
        Self { path: path.to_owned(), state }
    }

    /// Whether it is still so.
    pub(crate) fn holds(&self) -> bool {
        Self::of(&self.path) == *self
    }
}
