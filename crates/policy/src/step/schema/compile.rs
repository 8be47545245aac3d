//! A schema made ready: compiled once, asked for every message.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Value, json};

use super::document::{BASE, Fault, Folder, unescaped};
use super::instance::{Message, Part};
use super::reference::{Target, shortened, survey};
use crate::fields::{Field, Fields};
use crate::finding::Hit;

/// A schema that messages are compared with.
#[derive(Clone, Debug)]
pub(super) struct Compiled(Arc<Validator<Message>>);

/// What a message breaks.
#[derive(Debug)]
pub(super) struct Breach {
    /// The keyword, as `maxLength`.
    pub(super) keyword: Box<str>,
    /// Where the keyword stands, as `chat.json#/properties/text/maxLength`.
    pub(super) place: Box<str>,
    /// The field's path.
    pub(super) path: Box<str>,
    /// How deep in the message that is.
    pub(super) depth: usize,
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

impl Compiled {
    /// Compiles the schema at `target`; `draft` counts where it does not say.
    pub(super) fn new(
        folder: &Arc<Folder>,
        target: &Target,
        draft: Draft,
        formats: bool,
    ) -> Result<Self, Fault> {
        survey(folder, target, draft)?;
        let reference = format!("{BASE}{}#{}", target.document.name, encoded(&target.pointer));
        jsonschema::options_for::<Message>()
            .with_draft(draft)
            .with_retriever(Beside(folder.clone()))
            // Linear in the text, whatever the pattern: what needs backtracking is no pattern here.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN))
            .should_validate_formats(formats)
            .build(&json!({ "$ref": reference }))
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| target.at(uncompilable(&error)))
    }

    /// Whether a message fits.
    pub(super) fn fits(&self, fields: &Fields<'_>) -> bool {
        fields.root().is_some_and(|root| self.0.is_valid(Part::Field(root)))
    }

    /// The first thing that a message breaks.
    pub(super) fn breach(&self, fields: &Fields<'_>) -> Breach {
        let found = fields.root().and_then(|root| {
            // The validator cuts the value of an error out of the message by `expect` where a pattern's engine failed.
            let search = AssertUnwindSafe(|| self.0.validate(Part::Field(root)).err());
            catch_unwind(search).ok().flatten().map(|error| breach(&root, nearest(&error)))
        });
        found.unwrap_or_else(|| Breach {
            keyword: "schema".into(),
            place: "#".into(),
            path: "$".into(),
            depth: 0,
        })
    }
}

impl Breach {
    /// The finding about it; `about` says which schema it is of.
    pub(super) fn hit(self, about: &str) -> Hit {
        let detail = format!("{about}breaks `{}` at {}", self.keyword, self.place);
        let rule = Some((*self.keyword).into());
        Hit { class: "schema", rule, path: self.path, detail: detail.into(), excerpt: None }
    }
}

/// Among alternatives that a message fits none of, the error of the one that was meant: the only one whose constants it has.
fn nearest<'e, 'i>(error: &'e ValidationError<'i>) -> &'e ValidationError<'i> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return error;
    };
    let is_constant = |error: &ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. })
    };
    let mut meant = context.iter().filter(|errors| !errors.iter().any(is_constant));
    match (meant.next().and_then(|errors| errors.first()), meant.next()) {
        (Some(only), None) if context.len() > 1 => nearest(only),
        _ => error,
    }
}

fn breach(root: &Field<'_>, error: &ValidationError<'_>) -> Breach {
    let mut field = *root;
    let mut depth = 0;
    for step in error.instance_path().as_str().split('/').skip(1) {
        let child = match step.parse::<usize>() {
            Ok(index) if field.get(&unescaped(step)).is_none() => field.nth(index),
            _ => field.get(&unescaped(step)),
        };
        let Some(child) = child else { break };
        (field, depth) = (child, depth + 1);
    }
    let place = match error.absolute_keyword_location() {
        Some(uri) => uri.as_str().strip_prefix(BASE).unwrap_or(uri.as_str()).into(),
        None => format!("#{}", error.schema_path()).into(),
    };
    Breach { keyword: error.kind().keyword().into(), place, path: field.path().into(), depth }
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
