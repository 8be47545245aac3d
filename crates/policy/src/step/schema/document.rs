//! The files of schemas: read within bounds, and only from the folder of the first one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use wicketgate_config::{Content, Node, Problems, Sources};

/// What is wrong with a schema: a sentence, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) help: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

/// A document with schemas in it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: Box<str>,
    pub(super) value: Value,
    /// The addresses that it and the schemas in it give themselves.
    pub(super) ids: BTreeSet<Box<str>>,
    /// Where its values stand, as far as that is known.
    tree: Option<Node>,
}

/// The documents that one step is made of.
#[derive(Debug)]
pub(super) struct Folder {
    /// None for a schema that stands in the configuration itself: it has no files beside it.
    path: Option<PathBuf>,
    documents: Mutex<BTreeMap<Box<str>, Arc<Document>>>,
}

/// The most files of one step.
const MAX_FILES: usize = 50;
/// The longest file, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// How references name a document that stands in the folder. A reference to another folder does not begin with it.
pub(super) const BASE: &str = "folder:///here/";

impl Folder {
    /// The folder of a file, and the file.
    pub(super) fn of(file: &str) -> Result<(Arc<Self>, Arc<Document>), Fault> {
        let path = Path::new(file);
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name));
        let Some(name) = name else {
            let help = "give a file whose name has letters, digits, `-`, `_` and `.`";
            return Err(Fault::new(format!("`{file}` is no name of a schema's file"), help));
        };
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        let folder = Arc::new(Self { path: Some(parent), documents: Mutex::default() });
        let document = folder.read(name)?;
        Ok((folder, document))
    }

    /// A schema that stands in the configuration.
    pub(super) fn inline(value: Value) -> (Arc<Self>, Arc<Document>) {
        let document = Arc::new(Document::new("inline", value, None));
        let documents = BTreeMap::from([(document.name.clone(), document.clone())]);
        (Arc::new(Self { path: None, documents: documents.into() }), document)
    }

    /// The document of this name, read once.
    pub(super) fn read(&self, name: &str) -> Result<Arc<Document>, Fault> {
        let mut documents = self.documents();
        if let Some(document) = documents.get(name) {
            return Ok(document.clone());
        }
        let Some(folder) = &self.path else {
            let what = format!("a schema inside the configuration refers to `{name}`");
            return Err(Fault::new(
                what,
                "only a schema in a file has files beside it: use `file`, or `$defs`",
            ));
        };
        if !is_name(name) {
            let what = format!("`{name}` is outside the folder of the schema that refers to it");
            return Err(Fault::new(what, "put the file into that folder and refer to it by its name alone"));
        }
        if documents.len() >= MAX_FILES {
            let what = format!("more than {MAX_FILES} files belong to one schema");
            return Err(Fault::new(what, "bundle them into fewer ones"));
        }
        let document = Arc::new(load(&folder.join(name), name)?);
        documents.insert(name.into(), document.clone());
        Ok(document)
    }

    /// The document that an absolute address names: one of the folder that says itself that this is its address. Nothing is
    /// fetched.
    pub(super) fn by_address(&self, address: &str) -> Result<Arc<Document>, Fault> {
        let has_address = |document: &&Arc<Document>| document.id() == Some(address);
        if let Some(known) = self.documents().values().find(has_address) {
            return Ok(known.clone());
        }
        let name = address.rsplit('/').next().unwrap_or_default();
        let is_beside = self.path.is_some() && is_name(name) && !address.starts_with("file:");
        let document = if is_beside { self.read(name).ok() } else { None };
        document.filter(|document| has_address(&document)).ok_or_else(|| {
            let help = match is_beside {
                true => format!(
                    "put it beside the schema as `{name}`, with that address as its `$id`, or copy it into `$defs`"
                ),
                false => "copy what it refers to into `$defs`".to_owned(),
            };
            Fault::new(format!("the schema refers to `{address}`, and nothing is fetched"), help)
        })
    }

    /// What an address that a schema's own address made of a name leads to: as [`Self::by_address`], or a file of that name
    /// that gives itself none and was found already.
    pub(super) fn beside(&self, address: &str) -> Result<Arc<Document>, Fault> {
        self.by_address(address).or_else(|fault| {
            let documents = self.documents();
            let document = documents.get(address.rsplit('/').next().unwrap_or_default());
            document.filter(|document| document.id().is_none()).cloned().ok_or(fault)
        })
    }

    /// Every document that was read.
    pub(super) fn all(&self) -> Vec<Arc<Document>> {
        self.documents().values().cloned().collect()
    }

    fn documents(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Arc<Document>>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Document {
    fn new(name: &str, value: Value, tree: Option<Node>) -> Self {
        let ids = ids(&value);
        Self { name: name.into(), value, ids, tree }
    }

    /// The address that it gives itself.
    pub(super) fn id(&self) -> Option<&str> {
        let id = self.value.get(self.id_keyword())?.as_str()?;
        Some(id.trim_end_matches('#'))
    }

    /// What it says, without its address: references in it are to files beside it.
    pub(super) fn by_name(&self) -> Value {
        let mut value = self.value.clone();
        if let Value::Object(members) = &mut value {
            members.shift_remove(self.id_keyword());
        }
        value
    }

    fn id_keyword(&self) -> &'static str {
        let said = self.value.get("$schema").and_then(Value::as_str);
        if said.is_some_and(|said| said.contains("/draft-04/")) { "id" } else { "$id" }
    }

    /// What stands at a JSON pointer, for whoever has to mend it.
    pub(super) fn place(&self, pointer: &str) -> String {
        let place = self.tree.as_ref().and_then(|tree| find(tree, pointer)).map(|node| node.place);
        let name = &self.name;
        match place {
            Some(place) => format!("`{name}`, line {}, `#{pointer}`", place.line()),
            None => format!("`{name}`, `#{pointer}`"),
        }
    }
}

fn ids(value: &Value) -> BTreeSet<Box<str>> {
    let mut ids = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => {
                let named = members.get("$id").or_else(|| members.get("id")).and_then(Value::as_str);
                ids.extend(named.map(|id| id.split('#').next().unwrap_or_default().into()));
                open.extend(members.values());
            }
            _ => {}
        }
    }
    ids
}

/// Whether a name is that of a file, and of nothing else: neither a folder nor an address.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn find<'a>(root: &'a Node, pointer: &str) -> Option<&'a Node> {
    pointer.split('/').skip(1).try_fold(root, |node, step| match &node.content {
        Content::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.child(&unescaped(step)),
    })
}

/// A step of a JSON pointer as the name that it stands for.
pub(super) fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// A name as a step of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn load(path: &Path, name: &str) -> Result<Document, Fault> {
    let text = read_text(path).map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "check the path; a relative one starts at the working directory",
            io::ErrorKind::PermissionDenied => "let this service's user read the file and enter its folders",
            _ => "give a readable file of JSON or YAML",
        };
        Fault::new(format!("cannot read `{}` ({error})", path.display()), help)
    })?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    match is_json {
        true => parse_json(&text, name),
        false => parse_yaml(&text, name),
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    // Asked before it is opened: a pipe without a writer would never be.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("longer than {} MiB", MAX_FILE >> 20))),
        false => Ok(text),
    }
}

fn parse_json(text: &str, name: &str) -> Result<Document, Fault> {
    let value = serde_json::from_str(text).map_err(|error| {
        let help = "mend it; a file of YAML has a name that ends in `.yaml`";
        Fault::new(format!("`{name}` is no JSON ({error})"), help)
    })?;
    Ok(Document::new(name, value, None))
}

/// Reads YAML as the configuration is read, but without variables: what looks like one is text.
fn parse_yaml(text: &str, name: &str) -> Result<Document, Fault> {
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    let number = sources.add(Path::new(name), text.replace("${", "$${"));
    let tree = wicketgate_config::parse(number, &mut sources, &|_| None, &mut problems);
    if let Some(problem) = problems.iter().next() {
        let (place, what) = (problem.place, &problem.what);
        let what = format!("`{name}`, line {}, column {}: {what}", place.line(), place.column());
        return Err(Fault::new(what, problem.help.clone()));
    }
    let Some(tree) = tree else {
        return Err(Fault::new(format!("`{name}` is empty"), "write a schema into it"));
    };
    let value = Value::deserialize(&tree)
        .map_err(|fault| Fault::new(format!("`{name}` cannot be read ({fault})"), "write plain values"))?;
    Ok(Document::new(name, value, Some(tree)))
}
