//! `crs`: rules in ModSecurity's language, such as the OWASP Core Rule Set, asked about messages.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use config::RawCrs;
use wicketgate_seclang::{
    Argument, Baseline, Budget, End, Found, Outcome, Part, Request, RuleMask, RuleSet, Scratch, Source,
};

use super::{Effect, View};
use crate::fields::{Field, Path, Shown};
use crate::finding::{Hit, masked};

/// Asks rules about messages.
#[derive(Clone, Debug)]
pub(crate) struct Crs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    set: Arc<RuleSet>,
    baseline: Baseline,
    excluded: Vec<Excluded>,
    budget: Budget,
}

/// Fields that some rules do not look at.
#[derive(Debug)]
struct Excluded {
    paths: Box<[Path]>,
    /// None where no rule does.
    rules: Option<RuleMask>,
}

/// A field as rules see it.
struct Seen<'m> {
    path: String,
    key: Option<&'m [u8]>,
    value: Option<&'m [u8]>,
    without: Option<RuleMask>,
}

/// The head of the request that a message is taken for: nothing in it is remarkable.
const HEADERS: &[(&[u8], &[u8])] = &[
    (b"Host", b"localhost"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"Accept", b"*/*"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"100"),
];

impl Crs {
    fn new(set: Arc<RuleSet>, nowhere: &RuleMask, excluded: Vec<Excluded>, budget: Budget) -> Self {
        let baseline = Scratch::of_thread(|scratch| set.baseline(&request(&[], b""), Some(nowhere), scratch));
        Self(Arc::new(Inner { set, baseline, excluded, budget }))
    }

    /// Whether there is a rule of this number.
    pub(super) fn has_rule(&self, number: &str) -> bool {
        number.parse().is_ok_and(|number| self.0.set.mask(&[number], &[]).is_ok())
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let inner = &*self.0;
        let seen: Vec<Seen<'_>> = view.fields.all().filter_map(|field| inner.see(&field)).collect();
        let arguments: Vec<Argument<'_>> = seen.iter().map(Seen::argument).collect();
        let request = request(&arguments, view.fields.payload());
        let outcome =
            Scratch::of_thread(|scratch| inner.set.judge(&inner.baseline, &request, inner.budget, scratch));
        inner.effect(&outcome, &seen)
    }
}

impl Inner {
    /// A field, where rules look at it.
    fn see<'m>(&self, field: &Field<'m>) -> Option<Seen<'m>> {
        let key = field.key().map(str::as_bytes);
        let value = match field.show() {
            Shown::Text(text) => Some(text.as_bytes()),
            Shown::Bytes(bytes) => Some(bytes),
            _ => None,
        };
        if key.is_none() && value.is_none() {
            return None;
        }
        let mut without: Option<RuleMask> = None;
        let concerns = |excluded: &&Excluded| excluded.paths.iter().any(|path| path.covers(field));
        for excluded in self.excluded.iter().filter(concerns) {
            let rules = excluded.rules.as_ref()?;
            without = Some(without.map_or_else(|| rules.clone(), |mask| mask.or(rules)));
        }
        Some(Seen { path: field.path(), key, value, without })
    }

    fn effect(&self, outcome: &Outcome, seen: &[Seen<'_>]) -> Effect {
        let last = match outcome.end {
            End::Passed => return Effect::Pass,
            End::OverBudget => Hit::whole("budget", "its rules want more work than `budget` allows"),
            End::Refused(rule) => self.hit(rule, "$", None),
        };
        let mut hits: Vec<Hit> = outcome.found.iter().map(|found| self.found(found, seen)).collect();
        if hits.last().is_none_or(|hit| hit.rule != last.rule) {
            hits.push(last);
        }
        Effect::Violation(hits)
    }

    fn found(&self, found: &Found, seen: &[Seen<'_>]) -> Hit {
        let (field, excerpt) = match found.source {
            Source::Value(at) | Source::Key(at) => (seen.get(at), Some(&*found.excerpt)),
            Source::Other("REQUEST_BODY") => (None, Some(&*found.excerpt)),
            Source::Other(_) => (None, None),
        };
        self.hit(found.rule, field.map_or("$", |field| &field.path), excerpt)
    }

    fn hit(&self, index: usize, path: &str, excerpt: Option<&[u8]>) -> Hit {
        let excerpt = excerpt.map(|excerpt| masked(&String::from_utf8_lossy(excerpt)));
        let Some(rule) = self.set.rule(index) else { return Hit::whole("crs", "a rule refused it") };
        Hit {
            class: rule.class(),
            rule: Some(rule.id.to_string().into()),
            path: path.into(),
            detail: rule.detail().into(),
            excerpt,
        }
    }
}

impl Seen<'_> {
    fn argument(&self) -> Argument<'_> {
        Argument {
            name: self.path.as_bytes(),
            value: self.value,
            key: self.key,
            part: Part::Body,
            without: self.without.as_ref(),
        }
    }
}

fn request<'m>(arguments: &'m [Argument<'m>], body: &'m [u8]) -> Request<'m> {
    Request {
        method: b"POST",
        uri: b"/",
        protocol: b"HTTP/1.1",
        headers: HEADERS,
        arguments,
        body,
        processor: b"JSON",
        ..Request::default()
    }
}
