//! Schemas made ready: a document with what it refers to, compiled once.

use std::cell::OnceCell;
use std::error::Error;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ReferencingError, Registry, Retrieve, Uri, ValidationError};
use serde_json::{Value, json};

use super::compiled::Compiled;
use super::document::{BASE, Fault, Folder};
use super::instance::Message;
use super::reference::{Seen, Target, is_address, shortened, survey};

/// Schemas of one folder and draft, with what they refer to. All are added before the first is compiled.
pub(super) struct Library {
    folder: Arc<Folder>,
    draft: Draft,
    formats: bool,
    seen: Seen,
    registry: OnceCell<Registry<'static>>,
}

impl Library {
    /// No schema yet; `draft` counts where none is said, and `formats` whether `format` is checked.
    pub(super) fn new(folder: Arc<Folder>, draft: Draft, formats: bool) -> Self {
        Self { folder, draft, formats, seen: Seen::new(), registry: OnceCell::new() }
    }

    /// Reads and checks the schema at `target`, and those that it refers to.
    pub(super) fn add(&mut self, target: &Target) -> Result<(), Fault> {
        survey(&self.folder, target, self.draft, &mut self.seen)
    }

    /// Compiles a schema that was added.
    pub(super) fn compile(&self, target: &Target) -> Result<Compiled, Fault> {
        let registry = match self.registry.get() {
            Some(registry) => registry,
            None => {
                let registry = self.registry().map_err(|error| target.at(uncompilable(&error.into())))?;
                self.registry.get_or_init(|| registry)
            }
        };
        let reference = format!("{BASE}{}#{}", target.document.name, encoded(&target.pointer));
        jsonschema::options_for::<Message>()
            .with_draft(self.draft)
            .with_registry(registry)
            .with_retriever(Beside(self.folder.clone()))
            // Linear in the text, whatever the pattern: what needs backtracking is no pattern here.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN))
            .should_validate_formats(self.formats)
            .build(&json!({ "$ref": reference }))
            .map(Compiled::new)
            .map_err(|error| target.at(uncompilable(&error)))
    }

    /// All documents that were read, by their names and by the addresses that they give themselves.
    fn registry(&self) -> Result<Registry<'static>, ReferencingError> {
        let mut builder = Registry::new().retriever(Beside(self.folder.clone())).draft(self.draft);
        for document in self.folder.all() {
            let draft = match self.draft.detect(&document.value) {
                Draft::Unknown => self.draft,
                draft => draft,
            };
            builder =
                builder.add(format!("{BASE}{}", document.name), draft.create_resource(document.by_name()))?;
            if let Some(address) = document.id().filter(|id| is_address(id)) {
                builder = builder.add(address, draft.create_resource(document.value.clone()))?;
            }
        }
        builder.prepare()
    }
}

/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 4 << 20;

/// Everything that a schema refers to comes from its folder.
struct Beside(Arc<Folder>);

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        match uri.as_str().strip_prefix(BASE) {
            // With an address of its own, a document that was asked for by another one resolves its references by either.
            Some(name) => Ok(self.0.read(name)?.by_name()),
            None => Ok(self.0.beside(uri.as_str())?.value.clone()),
        }
    }
}

fn uncompilable(error: &ValidationError<'_>) -> Fault {
    let what = shortened(&error.to_string());
    match error.kind() {
        ValidationErrorKind::Format { format } if format == "regex" => {
            let help = "patterns are matched in linear time: do without look-around and back-references, and repeat less";
            Fault::new(what, help)
        }
        ValidationErrorKind::Referencing(_) => {
            Fault::new(what, "refer to `#/$defs/...`, or to a file beside the schema by its name")
        }
        _ => Fault::new(what, "mend the schema"),
    }
}

/// A JSON pointer as a fragment of an address.
fn encoded(pointer: &str) -> String {
    pointer.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                text.push(byte.into())
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
