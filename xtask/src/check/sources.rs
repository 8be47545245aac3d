//! House rules that no lint knows: length of files, and no loose ends.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::shell::{read, root};

/// Lines of the longest file allowed.
const LONGEST: usize = 600;

pub(super) fn check() -> Result<()> {
    let mut faults = Vec::new();
    for path in rust_files()? {
        let text = fs::read_to_string(root().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(faults_in(&text).into_iter().map(|fault| format!("{}{fault}", path.display())));
    }
    ensure!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

/// Rust files that Git tracks or would track, from the root.
pub(super) fn rust_files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"]).current_dir(root());
    let list = read(&mut git)?;
    Ok(list.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect())
}

fn faults_in(text: &str) -> Vec<String> {
    // Written in two halves, so that this file passes.
    let loose = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("unimpl", "emented!"),
        concat!("to", "do!"),
        concat!("#[ig", "nore"),
    ];
    let mut faults = Vec::new();
    let length = text.lines().count();
    if length > LONGEST {
        faults.push(format!(": {length} lines, more than {LONGEST}: split it by concepts"));
    }
    if !text.starts_with("//!") {
        faults.push(": no line of purpose at its top".to_owned());
    }
    for (number, line) in text.lines().enumerate() {
        faults.extend(
            loose.iter().filter(|word| line.contains(**word)).map(|word| format!(":{}: {word}", number + 1)),
        );
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_fault() {
        assert_eq!(faults_in("//! Good.\nfn f() {}\n"), Vec::<String>::new());
        assert_eq!(faults_in("fn f() {}\n").len(), 1);
        assert_eq!(faults_in(&format!("//! Long.\n{}", "x\n".repeat(LONGEST))).len(), 1);
        assert_eq!(faults_in(concat!("//! Loose.\n// TO", "DO: later\n#[ig", "nore]\n")).len(), 2);
    }
}
