//! Programs that are crates, built into `target/peers/bin`.

use anyhow::{Context, Result};

use super::folder;
use crate::shell::{cargo, read, run};

/// A crate at one version, with the features that are wanted of it; its program has its name.
pub(super) type Wanted = (&'static str, &'static str, &'static str);

/// Builds each that is not there in its version.
pub(super) fn install(wanted: &[Wanted]) -> Result<()> {
    for (name, version, features) in wanted {
        let root = folder();
        let there = read(cargo(&["install", "--list", "--root"]).arg(&root)).unwrap_or_default();
        if there.lines().any(|line| line == format!("{name} v{version}:")) {
            continue;
        }
        eprintln!("peers: crates.io: {name} {version}");
        let mut command = cargo(&["install", "--quiet", name, "--version", version, "--no-default-features"]);
        run(command.args(["--features", features, "--root"]).arg(&root))
            .with_context(|| format!("{name} does not build: it may want libssl-dev and pkg-config"))?;
    }
    Ok(())
}
