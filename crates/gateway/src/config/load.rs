//! Reads the configuration's files: the main one and all that it includes.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use wicketgate_config::{At, Lookup, Node, Place, Problems, Report, Sources, read};

use super::file::{RawConfig, RawPart};
use super::{Config, check, weak};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// How many files a configuration may have.
const MAX_FILES: usize = 256;
/// How deep files may include files.
const MAX_INCLUDES: usize = 8;

/// Reads the configuration at `path`, with its includes and with variables from the environment. The report holds
/// warnings beside a usable configuration, and every error where it cannot be used.
pub fn load(path: &Path) -> Result<(Config, Report), Report> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut loader = Loader::new(&lookup);
    match read_file(path) {
        Ok(text) => loader.main(path, text),
        Err(error) => {
            let what = format!("cannot read {}: {}", path.display(), error.what);
            loader.problems.error(Place::UNKNOWN, what, error.help);
            loader.names.incomplete = true;
        }
    }
    loader.finish()
}

/// Reads a configuration from `text` instead of a file; `name` stands for its path in messages. Variables come from
/// `lookup`; `include` is refused, for a text has no files beside it.
pub fn parse(
    name: &str,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(Config, Report), Report> {
    let mut loader = Loader { has_files: false, ..Loader::new(lookup) };
    loader.main(Path::new(name), text.to_owned());
    loader.finish()
}

struct Loader<'a> {
    lookup: Lookup<'a>,
    sources: Sources,
    problems: Problems,
    /// All files that were read, by their real paths.
    seen: HashSet<PathBuf>,
    raw: RawConfig,
    names: check::Names,
    /// Whether there are files to include.
    has_files: bool,
}

impl<'a> Loader<'a> {
    fn new(lookup: Lookup<'a>) -> Self {
        Self {
            lookup,
            sources: Sources::default(),
            problems: Problems::default(),
            seen: HashSet::new(),
            raw: RawConfig::default(),
            names: check::Names::default(),
            has_files: true,
        }
    }

    fn finish(mut self) -> Result<(Config, Report), Report> {
        let config = check::check(self.raw, &self.names, &mut self.problems);
        let failed = self.problems.has_errors();
        if let Some(config) = config.as_ref().filter(|_| !failed) {
            weak::warn(config, &self.sources.outline, &mut self.problems);
        }
        let report = Report::new(self.sources, self.problems);
        match config {
            Some(config) if !failed => Ok((config, report)),
            _ => Err(report),
        }
    }

    fn main(&mut self, path: &Path, text: String) {
        self.seen.insert(real(path));
        let Some(raw) = self.read::<RawConfig>(path, text) else { return };
        self.raw = raw;
        let include = std::mem::take(&mut self.raw.include);
        self.include(path, &include.0, 1);
    }

    fn part(&mut self, path: &Path, text: String, depth: usize) {
        let Some(part) = self.read::<RawPart>(path, text) else { return };
        self.raw.listeners.extend(part.listeners);
        self.raw.upstreams.extend(part.upstreams);
        self.raw.routes.extend(part.routes);
        self.raw.authentication.extend(part.authentication);
        self.raw.policies.extend(part.policies);
        self.include(path, &part.include.0, depth + 1);
    }

    /// Reads what one file holds. Without it nothing can be said about what is missing elsewhere.
    fn read<T: DeserializeOwned>(&mut self, path: &Path, text: String) -> Option<T> {
        let number = self.sources.add(path, text);
        let value = self.tree(number).and_then(|mut root| {
            self.names.collect(&root);
            self.sources.outline.add(&root);
            read(&mut root, &mut self.problems)
        });
        self.names.incomplete |= value.is_none();
        value
    }

    fn tree(&mut self, number: u32) -> Option<Node> {
        let before = self.problems.iter().count();
        let root = wicketgate_config::parse(number, &mut self.sources, self.lookup, &mut self.problems);
        if root.is_none() && self.problems.iter().count() == before {
            let place = Place::new(number, 1, 1, 0..0);
            self.problems.error(
                place,
                "this file holds nothing",
                "`wicketgate init` writes one to start from",
            );
        }
        root
    }

    fn include(&mut self, from: &Path, patterns: &[At<String>], depth: usize) {
        for pattern in patterns {
            if !self.has_files {
                self.problems.error(pattern.place, "there are no files to include here", "write it out");
                return;
            }
            if depth > MAX_INCLUDES {
                let what = format!("files include files more than {MAX_INCLUDES} deep");
                self.problems.error(pattern.place, what, "include them from the main file");
                return;
            }
            match matching(from, pattern) {
                Ok((folder, paths)) => {
                    self.sources.folders.insert(folder);
                    for path in paths {
                        self.include_one(from, &path, pattern, depth);
                    }
                }
                Err(error) => {
                    let what = format!("cannot include `{}`: {}", pattern.value, error.what);
                    self.problems.error(pattern.place, what, error.help);
                    self.names.incomplete = true;
                }
            }
        }
    }

    fn include_one(&mut self, from: &Path, path: &Path, pattern: &At<String>, depth: usize) {
        if real(path) == real(from) && pattern.contains('*') {
            return;
        }
        if self.seen.len() >= MAX_FILES {
            let what = format!("more than {MAX_FILES} files are included");
            self.problems.error(pattern.place, what, "join some of them");
            return;
        }
        if !self.seen.insert(real(path)) {
            let what = format!("{} is included a second time", path.display());
            self.problems.error(pattern.place, what, "include every file once, and none by itself");
            return;
        }
        match read_file(path) {
            Ok(text) => self.part(path, text, depth),
            Err(error) => {
                let what = format!("cannot include {}: {}", path.display(), error.what);
                self.problems.error(pattern.place, what, error.help);
                self.names.incomplete = true;
            }
        }
    }
}

/// Why a file cannot be had.
pub(super) struct Unreadable {
    what: String,
    help: &'static str,
}

impl Unreadable {
    fn new(what: impl Into<String>, help: &'static str) -> Self {
        Self { what: what.into(), help }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::new(
                "there is no such file",
                "check the path; `wicketgate init` writes a file to start from",
            ),
            io::ErrorKind::PermissionDenied => {
                Self::new("permission denied", "give the user that runs wicketgate the right to read it")
            }
            io::ErrorKind::IsADirectory => Self::new("it is a directory", "name a file"),
            _ => Self::new(error.to_string(), ""),
        }
    }
}

pub(super) fn read_file(path: &Path) -> Result<String, Unreadable> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        let what = format!("it is longer than {} KiB", MAX_FILE >> 10);
        return Err(Unreadable::new(what, "split it with `include`, or check that it is the right file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Unreadable::new(format!("line {line} is not UTF-8"), "save it as UTF-8 text")
    })
}

/// The path by which a file is known as the same one, however it is reached.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The folder and the files in it that `pattern` names, relative to the folder of `from`, in the order of their names.
/// Its last part may hold `*`; hidden files are then left out.
fn matching(from: &Path, pattern: &str) -> Result<(PathBuf, Vec<PathBuf>), Unreadable> {
    let full = from.parent().unwrap_or(Path::new("")).join(pattern);
    let (Some(folder), Some(name)) = (full.parent(), full.file_name().and_then(|name| name.to_str())) else {
        return Err(Unreadable::new("this names no file", "give a path such as `conf.d/*.yaml`"));
    };
    if folder.to_string_lossy().contains('*') {
        return Err(Unreadable::new("`*` stands in a folder's name", "only the last part may hold it"));
    }
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    if !name.contains('*') {
        return Ok((folder.to_owned(), vec![full.clone()]));
    }
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let Ok(found) = entry.file_name().into_string() else { continue };
        if !found.starts_with('.') && crate::route::pattern::wildcard(name, &found) && !entry.path().is_dir()
        {
            names.push(found);
        }
        if names.len() > MAX_FILES {
            return Err(Unreadable::new(
                format!("it names more than {MAX_FILES} files"),
                "join some of them",
            ));
        }
    }
    names.sort();
    Ok((folder.to_owned(), names.into_iter().map(|name| folder.join(name)).collect()))
}
