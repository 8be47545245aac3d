//! `blocklist`: messages with a listed word, or a listed value, do not pass. The list may be a file that changes.

mod config;
mod list;
mod normal;
#[cfg(test)]
mod tests;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

pub use config::RawBlocklist;
pub(crate) use config::check;

use self::list::{Kept, List};
use super::{Effect, View};
use crate::fields::{Field, Path, Shown};
use crate::finding::{Hit, masked};
use crate::reloaded::Reloaded;

/// Words and values that do not pass.
#[derive(Clone, Debug)]
pub(crate) struct Blocklist {
    /// Where it looks; everywhere where there is none.
    paths: Box<[Path]>,
    kept: Arc<Kept>,
}

impl Blocklist {
    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let list = self.kept.list();
        let mut hit = None;
        match &*self.paths {
            [] => hit = view.fields.all().find_map(|field| look(&list, &field)),
            paths => paths.iter().for_each(|path| {
                path.each(&view.fields, |field| {
                    if hit.is_none() {
                        hit = field.with_inner().find_map(|field| look(&list, &field));
                    }
                });
            }),
        }
        hit.map_or(Effect::Pass, |hit| Effect::Violation(vec![hit]))
    }

    /// The file that it is read from.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.kept.path()
    }

    /// Reads the file anew, if it has one and it changed.
    pub(super) fn reload(&self) -> Option<Reloaded> {
        self.kept.reload()
    }
}

fn look(list: &List, field: &Field<'_>) -> Option<Hit> {
    let found = match field.show() {
        Shown::Text(text) => list.find(text.as_bytes(), Some(text)),
        Shown::Bytes(bytes) => list.find(bytes, None),
        _ => None,
    }?;
    let excerpt = (!found.is_empty()).then(|| masked(&found));
    Some(Hit {
        class: "blocked",
        rule: None,
        path: field.path().into(),
        detail: "it is on the list".into(),
        excerpt,
    })
}
