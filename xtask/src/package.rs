//! `cargo xtask package`: a Debian package, and the list of what is in it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    peers,
    shell::{self, cargo, read, root, target},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The profile that it is built with: what is given to others is `dist`
    #[arg(long, default_value = "dist")]
    profile: String,
    /// A Debian revision, as in 0.1.0-2
    #[arg(long, default_value = "1")]
    revision: String,
}

/// Builds the program, its manual pages and completions, the package, and its bill of materials, into `target/package`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    peers::install(&["package"])?;
    let Arguments { profile, revision } = arguments;
    shell::run(&mut cargo(&["build", "--locked", "--package", "wicketgate", "--profile", profile]))?;
    let folder = target().join("package");
    fs::create_dir_all(&folder)?;
    let program = target().join(match profile.as_str() {
        "dev" => "debug",
        other => other,
    });
    let program = program.join("wicketgate");
    shell::run(Command::new(&program).arg("man").arg(folder.join("man")))?;
    for (shell, file) in [("bash", "wicketgate.bash"), ("zsh", "_wicketgate"), ("fish", "wicketgate.fish")] {
        let script = read(Command::new(&program).args(["completions", shell]))?;
        fs::write(folder.join(file), script)?;
    }
    let package = folder.join("wicketgate.deb");
    let mut deb = peer("cargo-deb");
    deb.args(["--no-build", "--no-strip", "--package", "wicketgate", "--profile", profile])
        .args(["--deb-revision", revision, "--output"])
        .arg(&package);
    shell::run(&mut deb)?;
    bill()?;
    eprintln!("package: {}", package.display());
    Ok(())
}

/// What it is made of, in CycloneDX.
fn bill() -> Result<()> {
    let name = "wicketgate.cdx";
    let mut list = peer("cargo-cyclonedx");
    list.args(["cyclonedx", "--format", "json", "--override-filename", name, "--manifest-path"])
        .arg(root().join("crates/wicketgate/Cargo.toml"));
    shell::run(&mut list)?;
    // It stands beside each crate's manifest.
    let written = root().join(format!("crates/wicketgate/{name}.json"));
    let bill = fs::read(&written).with_context(|| format!("{} was not written", written.display()))?;
    fs::write(target().join("package").join(format!("{name}.json")), bill)?;
    fs::remove_file(written)?;
    Ok(())
}

/// A program that `peers` has built.
fn peer(name: &str) -> Command {
    let mut command = Command::new(peers::folder().join("bin").join(name));
    command.current_dir(root());
    command
}
