//! `guard`: payload injection in the texts and names of a message.

use std::cell::RefCell;
use std::sync::Arc;

use wicketgate_config::Problems;

use super::kinds::Kinds;
use super::{Effect, View};
use crate::fields::{Field, Path, Shown};
use crate::finding::Hit;
use crate::guard::{Exclusion, Guard, Part, RawExclusion, RawGuard, Scan};

/// Looks for payload injection.
#[derive(Clone)]
pub(crate) struct GuardStep {
    guard: Arc<Guard>,
    exclusions: Box<[Excluded]>,
}

#[derive(Clone)]
struct Excluded {
    paths: Box<[Path]>,
    kinds: Option<Kinds>,
    /// What is not looked for; none where nothing is.
    what: Option<Exclusion>,
}

thread_local! {
    /// What automata have learnt serves all sessions of a thread.
    static SCAN: RefCell<Scan> = RefCell::default();
}

impl GuardStep {
    pub(crate) fn check(mut raw: RawGuard, problems: &mut Problems) -> Self {
        let exclusions = std::mem::take(&mut raw.exclude);
        let guard = Guard::new(&raw.check(problems));
        let exclusions = exclusions.0.into_iter().map(|raw| Excluded::check(raw, &guard, problems)).collect();
        Self { guard: Arc::new(guard), exclusions }
    }

    /// Whether there is a rule of this id.
    pub(super) fn has_rule(&self, id: &str) -> bool {
        self.guard.exclusion(&[], &[id]).is_ok()
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        SCAN.with_borrow_mut(|scan| {
            scan.reset();
            let mut found = Vec::new();
            for field in view.fields.all() {
                let before = scan.hits().len();
                self.inspect(&field, view.kind, scan);
                if scan.hits().len() > before {
                    found.push((before, field));
                }
            }
            match scan.is_over(self.guard.threshold()) {
                true => Effect::Violation(hits(scan, &found)),
                false => Effect::Pass,
            }
        })
    }

    fn inspect(&self, field: &Field<'_>, kind: &str, scan: &mut Scan) {
        let mut excluded = Exclusion::default();
        for exclusion in self.exclusions.iter().filter(|exclusion| exclusion.concerns(field, kind)) {
            match &exclusion.what {
                Some(what) => excluded = excluded.with(what),
                None => return,
            }
        }
        if let Some(key) = field.key() {
            self.guard.inspect_except(Part::Key, key.as_bytes(), &excluded, scan);
        }
        match field.show() {
            Shown::Text(text) => self.guard.inspect_except(Part::Value, text.as_bytes(), &excluded, scan),
            Shown::Bytes(bytes) => self.guard.inspect_except(Part::Value, bytes, &excluded, scan),
            _ => {}
        }
    }
}

/// What was found, each with the field it was found in; `found` has the first hit of each field.
fn hits(scan: &Scan, found: &[(usize, Field<'_>)]) -> Vec<Hit> {
    let named = scan.hits().iter().enumerate().map(|(number, hit)| {
        let field = found.iter().rev().find(|(first, _)| *first <= number);
        Hit {
            class: hit.class.label(),
            rule: Some(hit.rule.into()),
            path: field.map_or_else(|| "$".into(), |(_, field)| field.path().into()),
            detail: format!("score {}, {} layers of encoding undone", hit.score, hit.depth).into(),
            excerpt: Some(hit.excerpt().into()),
        }
    });
    named.collect()
}

impl Excluded {
    fn check(raw: RawExclusion, guard: &Guard, problems: &mut Problems) -> Self {
        let ids: Vec<&str> = raw.rules.iter().map(|id| id.as_str()).collect();
        let what = match guard.exclusion(&raw.classes, &ids) {
            _ if raw.classes.is_empty() && ids.is_empty() => None,
            Ok(what) => Some(what),
            Err(unknown) => {
                let place =
                    raw.rules.iter().find(|id| id.value == unknown).map_or(raw.paths.place, |id| id.place);
                let what = format!("the guard has no rule `{unknown}`");
                problems.error(place, what, "docs/reference/guard.md has the ids of all rules");
                None
            }
        };
        let paths = raw.paths.value.0.iter().filter_map(|path| match path.value.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                problems.error(path.place, format!("{error}"), "write it as in `query.sql` or `**.html`");
                None
            }
        });
        Self { paths: paths.collect(), what, kinds: raw.kinds.map(|kinds| Kinds::check(kinds, problems)) }
    }

    fn concerns(&self, field: &Field<'_>, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
            && self.paths.iter().any(|path| path.covers(field))
    }
}

impl std::fmt::Debug for GuardStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardStep").finish_non_exhaustive()
    }
}
