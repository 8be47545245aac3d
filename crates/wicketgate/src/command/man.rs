//! `wicketgate man`: manual pages.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};

/// Write manual pages, one for each command: `man -l FOLDER/wicketgate.1` shows the first.
#[derive(Args)]
pub(crate) struct Man {
    /// The folder to write them to. It is made where there is none.
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("{folder} cannot be made"))?;
        clap_mangen::generate_to(crate::Arguments::command().disable_help_subcommand(true), &self.folder)
            .with_context(|| format!("manual pages cannot be written to {folder}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
