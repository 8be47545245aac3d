//! `wicketgate init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

/// What is written.
const STARTER: &str = include_str!("starter.yaml");

/// Where to write.
#[derive(Args)]
pub(crate) struct Init {
    /// The file to write.
    #[arg(default_value = "wicketgate.yaml")]
    path: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.path.display();
        let mut options = OpenOptions::new();
        options.write(true);
        match self.force {
            true => options.create(true).truncate(true),
            false => options.create_new(true),
        };
        let mut file = match options.open(&self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("{path} is there already; --force writes over it");
            }
            result => result.with_context(|| format!("cannot write {path}"))?,
        };
        file.write_all(STARTER.as_bytes()).with_context(|| format!("cannot write {path}"))?;
        println!("wrote {path}; `wicketgate check` finds what is wrong with it, `wicketgate run` uses it");
        Ok(ExitCode::SUCCESS)
    }
}
