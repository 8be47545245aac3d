//! Every dependency has a licence that `deny.toml` allows. Reads Cargo's own list, so that nothing need be installed.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, read, root};

pub(super) fn check() -> Result<()> {
    let path = root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules = Rules::parse(&text).context("deny.toml has no list `allow` of licences")?;
    let mut tree = cargo(&["tree", "--locked", "--workspace", "--all-features", "--target", "all"]);
    tree.args(["--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"]);
    let list = read(&mut tree)?;
    let refused: BTreeSet<String> = list.lines().filter_map(|line| rules.refuse(line)).collect();
    ensure!(
        refused.is_empty(),
        "licences that deny.toml does not allow:\n{}",
        refused.into_iter().collect::<Vec<_>>().join("\n")
    );
    Ok(())
}

struct Rules<'a> {
    allowed: BTreeSet<&'a str>,
    /// Crate and licence.
    exceptions: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Rules<'a> {
    /// Takes the two lists out of `[licenses]`, one entry a line as this file is written.
    fn parse(text: &'a str) -> Option<Self> {
        let (_, section) = text.split_once("[licenses]")?;
        let list = |name: &str| Some(section.split_once(&format!("\n{name} = [\n"))?.1.split_once("\n]")?.0);
        let quoted = |line: &'a str| line.split('"').skip(1).step_by(2);
        let allowed = list("allow")?.lines().flat_map(quoted).collect();
        let exceptions = list("exceptions").unwrap_or_default().lines().filter_map(|line| {
            let mut words = quoted(line);
            Some((words.next()?, words.next()?))
        });
        Some(Self { allowed, exceptions: exceptions.collect() })
    }

    /// What to say of a line `crate version (...)|licence (*)` of Cargo's list, if anything.
    fn refuse(&self, line: &str) -> Option<String> {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let name = package.split(' ').next().unwrap_or(package);
        let allows = |one: &str| self.allowed.contains(one) || self.exceptions.contains(&(name, one));
        let words = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        (!satisfied(&words, &allows))
            .then(|| format!("{package}: {}", if licence.is_empty() { "none" } else { licence }))
    }
}

/// Whether an SPDX expression can be met with what is allowed. `AND` binds closer than `OR`; a `WITH` only adds permissions.
fn satisfied(words: &[&str], allows: &impl Fn(&str) -> bool) -> bool {
    let split = |operator: &str| {
        let mut depth = 0_i32;
        words.iter().position(|&word| {
            depth += i32::from(word == "(") - i32::from(word == ")");
            depth == 0 && word == operator
        })
    };
    let halves = |at: usize| (&words[..at], &words[at + 1..]);
    if let Some((left, right)) = split("OR").map(halves) {
        return satisfied(left, allows) || satisfied(right, allows);
    }
    if let Some((left, right)) = split("AND").map(halves) {
        return satisfied(left, allows) && satisfied(right, allows);
    }
    match words {
        ["(", inner @ .., ")"] => satisfied(inner, allows),
        [one] | [one, "WITH", _] => allows(one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[licenses]\nallow = [\n    \"MIT\",\n    \"ISC\",\n]\nexceptions = [\n    { crate = \"yawc\", allow = [\"MPL-2.0\"] },\n]\n";

    fn refused(line: &str) -> bool {
        Rules::parse(RULES).is_none_or(|rules| rules.refuse(line).is_some())
    }

    #[test]
    fn expressions_are_met_or_not() {
        for good in [
            "a v1|MIT",
            "a v1|GPL-3.0/MIT (*)",
            "a v1|MIT AND (ISC OR GPL-3.0)",
            "yawc v1|MPL-2.0",
            "a v1|MIT WITH x",
        ] {
            assert!(!refused(good), "{good}");
        }
        for bad in [
            "a v1|",
            "a v1|GPL-3.0",
            "a v1|MIT AND GPL-3.0",
            "b v1|MPL-2.0",
            "a v1|(MIT",
            "a v1|GPL-3.0 OR MIT AND GPL-2.0",
        ] {
            assert!(refused(bad), "{bad}");
        }
    }
}
