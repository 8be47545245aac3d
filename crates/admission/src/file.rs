//! Files that are read anew when they change: lists and keys that others write while the gateway runs.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at. A look costs one system call, and works where no watch does: over links that are
/// turned to another file, and over network file systems.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file and what it looked like when it was last read.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    /// `None` before the first look; then what was there, if anything was.
    seen: Option<Option<Stamp>>,
}

/// What tells one state of a file from another: device, inode, size, and time of change to the nanosecond.
type Stamp = (u64, u64, u64, i64, i64);

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
    pub fn changed(&mut self, max: u64) -> io::Result<Option<Vec<u8>>> {
        let stamp = stamp(&self.path).ok();
        if self.seen == Some(stamp) {
            return Ok(None);
        }
        self.seen = Some(stamp);
        read(&self.path, max).map(Some)
    }
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// A file that cannot be read, or is longer.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("it is longer than {max} bytes")));
    }
    Ok(bytes)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = path.metadata()?;
    Ok((meta.dev(), meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let mut file = Watched::new(&path);
        assert!(file.changed(10).is_err());
        fs::write(&path, "one").unwrap();
        assert_eq!(file.changed(10).unwrap().unwrap(), b"one");
        assert_eq!(file.changed(10).unwrap(), None);
        let next = folder.path().join("next");
        fs::write(&next, "two").unwrap();
        fs::rename(&next, &path).unwrap();
        assert_eq!(file.changed(10).unwrap().unwrap(), b"two");
        fs::write(&path, "much too long").unwrap();
        assert!(file.changed(10).is_err());
        assert_eq!(file.changed(10).unwrap(), None);
    }
}
