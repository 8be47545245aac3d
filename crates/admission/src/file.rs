//! Files that the gateway follows: how a change is seen.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells a file from the one that stood there before. The time is that of the last change to content or permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(u64, u64, u64, i64, i64)>);

impl Stamp {
    /// No file.
    pub(crate) const NONE: Self = Self(None);

    /// The file at `path` as it is now, links followed.
    pub(crate) fn of(path: &Path) -> Self {
        let stamp =
            |file: fs::Metadata| (file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec());
        Self(fs::metadata(path).ok().map(stamp))
    }
}

/// The whole text of a regular file of at most `max` bytes.
///
/// # Errors
/// What the system says, or what the file is instead.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<String> {
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
