//! No module of a crate imports, by whatever way round, a module that imports it.
//!
//! Edges are the paths `crate::a::b` in the code of a file, tests left out. A module and its children are
//! one family: a child may use its parent's items, a parent names its children, and neither counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use super::sources::rust_files;
use crate::shell::root;

type Module = Vec<String>;
type Edges = BTreeMap<Module, BTreeSet<Module>>;

pub(super) fn check() -> Result<()> {
    let mut crates: BTreeMap<PathBuf, BTreeMap<Module, String>> = BTreeMap::new();
    for path in rust_files()? {
        let Some((package, module)) = place(&path) else { continue };
        crates.entry(package).or_default().insert(module, fs::read_to_string(root().join(&path))?);
    }
    let mut found = Vec::new();
    for (package, modules) in crates {
        for circle in circles(&edges(&modules)) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            found.push(format!("{}: {}", package.display(), names.join(" <-> ")));
        }
    }
    ensure!(found.is_empty(), "\n{}", found.join("\n"));
    Ok(())
}

/// The crate's folder and the module's path, for a file under some `src`.
fn place(path: &Path) -> Option<(PathBuf, Module)> {
    let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let src = parts.iter().position(|part| part == "src")?;
    let mut module = parts.split_off(src + 1);
    parts.pop();
    let last = module.pop()?;
    let stem = last.strip_suffix(".rs")?;
    if !matches!(stem, "lib" | "main" | "mod") {
        module.push(stem.to_owned());
    }
    // A sibling file of tests may use anything.
    (stem != "tests").then(|| (parts.iter().collect(), module))
}

fn edges(modules: &BTreeMap<Module, String>) -> Edges {
    let mut edges = Edges::new();
    for (module, text) in modules {
        let code = text.split("#[cfg(test)]").next().unwrap_or(text);
        let code: String =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let targets = edges.entry(module.clone()).or_default();
        for path in paths(&code) {
            // The longest prefix that is a module of its own: the rest are items.
            let owner = (1..=path.len())
                .rev()
                .map(|length| path[..length].to_vec())
                .find(|prefix| modules.contains_key(prefix));
            targets.extend(owner.filter(|owner| !family(owner, module)));
        }
    }
    edges
}

fn family(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// All paths after `crate::`, groups in braces spread out.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let inside_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        if !inside_word {
            spread(&code[at + "crate::".len()..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one path or group off the front of `code` and gives what follows it.
fn spread<'a>(code: &'a str, prefix: &mut Module, found: &mut Vec<Module>) -> &'a str {
    let code = code.trim_start();
    if let Some(mut inner) = code.strip_prefix('{') {
        loop {
            inner = spread(inner, prefix, found).trim_start();
            match inner.strip_prefix(',') {
                Some(rest) => inner = rest,
                None => return inner.strip_prefix('}').unwrap_or(inner),
            }
        }
    }
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    if name.is_empty() {
        return rest.strip_prefix('*').unwrap_or(rest);
    }
    prefix.push(name.to_owned());
    let rest = match rest.strip_prefix("::") {
        Some(more) => spread(more, prefix, found),
        None => {
            found.push(prefix.clone());
            rest
        }
    };
    prefix.pop();
    rest.trim_start()
        .strip_prefix("as ")
        .map_or(rest, |alias| alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Pairs of modules that reach each other, each circle told once by its smallest members.
fn circles(edges: &Edges) -> BTreeSet<BTreeSet<Module>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|from| (from, reachable(edges, from))).collect();
    let mut found = BTreeSet::new();
    for (from, targets) in &reach {
        let circle: BTreeSet<Module> = targets
            .iter()
            .filter(|to| reach.get(*to).is_some_and(|back| back.contains(from)))
            .map(|&to| to.clone())
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found
}

fn reachable<'a>(edges: &'a Edges, from: &Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Module> = edges.get(from).into_iter().flatten().collect();
    while let Some(module) = open.pop() {
        if seen.insert(module) {
            open.extend(edges.get(module).into_iter().flatten());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str) -> Module {
        path.split("::").map(str::to_owned).collect()
    }

    fn found(files: &[(&str, &str)]) -> usize {
        let modules = files.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect();
        circles(&edges(&modules)).len()
    }

    #[test]
    fn groups_are_spread() {
        let all = paths("use crate::{a::{B, c as d, *}, e::f};\nlet x = crate::g::h();\nuse other_crate::i;");
        assert_eq!(all, ["a::B", "a::c", "e::f", "g::h"].map(module));
    }

    #[test]
    fn circles_are_found_and_families_are_not_circles() {
        assert_eq!(
            found(&[("a", "use crate::b::X;"), ("b", "use crate::c::Y;"), ("c", "use crate::a::Z;")]),
            1
        );
        assert_eq!(found(&[("a", "use crate::b::X;"), ("b", "#[cfg(test)] mod t { use crate::a::Z; }")]), 0);
        assert_eq!(found(&[("a", "use crate::a::b::X;"), ("a::b", "use crate::a::Z;")]), 0);
        assert_eq!(found(&[("a", "use crate::b::X;"), ("b", "// crate::a")]), 0);
    }

    #[test]
    fn files_have_their_modules() {
        assert_eq!(
            place(Path::new("crates/wire/src/frame/mod.rs")),
            Some(("crates/wire".into(), module("frame")))
        );
        assert_eq!(place(Path::new("crates/wire/src/lib.rs")), Some(("crates/wire".into(), Vec::new())));
        assert_eq!(place(Path::new("crates/wire/src/frame/tests.rs")), None);
    }
}
