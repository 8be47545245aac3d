//! Files: rules with what they include, and lists.

mod directive;
mod glob;
mod lines;
mod stamp;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use directive::{Directive, Removal};
use lines::{lines, words};
pub(crate) use stamp::Stamp;

use crate::note::{LoadError, Place};

/// The longest file, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// The most directives.
const MAX_DIRECTIVES: usize = 50_000;
/// How deep files may include others.
const MAX_DEPTH: usize = 8;

/// A directive and where it stands.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) place: Place,
    pub(crate) directive: Directive,
}

/// Directives, and what they were read from.
#[derive(Debug, Default)]
pub(crate) struct Directives {
    pub(crate) all: Vec<Placed>,
    pub(crate) stamps: Vec<Stamp>,
}

/// The lines of a list.
pub(crate) struct Data(pub(crate) Vec<String>);

/// Reads the directives of a file, a folder's files that end in `.conf`, or all that a pattern names, with all that they
/// include.
pub(crate) fn read(path: &Path, all: &mut Directives) -> Result<(), LoadError> {
    each(path, 0, all)
}

/// Reads directives that stand in a text.
pub(crate) fn read_text(name: &Path, text: &str, all: &mut Directives) -> Result<(), LoadError> {
    add(name, text, MAX_DEPTH, all)
}

fn each(path: &Path, depth: usize, all: &mut Directives) -> Result<(), LoadError> {
    all.stamps.push(Stamp::of(if glob::is_pattern(path) { path.parent().unwrap_or(path) } else { path }));
    let files = match path.is_dir() {
        true => glob::files(&path.join("*.conf"))?,
        false if glob::is_pattern(path) => glob::files(path)?,
        false => vec![path.to_owned()],
    };
    for file in files {
        all.stamps.push(Stamp::of(&file));
        let text = text(&file)?;
        add(&file, &text, depth, all)?;
    }
    Ok(())
}

fn add(file: &Path, text: &str, depth: usize, all: &mut Directives) -> Result<(), LoadError> {
    let shared: Arc<Path> = file.into();
    for line in lines(text) {
        let place = Place { file: shared.clone(), line: line.number };
        let wrong = |what: &str| LoadError::Syntax { place: place.clone(), what: what.to_owned() };
        let words = words(&line.text).map_err(wrong)?;
        let directive = Directive::read(&words).map_err(|what| wrong(&what))?;
        match directive {
            Directive::Include { path, .. } if depth >= MAX_DEPTH => {
                return Err(wrong(&format!(
                    "`{path}` is included, and files may include others {MAX_DEPTH} deep"
                )));
            }
            Directive::Include { path, optional } => {
                let path = beside(file).join(path);
                if !optional || path.exists() || glob::is_pattern(&path) {
                    each(&path, depth + 1, all)?;
                }
            }
            directive => all.all.push(Placed { place, directive }),
        }
        if all.all.len() > MAX_DIRECTIVES {
            return Err(LoadError::TooMuch("there are more than 50000 directives"));
        }
    }
    Ok(())
}

/// The folder of a file.
pub(crate) fn beside(file: &Path) -> PathBuf {
    file.parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Reads a list: a line an entry, but for those that begin with `#`.
pub(crate) fn data_file(path: &Path) -> Result<Data, LoadError> {
    let text = text(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(Data(lines.map(str::to_owned).collect()))
}

fn text(path: &Path) -> Result<String, LoadError> {
    let unreadable = |why: String| LoadError::Unreadable { file: path.to_owned(), why };
    let length = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(unreadable("it is longer than 16 MiB".into()));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".into()))
}
