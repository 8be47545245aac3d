//! `wicketgate audit verify` and `export`: whether the chain holds, here and elsewhere.

use std::fs::File;
use std::io::{BufReader, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use wicketgate_audit::{Anchor, Broken, Verified, verify_export};

use super::StorePath;
use super::rows::{Period, Shown};
use crate::command::configuration::{BAD_CONFIGURATION, plural};

/// Tell whether the chain of records holds.
#[derive(Args)]
pub(super) struct Verify {
    /// A row's number and hash that were kept elsewhere; may be repeated.
    #[arg(long = "anchor", value_name = "SEQUENCE:HASH")]
    anchors: Vec<Anchor>,
    /// Verify this export instead of the store.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// Write rows as lines of JSON.
#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    period: Period,
    /// The file of the identity by which whole payloads are opened: what they say stands beside them.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, store: &StorePath) -> anyhow::Result<ExitCode> {
        let verified = match &self.export {
            None => store.open().and_then(|reader| Ok(reader.verify(&self.anchors)?)),
            Some(path) => File::open(path)
                .and_then(|file| verify_export(BufReader::new(file), &self.anchors))
                .with_context(|| format!("cannot read {}", path.display())),
        };
        match verified {
            Ok(Ok(verified)) => self.holds(&verified),
            Ok(Err(broken)) => breaks(&broken),
            Err(error) => {
                eprintln!("error: {error:#}");
                Ok(ExitCode::from(BAD_CONFIGURATION))
            }
        }
    }

    fn holds(&self, verified: &Verified) -> anyhow::Result<ExitCode> {
        let Verified { rows, before, head, untold } = *verified;
        let mut out = stdout().lock();
        match (rows, before.sequence) {
            (0, _) => writeln!(out, "holds: there is no row")?,
            (_, 0) => writeln!(out, "holds: {}, from the first one on", plural_rows(rows))?,
            (_, before) => {
                let why = if self.export.is_some() { "are not in the export" } else { "were pruned" };
                writeln!(out, "holds: {}; the {} before them {why}", plural_rows(rows), plural_rows(before))?;
            }
        }
        if before.sequence > 0 {
            writeln!(out, "before {before}")?;
        }
        writeln!(out, "last {head}")?;
        let told = self.anchors.len() as u64 - untold;
        match (self.anchors.len(), untold) {
            (0, _) => writeln!(
                out,
                "without an anchor this says nothing of rows taken off the end, or of all written anew: keep the last line elsewhere"
            )?,
            (_, 0) => writeln!(out, "every anchor is met ({told})")?,
            _ => writeln!(out, "{told} of the anchors are met; of {untold} the rows are not there any more")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn breaks(broken: &Broken) -> anyhow::Result<ExitCode> {
    writeln!(stdout(), "broken at {broken}")?;
    Ok(ExitCode::FAILURE)
}

fn plural_rows(rows: u64) -> String {
    plural(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}

impl Export {
    pub(super) fn run(self, store: &StorePath) -> anyhow::Result<ExitCode> {
        let (reader, mut printer) = (store.open()?, Shown::export(self.identity).printer()?);
        reader.between(self.period.since, self.period.until, |row| printer.print(&row))?;
        printer.finish()
    }
}
