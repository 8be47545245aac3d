//! Files that others write while the gateway runs: how a change is seen.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at where nothing is said. A look costs one system call, and works where no watch does: over
/// links that are turned to another file, and over network file systems.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file and what it looked like when it was last read.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    /// `None` before the first look.
    seen: Option<Stamp>,
}

impl Watched {
    /// A file that has not been read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds, if that may have changed since the last time; at most `max` bytes.
    ///
    /// # Errors
    /// A file that cannot be read, or is longer; it is told once, until the file changes again.
    pub fn changed(&mut self, max: u64) -> io::Result<Option<String>> {
        let stamp = Stamp::of(&self.path);
        if self.seen == Some(stamp) {
            return Ok(None);
        }
        self.seen = Some(stamp);
        read(&self.path, max).map(Some)
    }
}

/// What tells a file from the one that stood there before. The time is that of the last change to content or permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Option<(u64, u64, u64, i64, i64)>);

impl Stamp {
    /// No file.
    pub const NONE: Self = Self(None);

    /// The file at `path` as it is now, links followed.
    pub fn of(path: &Path) -> Self {
        let stamp =
            |file: fs::Metadata| (file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec());
        Self(fs::metadata(path).ok().map(stamp))
    }
}

/// The whole text of a regular file of at most `max` bytes.
///
/// # Errors
/// What the system says, or what the file is instead.
pub fn read(path: &Path, max: u64) -> io::Result<String> {
    // Asked before it is opened: a pipe without a writer would never be.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(max.saturating_add(1)).read_to_string(&mut text)?;
    match text.len() as u64 > max {
        true => Err(io::Error::other(format!("longer than {max} bytes"))),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let mut file = Watched::new(&path);
        assert!(file.changed(10).is_err());
        fs::write(&path, "one").unwrap();
        assert_eq!(file.changed(10).unwrap().unwrap(), "one");
        assert_eq!(file.changed(10).unwrap(), None);
        let next = folder.path().join("next");
        fs::write(&next, "two").unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!(file.changed(10).unwrap().unwrap(), "two");
        fs::write(&path, "much too long").unwrap();
        assert!(file.changed(10).is_err());
        assert_eq!(file.changed(10).unwrap(), None);
    }
}
