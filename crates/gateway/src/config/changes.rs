//! A configuration at one moment beside itself at another, as it is shown: without comments, secrets masked.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;
use similar::TextDiff;
use wicketgate_config::{Content, Node, Problems, Report, Sources};

use super::view::{self, ShownFile};

/// The files of a configuration as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Moment(Vec<Seen>);

#[derive(Clone, Debug)]
struct Seen {
    file: ShownFile,
    /// Of what the file said, secrets and comments among it: by a key of this process, so that it tells nothing elsewhere.
    print: u64,
}

/// A file that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// The lines that differ, as `diff -u` writes them. None where only secrets, comments or the way of writing do.
    pub lines: Option<String>,
}

/// A part of the configuration that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PartChange {
    /// The section: `routes`, `listeners`.
    pub section: String,
    /// The name of the part, where the section has several.
    pub name: Option<String>,
    /// `added`, `removed` or `changed`.
    pub what: &'static str,
}

/// The lines around one that differs.
const AROUND: usize = 3;
/// The longest difference that is shown of one file, in bytes.
const LONGEST: usize = 64 << 10;

impl Moment {
    /// The files that were read, as they are now.
    pub fn of(report: &Report) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let seen = |path: &Path| {
            let text = super::load::read_file(path).ok();
            let print = KEY.hash_one(&text);
            Seen { file: view::shown(path, text), print }
        };
        Self(report.files().map(seen).collect())
    }

    /// The files as they are shown.
    pub fn files(&self) -> Vec<ShownFile> {
        self.0.iter().map(|seen| seen.file.clone()).collect()
    }

    /// The files that are others at `next`.
    pub fn files_until(&self, next: &Self) -> Vec<FileChange> {
        let find = |moment: &Self, path: &str| moment.0.iter().find(|seen| seen.file.path == path).cloned();
        let gone = self.0.iter().filter(|seen| find(next, &seen.file.path).is_none());
        let all = next.0.iter().chain(gone);
        let change = |path: &str| {
            let (before, after) = (find(self, path), find(next, path));
            if before.as_ref().map(|seen| seen.print) == after.as_ref().map(|seen| seen.print) {
                return None;
            }
            let text = |seen: Option<Seen>| seen.map(|seen| seen.file.text).unwrap_or_default();
            let (before, after) = (text(before), text(after));
            Some(FileChange {
                path: path.to_owned(),
                lines: (before != after).then(|| lines(&before, &after)),
            })
        };
        all.filter_map(|seen| change(&seen.file.path)).collect()
    }

    /// The parts that are others at `next`, whatever file they stand in. What differs in secrets alone is not among them.
    pub fn parts_until(&self, next: &Self) -> Vec<PartChange> {
        let (before, after) = (self.parts(), next.parts());
        let mut changes = Vec::new();
        let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let what = match (before.get(key), after.get(key)) {
                (None, Some(_)) => "added",
                (Some(_), None) => "removed",
                (before, after) if before != after => "changed",
                _ => continue,
            };
            let (section, name) = key.clone();
            changes.push(PartChange { section, name, what });
        }
        changes
    }

    /// Each part's text, by its section and its name.
    fn parts(&self) -> BTreeMap<(String, Option<String>), String> {
        let mut parts = BTreeMap::new();
        for seen in &self.0 {
            let mut sources = Sources::default();
            let number = sources.add(Path::new(&seen.file.path), seen.file.text.clone());
            let same = |name: &str| Some(format!("${{{name}}}"));
            let root = wicketgate_config::parse(number, &mut sources, &same, &mut Problems::default());
            if let Some(Node { content: Content::Map(entries), .. }) = root {
                for entry in entries {
                    if let Some(value) = &entry.value {
                        note(&entry.key, value, &mut parts);
                    }
                }
            }
        }
        parts
    }
}

/// Notes a section: each of its items by name, where they have one, or else all of it.
fn note(section: &str, value: &Node, parts: &mut BTreeMap<(String, Option<String>), String>) {
    let items = match &value.content {
        Content::List(items) => items.as_slice(),
        _ => &[],
    };
    let name = |item: &Node| match item.child("name").map(|name| &name.content) {
        Some(Content::Scalar(name)) => Some(name.text.clone()),
        _ => None,
    };
    let named: Vec<(String, &Node)> = items.iter().filter_map(|item| Some((name(item)?, item))).collect();
    if !named.is_empty() && named.len() == items.len() {
        for (name, item) in named {
            parts.entry((section.to_owned(), Some(name))).or_default().push_str(&view::text(item));
        }
    } else {
        parts.entry((section.to_owned(), None)).or_default().push_str(&view::text(value));
    }
}

fn lines(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = diff.unified_diff().context_radius(AROUND).to_string();
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str("\n…\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(files: &[(&str, &str, u64)]) -> Moment {
        let seen = files.iter().map(|(path, text, print)| Seen {
            file: view::shown(Path::new(path), Some((*text).to_owned())),
            print: *print,
        });
        Moment(seen.collect())
    }

    #[test]
    fn what_differs_is_told_and_no_secret() {
        let before = moment(&[
            (
                "a.yaml",
                "routes:\n- {name: a, respond: {status: 200}}\n- {name: b, respond: {status: 200}}\ndrain: {timeout: 5s}\n",
                1,
            ),
            ("b.yaml", "admin: {token: {value: hunter1}}\n", 2),
            ("c.yaml", "log: {level: info}\n", 3),
        ]);
        let after = moment(&[
            (
                "a.yaml",
                "routes:\n- {name: a, respond: {status: 404}}\n- {name: c, respond: {status: 200}}\ndrain: {timeout: 5s}\n",
                4,
            ),
            ("b.yaml", "admin: {token: {value: hunter2}}\n", 5),
        ]);
        let files = before.files_until(&after);
        let paths: Vec<(&str, bool)> =
            files.iter().map(|file| (file.path.as_str(), file.lines.is_some())).collect();
        assert_eq!(paths, [("a.yaml", true), ("b.yaml", false), ("c.yaml", true)]);
        let lines = files[0].lines.clone().unwrap_or_default();
        assert!(lines.contains("-      status: 200\n") && lines.contains("+      status: 404\n"), "{lines}");
        assert!(!format!("{files:?}").contains("hunter"));
        let parts: Vec<String> = before
            .parts_until(&after)
            .into_iter()
            .map(|part| format!("{} {} {}", part.section, part.name.unwrap_or_default(), part.what))
            .collect();
        assert_eq!(parts, ["log  removed", "routes a changed", "routes b removed", "routes c added"]);
        assert_eq!((before.files_until(&before), before.parts_until(&before)), (Vec::new(), Vec::new()));
    }
}
