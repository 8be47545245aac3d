//! A set of rules, loaded and compiled.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compile::{self, Compiled, compile};
use crate::forms::Forms;
use crate::gate::Gate;
use crate::load::{self, Directives, Stamp};
use crate::names::{Names, TxName};
use crate::note::{LoadError, Note, Place};
use crate::request::RuleMask;
use crate::rule::{Entry, Rule, Severity};

/// Rules of files, which can be asked about requests. Memory: about 20 MiB for the OWASP Core Rule Set, and for each thread that
/// asks up to 512 KiB for each pattern that was tried, 64 MiB in all.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) phases: [Vec<Entry>; 2],
    pub(crate) gate: Gate,
    pub(crate) forms: Forms,
    pub(crate) names: Names,
    /// Variables that are given, which no rule changes.
    pub(crate) given: Vec<(TxName, Box<[u8]>)>,
    /// Tells it from all others of the process.
    pub(crate) number: u64,
    notes: Vec<Note>,
    stamps: Vec<Stamp>,
}

/// A rule as those see it who are told what it found.
#[derive(Clone, Copy, Debug)]
pub struct RuleInfo<'r> {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub place: &'r Place,
    /// What it finds, in words. It may name variables, as `%{...}`.
    pub message: &'r str,
    /// How bad that is.
    pub severity: Option<Severity>,
    /// Its tags.
    pub tags: &'r [String],
}

/// How much work is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// For any request, in bytes that are looked at.
    pub base: u64,
    /// For each byte of its arguments and body.
    pub per_byte: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { base: 4 << 20, per_byte: 2048 }
    }
}

impl RuleSet {
    /// Loads rules: files, folders or patterns of files, in this order. `given` are variables of the collection TX, in small
    /// letters, that have these values whatever rules set.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is not in the rule language. What is in it and is not supported is in
    /// [`Self::notes`].
    pub fn load(paths: &[PathBuf], given: &[(&str, &str)]) -> Result<Self, LoadError> {
        let mut directives = Directives::default();
        for path in paths {
            load::read(path, &mut directives)?;
        }
        Self::of(directives, given)
    }

    /// Rules that stand in a text; nothing is included.
    ///
    /// # Errors
    /// As with [`Self::load`].
    pub fn parse(text: &str, given: &[(&str, &str)]) -> Result<Self, LoadError> {
        let mut directives = Directives::default();
        load::read_text(compile::unnamed(), text, &mut directives)?;
        Self::of(directives, given)
    }

    fn of(directives: Directives, given: &[(&str, &str)]) -> Result<Self, LoadError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let Compiled { rules, phases, tests, forms, mut names, notes, stamps, .. } = compile(directives)?;
        if rules.is_empty() {
            return Err(LoadError::Empty);
        }
        let gate = Gate::new(tests).map_err(|_| LoadError::TooMuch("there are too many literals"))?;
        let given = given.iter().map(|(name, value)| (names.of(name.as_bytes()), value.as_bytes().into()));
        let given = given.collect();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self { rules, phases, gate, forms, names, given, number, notes, stamps })
    }

    /// What its files say and is not done so.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Whether its files, and the folders they were listed in, are as they were when it was loaded.
    pub fn is_current(&self) -> bool {
        self.stamps.iter().all(Stamp::holds)
    }

    /// How many rules can be asked, chains counted once.
    pub fn len(&self) -> usize {
        self.phases.iter().flatten().filter(|entry| matches!(entry, Entry::Rule(_))).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule of an index.
    pub fn rule(&self, index: usize) -> Option<RuleInfo<'_>> {
        let head = self.rules.get(index)?;
        let links = std::iter::successors(Some(head), |rule| self.rules.get(rule.next?));
        let messages = links.take(self.rules.len()).filter_map(|rule| rule.message.as_deref());
        Some(RuleInfo {
            id: head.id,
            place: &head.place,
            message: messages.last().unwrap_or_default(),
            severity: head.severity,
            tags: &head.tags,
        })
    }

    /// The rules of these numbers and tags.
    ///
    /// # Errors
    /// The number or tag that no rule has.
    pub fn mask(&self, ids: &[u64], tags: &[&str]) -> Result<RuleMask, String> {
        if let Some(id) = ids.iter().find(|id| !self.rules.iter().any(|rule| rule.id == **id)) {
            return Err(id.to_string());
        }
        let has = |tag: &str| self.rules.iter().any(|rule| rule.tags.iter().any(|own| own == tag));
        if let Some(tag) = tags.iter().find(|tag| !has(tag)) {
            return Err((*tag).to_owned());
        }
        Ok(RuleMask(compile::mask(&self.rules, ids, tags)))
    }
}
