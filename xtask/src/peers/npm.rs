//! npm packages, without their lifecycle scripts.

use std::{collections::BTreeMap, fmt::Write as _, fs, process::Command};

use anyhow::{Context, Result};

use super::folder;
use crate::shell::run;

/// Installs each package that is not there in its version. The others that are there stay.
pub(super) fn install(packages: &[(&str, &str)]) -> Result<()> {
    let place = folder().join("node");
    let version_of = |package: &str| {
        let text = fs::read_to_string(place.join("node_modules").join(package).join("package.json")).ok()?;
        let (_, rest) = text.split_once("\"version\":")?;
        rest.split('"').nth(1).map(str::to_owned)
    };
    if packages.iter().all(|(package, version)| version_of(package).as_deref() == Some(version)) {
        return Ok(());
    }
    eprintln!(
        "peers: npm: {}",
        packages
            .iter()
            .map(|(package, version)| format!("{package}@{version}"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    fs::create_dir_all(&place)?;
    fs::write(place.join("package.json"), manifest(packages)?)?;
    let mut npm = Command::new(folder().join("bin/node"));
    npm.arg(folder().join("bin/npm")).args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
    ]);
    // Chromium comes from Debian; nothing may be fetched for it.
    npm.current_dir(&place).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    run(&mut npm).context("is the npm registry reachable?")
}

fn manifest(packages: &[(&str, &str)]) -> Result<String> {
    let all = super::PEERS.iter().filter_map(|peer| match peer.source {
        super::Source::Npm { package, version } => Some((package, version)),
        _ => None,
    });
    // Always all of them: npm removes what the manifest does not name.
    let all: BTreeMap<&str, &str> = all.chain(packages.iter().copied()).collect();
    let mut entries = Vec::new();
    for (package, version) in all {
        let mut entry = String::new();
        write!(entry, "    \"{package}\": \"{version}\"")?;
        entries.push(entry);
    }
    Ok(format!("{{\n  \"private\": true,\n  \"dependencies\": {{\n{}\n  }}\n}}\n", entries.join(",\n")))
}
