//! Patterns of file names, as in `rules/*.conf`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::note::LoadError;

/// Whether a path is a pattern.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(['*', '?']))
}

/// The files that a pattern names, in the order of their names. Only the last part of the path may be a pattern.
pub(super) fn files(pattern: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let folder = super::beside(pattern);
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unreadable =
        |error: std::io::Error| LoadError::Unreadable { file: folder.clone(), why: error.to_string() };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if fits(name.as_bytes(), entry.file_name().to_string_lossy().as_bytes()) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), next) => {
            fits(rest, name) || next.is_some_and(|(_, behind)| fits(pattern, behind))
        }
        (Some((b'?', rest)), Some((_, behind))) => fits(rest, behind),
        (Some((one, rest)), Some((other, behind))) => one == other && fits(rest, behind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits(b"REQUEST-*.conf", b"REQUEST-901.conf") && fits(b"*", b"x") && fits(b"?.a", b"b.a"));
        assert!(!fits(b"*.conf", b"a.data") && !fits(b"a", b"ab"));
    }
}
