//! Roots of Debian's, as its installer would leave them: packages are tried in copies of them.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use super::folder;
use crate::shell::{read, run};

/// Makes each root that is not there, of this system's own release, which the program is built for.
pub(super) fn install(wanted: &[(&str, &[&str])]) -> Result<()> {
    for (name, packages) in wanted {
        let (root, unfinished) = (folder().join(name), folder().join(format!("{name}.unfinished")));
        if root.is_dir() {
            continue;
        }
        let (release, mirror) = (release()?, mirror()?);
        eprintln!("peers: a root of {release}: {}", root.display());
        if unfinished.is_dir() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(folder())?;
        let mut make = Command::new("debootstrap");
        make.arg("--variant=minbase").arg(format!("--include={}", packages.join(",")));
        run(make.arg(release).arg(&unfinished).arg(mirror))
            .context("it takes root, and the mirror of Debian that apt knows")?;
        // Downloaded, and needed no more.
        for waste in ["var/cache/apt/archives", "var/lib/apt/lists"] {
            fs::remove_dir_all(unfinished.join(waste)).ok();
        }
        fs::rename(&unfinished, &root)?;
    }
    Ok(())
}

fn release() -> Result<String> {
    let about = fs::read_to_string("/etc/os-release")?;
    let name = about.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.context("/etc/os-release has no VERSION_CODENAME")?.trim_matches('"').to_owned())
}

/// Where apt takes the release itself from.
fn mirror() -> Result<String> {
    let release = release()?;
    let mut ask = Command::new("apt-get");
    ask.args(["indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]);
    let lines = read(&mut ask)?;
    let mirror = lines.lines().find_map(|line| line.strip_prefix(&format!("{release} main ")));
    mirror.map(str::to_owned).with_context(|| format!("apt knows no mirror of {release}: {lines}"))
}
