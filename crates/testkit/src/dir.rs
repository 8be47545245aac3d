//! A temporary folder that goes away with its value.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder of its own, removed on drop. Its path is short enough for a Unix socket's name.
#[derive(Debug)]
pub struct Dir(tempfile::TempDir);

impl Dir {
    /// Makes an empty folder.
    pub fn new() -> Result<Self> {
        tempfile::Builder::new().prefix("wg-").tempdir().map(Self).context("no temporary folder")
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of `name` in the folder, whether it exists or not.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, replacing it whole as an editor does: readers see the old text or the new.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.join(name);
        let fresh = path.with_extension("fresh");
        std::fs::write(&fresh, content).with_context(|| format!("cannot write {}", fresh.display()))?;
        std::fs::rename(&fresh, &path).with_context(|| format!("cannot replace {}", path.display()))?;
        Ok(path)
    }
}
