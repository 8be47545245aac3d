//! A compiled schema: whether a message fits, and what it breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};

use super::document::{BASE, unescaped};
use super::instance::{Message, Part};
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

impl Compiled {
    pub(super) fn new(validator: Validator<Message>) -> Self {
        Self(Arc::new(validator))
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
