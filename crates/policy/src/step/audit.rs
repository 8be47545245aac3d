//! `audit`: a message is recorded, whatever becomes of it.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::View;
use crate::fields::{Field, Path, Shown};
use crate::finding::masked;
use crate::verdict::Keep;

/// Records messages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAuditStep {
    /// How much of a message is kept.
    content: At<RawContent>,
    /// Fields whose values an excerpt shows as they are: `type`, `order.id`. Of all others it shows the shape alone.
    #[serde(default)]
    show: OneOrMany<At<String>>,
}

/// How much of a message is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawContent {
    /// When, by whom, which way, of what kind, how long, and what became of it.
    Metadata,
    /// That, and the message's fields with their letters and digits masked, at most 512 characters.
    Excerpt,
    /// That, and all that it says, encrypted to the store's `recipients`.
    Whole,
}

/// The longest excerpt, in bytes.
const MAX_EXCERPT: usize = 512;

/// Records messages.
#[derive(Clone, Debug)]
pub(crate) struct AuditStep {
    content: RawContent,
    show: Box<[Path]>,
}

impl AuditStep {
    pub(crate) fn check(raw: At<RawAuditStep>, problems: &mut Problems) -> Self {
        let RawAuditStep { content, show } = raw.value;
        if !show.is_empty() && content.value != RawContent::Excerpt {
            let what = "`show` is for excerpts";
            problems.error(content.place, what, "write `content: excerpt`, or remove `show`");
        }
        let show = show.0.iter().filter_map(|path| match path.value.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                problems.error(path.place, format!("{error}"), "write it as in `type` or `order.id`");
                None
            }
        });
        Self { content: content.value, show: show.collect() }
    }

    /// Whether it keeps all that a message says.
    pub(crate) fn keeps_whole(&self) -> bool {
        self.content == RawContent::Whole
    }

    pub(super) fn keep(&self, view: &View<'_>) -> Keep {
        match self.content {
            RawContent::Metadata => Keep::Metadata,
            RawContent::Excerpt => Keep::Excerpt(self.excerpt(view)),
            RawContent::Whole => Keep::Whole(view.fields.payload().to_vec()),
        }
    }

    fn excerpt(&self, view: &View<'_>) -> String {
        let mut excerpt = String::new();
        for field in view.fields.all() {
            let Some(value) = self.value(&field) else { continue };
            let space = if excerpt.is_empty() { "" } else { " " };
            let part = format!("{space}{}={value}", field.path());
            if excerpt.len() + part.len() > MAX_EXCERPT {
                excerpt.push('…');
                break;
            }
            excerpt.push_str(&part);
        }
        excerpt
    }

    fn value(&self, field: &Field<'_>) -> Option<String> {
        let text = match field.show() {
            Shown::List(_) | Shown::Map(_) => return None,
            Shown::Null => return Some("null".into()),
            Shown::Bool(value) => value.to_string(),
            Shown::Int(value) => value.to_string(),
            Shown::Uint(value) => value.to_string(),
            Shown::Float(value) => value.to_string(),
            Shown::Text(text) => text.into(),
            Shown::Bytes(bytes) => return Some(format!("{} bytes", bytes.len())),
        };
        let is_shown = self.show.iter().any(|path| path.matches(field));
        Some(if is_shown { text } else { masked(&text).into() })
    }
}
