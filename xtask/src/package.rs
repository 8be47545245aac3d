//! `cargo xtask package`: a Debian package, and the list of what is in it.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

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
    /// The file of the package
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Takes the program as it was built before, whatever features it has, and makes no bill of materials: for tests
    #[arg(long)]
    built: bool,
}

/// Builds the program, its manual pages and completions, the package, and its bill of materials, into `target/package`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { profile, revision, output, built } = arguments;
    peers::install(&["cargo-deb"])?;
    let folder = target().join("package");
    fs::create_dir_all(&folder)?;
    if !built {
        peers::install(&["package"])?;
        build(profile)?;
    }
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
    let package = output.clone().unwrap_or_else(|| folder.join("wicketgate.deb"));
    let mut deb = peer("cargo-deb");
    deb.args(["--no-build", "--package", "wicketgate", "--profile", profile])
        .args(["--deb-revision", revision, "--output"])
        .arg(&package)
        .env("SOURCE_DATE_EPOCH", epoch()?);
    // What tests install is the same but for its size.
    deb.args(if *built { &["--strip", "--fast"][..] } else { &["--no-strip"] });
    shell::run(&mut deb)?;
    if !built {
        bill(&folder.join("wicketgate.cdx.json"))?;
    }
    eprintln!("package: {}", package.display());
    Ok(())
}

/// Builds it so that it is the same wherever this folder and Cargo's own are.
fn build(profile: &str) -> Result<()> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut places = vec![(root(), "wicketgate")];
    places.extend(home.map(|home| (home, "cargo")));
    let maps = |flag: &str| {
        let maps = places.iter().map(|(place, name)| format!("{flag}{}={name}", place.display()));
        maps.collect::<Vec<_>>().join(" ")
    };
    let also = |name: &str, flags: String| match env::var(name) {
        Ok(more) => format!("{more} {flags}"),
        Err(_) => flags,
    };
    let mut build = cargo(&["build", "--locked", "--package", "wicketgate", "--profile", profile]);
    build
        .env("RUSTFLAGS", also("RUSTFLAGS", maps("--remap-path-prefix=")))
        .env("CFLAGS", also("CFLAGS", maps("-ffile-prefix-map=")))
        .env("SOURCE_DATE_EPOCH", epoch()?);
    shell::run(&mut build)
}

/// The time that files in the package have: that of the last commit, unless the environment says another.
fn epoch() -> Result<String> {
    if let Ok(epoch) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let commit = read(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))?;
    Ok(commit.trim().to_owned())
}

/// What it is made of, in CycloneDX.
fn bill(to: &Path) -> Result<()> {
    let name = "wicketgate.cdx";
    let mut list = peer("cargo-cyclonedx");
    list.args(["cyclonedx", "--format", "json", "--override-filename", name, "--manifest-path"])
        .arg(root().join("crates/wicketgate/Cargo.toml"))
        .env("SOURCE_DATE_EPOCH", epoch()?);
    shell::run(&mut list)?;
    // It stands beside the manifest of each crate of the workspace.
    let written = root().join(format!("crates/wicketgate/{name}.json"));
    let bill = fs::read_to_string(&written).with_context(|| format!("{} was not written", written.display()));
    for folder in members()? {
        let _ = fs::remove_file(folder.join(format!("{name}.json")));
    }
    // The same wherever this folder is, as the program.
    let bill = bill?.replace(&format!("file://{}", root().display()), "file:///wicketgate");
    ensure!(!bill.contains(&*root().to_string_lossy()), "the bill of materials names this folder");
    compare(&bill)?;
    fs::write(to, bill)?;
    Ok(())
}

/// The folders of the workspace's crates.
fn members() -> Result<Vec<PathBuf>> {
    let about = read(&mut cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    let about: Value = serde_json::from_str(&about).context("cargo metadata gives no JSON")?;
    let packages = about["packages"].as_array().context("cargo metadata names no crates")?;
    let manifests = packages.iter().filter_map(|package| package["manifest_path"].as_str());
    Ok(manifests.filter_map(|manifest| Some(Path::new(manifest).parent()?.to_owned())).collect())
}

/// Every crate that the program is built of has to be in its bill of materials, in its version.
fn compare(bill: &str) -> Result<()> {
    let bill: Value = serde_json::from_str(bill).context("the bill of materials is no JSON")?;
    ensure!(bill["bomFormat"] == "CycloneDX", "the bill of materials is none of CycloneDX");
    let components = bill["components"].as_array().context("the bill of materials lists nothing")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed: BTreeSet<(String, String)> =
        components.iter().map(|component| (text(&component["name"]), text(&component["version"]))).collect();
    let missing: Vec<_> = crates()?.difference(&listed).cloned().collect();
    ensure!(missing.is_empty(), "the bill of materials has not {missing:?}");
    eprintln!("package: a bill of {} components", listed.len());
    Ok(())
}

/// The crates that the program is linked with, as Cargo resolves them.
fn crates() -> Result<BTreeSet<(String, String)>> {
    let tree = ["tree", "--locked", "--package", "wicketgate", "--edges", "normal,no-proc-macro"];
    let lines = read(cargo(&tree).args(["--prefix", "none", "--format", "{p}"]))?;
    let named = lines.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?;
        (name != "wicketgate").then(|| (name.to_owned(), version.to_owned()))
    });
    Ok(named.collect())
}

/// A program that `peers` has built.
fn peer(name: &str) -> Command {
    let mut command = Command::new(peers::folder().join("bin").join(name));
    command.current_dir(root());
    command
}
