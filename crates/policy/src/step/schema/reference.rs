//! References of schemas: what they lead to, and that all of it is sound.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonschema::Draft;
use serde_json::Value;

use super::document::{Document, Fault, Folder, escaped};

/// A schema within a document.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) document: Arc<Document>,
    /// A JSON pointer; empty for the whole document.
    pub(super) pointer: String,
}

/// The most schemas that one may refer to.
const MAX_TARGETS: usize = 10_000;

impl Target {
    pub(super) fn root(document: Arc<Document>) -> Self {
        Self { document, pointer: String::new() }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        self.document.value.pointer(&self.pointer)
    }

    /// What stands in it under a name.
    pub(super) fn below(&self, name: &str) -> Self {
        let pointer = format!("{}/{}", self.pointer, escaped(name));
        Self { document: self.document.clone(), pointer }
    }

    /// What stands in it under a name, if anything does.
    pub(super) fn child(&self, name: &str) -> Option<Self> {
        let child = self.below(name);
        child.value()?;
        Some(child)
    }

    /// Where it stands, for whoever has to mend it.
    pub(super) fn place(&self) -> String {
        self.document.place(&self.pointer)
    }

    /// What a `$ref` in it leads to, where that can be said without the schemas' own addresses.
    pub(super) fn refer(&self, folder: &Folder, reference: &str) -> Result<Option<Self>, Fault> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match file {
            "" => self.document.clone(),
            file if self.document.ids.contains(file) => return Ok(None),
            file if is_address(file) => folder.by_address(file).map_err(|fault| self.at(fault))?,
            file => {
                let file = percent_decoded(file.strip_prefix("./").unwrap_or(file));
                folder.read(&file).map_err(|fault| self.at(fault))?
            }
        };
        let pointer = percent_decoded(fragment);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Ok(None);
        }
        let target = Self { document, pointer };
        if target.value().is_none() {
            let what = format!("the reference `{reference}` leads nowhere");
            return Err(self.at(Fault::new(what, "name what is there, as in `#/$defs/name`")));
        }
        Ok(Some(target))
    }

    /// The target itself, or what its `$ref` leads to, and so on.
    pub(super) fn followed(self, folder: &Folder) -> Result<Self, Fault> {
        let mut target = self;
        for _ in 0..MAX_CHAIN {
            let reference = target.value().and_then(|value| value.get("$ref")).and_then(Value::as_str);
            let Some(reference) = reference else { return Ok(target) };
            let Some(next) = target.refer(folder, reference)? else { return Ok(target) };
            target = next;
        }
        Err(target.at(Fault::new("a reference leads back to itself", "end it with what is meant")))
    }

    /// A fault with the place where it shows.
    pub(super) fn at(&self, fault: Fault) -> Fault {
        Fault { what: format!("{}: {}", self.place(), fault.what), help: fault.help }
    }
}

/// The most references after each other where one leads to the next.
const MAX_CHAIN: usize = 32;

/// Whether a reference begins with a scheme, as `https:` or `urn:`.
pub(super) fn is_address(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return reference.starts_with("//") };
    !scheme.contains('/') && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The schemas that were found sound, by document and pointer.
pub(super) type Seen = BTreeSet<(Box<str>, String)>;

/// Checks a schema and every one that it refers to against what a schema may be; `draft` counts where it does not say.
pub(super) fn survey(folder: &Folder, start: &Target, draft: Draft, seen: &mut Seen) -> Result<(), Fault> {
    let mut open = vec![start.clone()];
    while let Some(target) = open.pop() {
        if !seen.insert((target.document.name.clone(), target.pointer.clone())) {
            continue;
        }
        if seen.len() > MAX_TARGETS {
            let what = format!("the schema refers to more than {MAX_TARGETS} others");
            return Err(Fault::new(what, "leave out those that it does not need"));
        }
        check_one(&target, draft)?;
        references(&target, &mut |within, reference| {
            open.extend(within.refer(folder, reference)?);
            Ok(())
        })?;
    }
    Ok(())
}

fn references(
    target: &Target,
    found: &mut dyn FnMut(&Target, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut open: Vec<Target> = vec![target.clone()];
    while let Some(target) = open.pop() {
        match target.value() {
            Some(Value::Array(items)) => {
                open.extend((0..items.len()).map(|index| target.below(&index.to_string())));
            }
            Some(Value::Object(members)) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found(&target, reference)?;
                }
                // What stands in these is data, whatever it looks like.
                let schemas = members.keys().filter(|key| !["const", "enum", "examples"].contains(&&***key));
                open.extend(schemas.map(|key| target.below(key)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_one(target: &Target, draft: Draft) -> Result<(), Fault> {
    let Some(value) = target.value() else { return Ok(()) };
    if !value.is_object() && !value.is_boolean() {
        let fault = Fault::new("this is no schema", "a schema is a mapping of keywords, `true` or `false`");
        return Err(target.at(fault));
    }
    let said = value.get("$schema").or_else(|| target.document.value.get("$schema"));
    let draft = said.map_or(draft, |_| draft.detect(said_of(target, value)));
    let meta = match draft {
        Draft::Draft4 => jsonschema::draft4::meta::validator(),
        Draft::Draft6 => jsonschema::draft6::meta::validator(),
        Draft::Draft7 => jsonschema::draft7::meta::validator(),
        Draft::Draft201909 => jsonschema::draft201909::meta::validator(),
        Draft::Draft202012 => jsonschema::draft202012::meta::validator(),
        _ => {
            let said = said.and_then(Value::as_str).unwrap_or_default();
            let what = format!("`$schema` is `{said}`, which is none of the drafts that are known");
            let help = "write `https://json-schema.org/draft/2020-12/schema`, or that of 2019-09, draft-07, -06 or -04";
            return Err(target.at(Fault::new(what, help)));
        }
    };
    let result = meta.validate(value);
    result.map_err(|error| {
        let pointer = format!("{}{}", target.pointer, error.instance_path());
        let at = Target { document: target.document.clone(), pointer };
        at.at(Fault::new(
            shortened(&error.masked_with("what stands here").to_string()),
            "see JSON Schema for what this keyword takes",
        ))
    })
}

/// What says which draft a target is written in: itself, or else its document.
fn said_of<'a>(target: &'a Target, value: &'a Value) -> &'a Value {
    if value.get("$schema").is_some() { value } else { &target.document.value }
}

/// The beginning of what the validator says: it may list a whole schema.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
