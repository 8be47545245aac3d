//! The guard: payload injection, found in the texts and keys of messages, however it is encoded.
//!
//! A text is read layer by layer: as it came, then with one layer of encoding undone, until nothing changes, and last what
//! base64 hides in it. Each layer is read in normal forms: as text, and as SQL, a shell or a script engine would
//! read it where that differs. One automaton of literals says which rules are worth a look at all, and only those look. The
//! rules are data, in `rules/`.

mod automaton;
mod catalog;
mod class;
mod decode;
mod entity;
mod fold;
mod form;
pub mod fuzz;
mod libinjection;
mod nested;
mod reference;
mod rule;
mod rule_set;
mod scan;
mod settings;
mod summary;
#[cfg(test)]
mod tests;

use catalog::{CATALOG, Catalog};
pub use class::{Class, Classes};
use form::Form;
pub use reference::reference;
use rule_set::RuleSet;
pub use scan::{Hit, Scan};
pub use settings::{RawExclusion, RawGuard, Sensitivity, Settings};
use summary::{Summary, set};

/// Looks for attacks in the texts and keys of messages. It never changes and can be shared.
pub struct Guard {
    catalog: &'static Catalog,
    settings: Settings,
    /// The rules that are on: for texts and for keys, in each form.
    texts: Asked,
    keys: Asked,
}

/// The rules that are asked about one part of a message.
struct Asked {
    text: RuleSet,
    others: [RuleSet; Form::OTHERS.len()],
}

/// What of a message a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name of a field. It can be an attack by itself, such as `$where`.
    Key,
    /// The value of a field, or the whole of a message.
    Value,
}

/// Rules that are not asked about some fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exclusion(RuleSet);

impl Exclusion {
    /// What either of them excludes.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self(self.0.with(&other.0))
    }
}

/// Characters that one more layer of encoding needs.
const ENCODED: Summary = set(b"%\\&\0\xff");

impl Guard {
    /// A guard with these settings. The first one compiles the rules, which takes a moment.
    pub fn new(settings: &Settings) -> Self {
        let catalog = &*CATALOG;
        Self {
            catalog,
            settings: *settings,
            texts: Asked::new(catalog, settings, false),
            keys: Asked::new(catalog, settings, true),
        }
    }

    /// The exclusion of some classes and of some rules by their ids. An id that no rule has is the error.
    ///
    /// # Errors
    /// The first id that no rule has.
    pub fn exclusion<'a>(&self, classes: &[Class], ids: &[&'a str]) -> Result<Exclusion, &'a str> {
        let mut excluded = RuleSet::default();
        for (index, rule) in self.catalog.rules().iter().enumerate() {
            if classes.contains(&rule.class) || ids.contains(&rule.id.as_str()) {
                excluded.insert(index);
            }
        }
        let unknown = ids.iter().find(|id| self.catalog.rules().iter().all(|rule| rule.id != **id));
        unknown.map_or(Ok(Exclusion(excluded)), |id| Err(id))
    }

    /// The score at which a text is an attack.
    pub const fn threshold(&self) -> u32 {
        self.settings.threshold
    }

    /// Looks for attacks in one text of a message; what it finds is added to `scan`.
    pub fn inspect(&self, part: Part, text: &[u8], scan: &mut Scan) {
        self.inspect_except(part, text, &Exclusion::default(), scan);
    }

    /// Like [`Self::inspect`], without some rules. What takes too long to look at is found all the same.
    pub fn inspect_except(&self, part: Part, text: &[u8], excluded: &Exclusion, scan: &mut Scan) {
        if text.is_empty() {
            return;
        }
        scan.begin(text.len(), self.settings.budget, excluded.0);
        if self.catalog.is_broken() {
            return scan.note("broken", Class::Evasion, self.settings.threshold, text, 0);
        }
        let asked = match part {
            Part::Key => &self.keys,
            Part::Value => &self.texts,
        };
        let [mut current, mut next] = std::mem::take(&mut scan.layers);
        loop {
            let layer = if scan.leaf.depth == 0 { text } else { &current };
            let summary = Summary::of(layer);
            self.layer(asked, layer, summary, scan);
            if scan.leaf.done || !self.peel(layer, summary, &mut next, scan) {
                break;
            }
            if scan.leaf.depth == self.settings.depth {
                if self.settings.classes.contains(Class::Evasion) {
                    scan.note("nesting", Class::Evasion, self.settings.threshold, layer, 0);
                }
                break;
            }
            scan.leaf.depth += 1;
            std::mem::swap(&mut current, &mut next);
        }
        scan.layers = [current, next];
    }

    /// Undoes one more layer of encoding into `next`, if there is one.
    fn peel(&self, layer: &[u8], summary: Summary, next: &mut Vec<u8>, scan: &mut Scan) -> bool {
        if !self.may_look(layer, scan) {
            return false;
        }
        summary.has_any(ENCODED) && decode::layer(layer, next) || nested::base64(layer, next)
    }

    /// Reads one layer in all its forms.
    fn layer(&self, asked: &Asked, layer: &[u8], summary: Summary, scan: &mut Scan) {
        let [mut collapsed, mut other, mut spaced] = std::mem::take(&mut scan.forms);
        let text = match Form::Text.applies(summary) || memchr::memmem::find(layer, b"  ").is_some() {
            true => {
                Form::Text.write(layer, &mut collapsed);
                &collapsed
            }
            false => layer,
        };
        self.forms(asked, text, summary, &mut other, scan);
        // A form's plus is a space. In a text that has spaces of its own, it is a plus.
        let is_form = || summary.has_any(set(b"%")) || !layer.contains(&b' ');
        if !scan.leaf.done && summary.has_any(set(b"+")) && is_form() {
            spaced.clear();
            spaced.extend(text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }));
            self.forms(asked, &spaced, summary, &mut other, scan);
        }
        scan.forms = [collapsed, other, spaced];
    }

    fn forms(&self, asked: &Asked, text: &[u8], summary: Summary, other: &mut Vec<u8>, scan: &mut Scan) {
        self.look(&asked.text, text, summary, scan);
        for (form, rules) in Form::OTHERS.iter().zip(&asked.others) {
            if !scan.leaf.done && form.applies(summary) {
                form.write(text, other);
                if *other != text {
                    self.look(rules, other, summary, scan);
                }
            }
        }
    }

    /// Lets these rules look at a text, as far as its literals and characters make them likely.
    fn look(&self, asked: &RuleSet, text: &[u8], summary: Summary, scan: &mut Scan) {
        if !self.may_look(text, scan) {
            return;
        }
        self.catalog.candidates(text, &mut scan.candidates);
        let likely = scan.candidates.rules.and(asked).without(&scan.leaf.seen);
        for index in likely.iter() {
            let Some(rule) = self.catalog.rule(index).filter(|rule| rule.is_possible(text.len(), summary))
            else {
                continue;
            };
            let window = scan.candidates.window(index, text.len());
            if !self.may_work(window.len(), text, scan) {
                return;
            }
            let Some(end) = rule.find(index, &mut scan.states, text, window) else { continue };
            if let Some(confirm) = rule.confirm {
                if !self.may_work(confirm.work(text.len()), text, scan) {
                    return;
                }
                if !confirm.agrees(text) {
                    continue;
                }
            }
            scan.found(index, rule, text, end);
            if scan.leaf.score >= self.settings.threshold {
                scan.leaf.done = true;
                return;
            }
        }
    }

    /// Takes the work of looking at `text` once from the budget.
    fn may_look(&self, text: &[u8], scan: &mut Scan) -> bool {
        self.may_work(text.len(), text, scan)
    }

    /// Takes work on `text` from the budget. What there is no budget for is a finding.
    fn may_work(&self, bytes: usize, text: &[u8], scan: &mut Scan) -> bool {
        if scan.leaf.done {
            return false;
        }
        if !scan.spend(bytes) {
            scan.leaf.done = true;
            scan.note("budget", Class::Evasion, self.settings.threshold, text, 0);
        }
        !scan.leaf.done
    }
}

impl Asked {
    fn new(catalog: &Catalog, settings: &Settings, is_key: bool) -> Self {
        let of_form = |form| {
            let mut rules = RuleSet::default();
            for (index, rule) in catalog.rules().iter().enumerate() {
                let is_on = settings.classes.contains(rule.class) && rule.from <= settings.sensitivity;
                if is_on && rule.reads(is_key) && rule.reads_form(form) {
                    rules.insert(index);
                }
            }
            rules
        };
        Self { text: of_form(Form::Text), others: Form::OTHERS.map(of_form) }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("hits", &self.hits())
            .field("score", &self.score())
            .finish_non_exhaustive()
    }
}
