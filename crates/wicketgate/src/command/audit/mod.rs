//! `wicketgate audit`: the audit store asked, followed, verified and exported.

mod key;
mod prove;
mod rows;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use wicketgate_audit::{Reader, reference};

use super::configuration::ConfigPath;

/// What to do with which store.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    store: StorePath,
}

/// Which store.
#[derive(Args)]
pub(super) struct StorePath {
    #[command(flatten)]
    config: ConfigPath,
    /// The store's file. Without it: the one of the configuration.
    #[arg(long, global = true, value_name = "FILE")]
    store: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Show the newest records to which everything applies that is given, the oldest of them first.
    Query(rows::Query),
    /// Show the last records, and each new one, until it is ended.
    Tail(rows::Tail),
    /// Tell whether the chain of records holds.
    ///
    /// Exit code 0: it holds; 1: it does not, and the first row where that shows is named; 2: it cannot be read.
    ///
    /// It proves that no row between the first and the last was changed, removed or put in since it was written, by somebody who did not
    /// write all later rows anew. Whoever can write the file can do that; and can take rows off its end. An anchor, a row's number and hash
    /// that you keep elsewhere, shows both: sinks get one every `audit.anchor_interval`, and this prints the last one.
    Verify(prove::Verify),
    /// Write rows as lines of JSON with their hashes, to be verified with `verify --export`.
    Export(prove::Export),
    /// Make a pair of keys for whole payloads: print the public one, for `audit.store.payload_key`.
    Key(key::Key),
    /// Print the reference of events in Markdown.
    #[command(hide = true)]
    Reference,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Query(query) => query.run(&self.store),
            Action::Tail(tail) => tail.run(&self.store),
            Action::Verify(verify) => verify.run(&self.store),
            Action::Export(export) => export.run(&self.store),
            Action::Key(key) => key.run(),
            Action::Reference => {
                stdout().write_all(reference::markdown().as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl StorePath {
    fn open(&self) -> anyhow::Result<Reader> {
        if let Some(path) = &self.store {
            return Ok(Reader::open(path)?);
        }
        let (config, _) = self.config.load().context("say where the store is: --store FILE")?;
        let store = config.audit.store.context(
            "the configuration has no `audit.store`, so nothing is kept: add one, or name a file with --store",
        )?;
        Ok(Reader::open(&store.path)?)
    }
}
