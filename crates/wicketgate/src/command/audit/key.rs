//! `wicketgate audit key`: a pair of keys for whole payloads.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use wicketgate_audit::generate;

/// Where the identity goes.
#[derive(Args)]
pub(super) struct Key {
    /// The file for the identity, by which payloads are read. Keep it where the gateway is not.
    file: PathBuf,
}

impl Key {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (recipient, identity) = generate()?;
        let path = self.file.display();
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!(
                    "{path} is there already: it may be the only way to payloads that are kept; give another name"
                );
            }
            result => result.with_context(|| format!("cannot write {path}"))?,
        };
        file.write_all(identity.text(&recipient).as_bytes())
            .with_context(|| format!("cannot write {path}"))?;
        file.sync_all()?;
        // Nothing but the key on standard output, for scripts.
        eprintln!("the identity is in {path}; the gateway needs this alone:");
        writeln!(stdout(), "{recipient}")?;
        Ok(ExitCode::SUCCESS)
    }
}
