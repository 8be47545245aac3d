//! What a run leaves: a table on the terminal, and the same with every round's figures in files.

mod summary;
mod svg;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::compare::{Sample, Settings};
use crate::machine::Machine;
pub(crate) use summary::Summary;

/// All of one run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    /// Versions by contender.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) samples: Vec<Sample>,
}

impl Report {
    /// The tables, in Markdown.
    pub(crate) fn text(&self) -> String {
        table::text(self, &Summary::of(&self.samples))
    }

    /// Writes `results.json`, `results.md` and `results.svg` into the folder and gives their paths.
    pub(crate) fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let summary = Summary::of(&self.samples);
        let files = [
            ("results.json", serde_json::to_string_pretty(self)? + "\n"),
            (
                "results.md",
                format!(
                    "# Results\n\n![Cost of every proxy](results.svg)\n\n{}",
                    table::text(self, &summary)
                ),
            ),
            ("results.svg", svg::chart(self, &summary)),
        ];
        let write = |(name, text): (&str, String)| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}
