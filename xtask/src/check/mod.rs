//! `cargo xtask check`: all that can be said of the code without running it.

mod circles;
mod licences;
mod sources;

use anyhow::{Result, bail};

use crate::{
    docs,
    shell::{self, COMPONENTS, cargo, exists},
};

type Step = (&'static str, fn() -> Result<()>);

/// The quick ones first, so that the usual slip is told in a second.
const STEPS: &[Step] = &[
    ("formatting", || shell::run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("house rules", sources::check),
    ("import circles", circles::check),
    ("licences", licences::check),
    ("lints", lints),
    ("documentation", documentation),
    ("generated files", docs::check),
];

/// Runs every step, also after one has failed, and names those that did.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        eprintln!("check: {name}");
        if let Err(error) = step() {
            eprintln!("check: {name}: {error:#}");
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    eprintln!("check: all {} steps passed", STEPS.len());
    Ok(())
}

fn lints() -> Result<()> {
    // As packages hold it, and as tests have it.
    for features in [&[][..], &["--features", COMPONENTS]] {
        let mut clippy = cargo(&["clippy", "--quiet", "--locked", "--workspace", "--all-targets"]);
        shell::run(clippy.args(features).args(["--", "-D", "warnings"]))?;
    }
    if exists("cargo-deny") {
        shell::run(&mut cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))?;
    }
    Ok(())
}

fn documentation() -> Result<()> {
    shell::run(
        cargo(&["doc", "--quiet", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    )
}
