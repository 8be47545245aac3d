//! `allow` and `deny`: lists of kinds and types of message.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::DataKind;

use super::{Effect, View};
use crate::condition::Condition;
use crate::finding::{Hit, masked};
use crate::message::type_name;

/// Messages of a list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawEntry {
    /// Kinds of message, as the policy's `kind` has them. `*` at the end stands for any rest, as in `room.*`. All kinds
    /// where this is left out.
    kinds: Option<At<OneOrMany<At<String>>>>,
    /// `text` or `binary`. Both where this is left out.
    types: OneOrMany<RawType>,
    /// A condition in CEL that has to be met as well.
    when: Option<At<String>>,
}

/// A type of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawType {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// Kinds of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(Box<[Kind]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Exactly(Box<str>),
    Beginning(Box<str>),
}

/// The most kinds of one list.
const MAX_KINDS: usize = 1_000;

impl Kinds {
    /// Checks a list; what is wrong goes to `problems`.
    pub(crate) fn check(raw: At<OneOrMany<At<String>>>, problems: &mut Problems) -> Self {
        if raw.value.is_empty() || raw.value.len() > MAX_KINDS {
            let what = format!("{} kinds of message are listed", raw.value.len());
            problems.error(raw.place, what, format!("list 1 to {MAX_KINDS}, or leave the key out"));
        }
        let kinds = raw.value.0.into_iter().map(|kind| {
            let (name, any) = match kind.value.strip_suffix('*') {
                Some(name) => (name, true),
                None => (&*kind.value, false),
            };
            if name.contains('*') {
                let what = format!("`{}` has a `*` that is not at its end", kind.value);
                problems.error(kind.place, what, "`*` stands at the end, for any rest: `room.*`");
            }
            if any { Kind::Beginning(name.into()) } else { Kind::Exactly(name.into()) }
        });
        Self(kinds.collect())
    }

    pub(crate) fn contains(&self, kind: &str) -> bool {
        self.0.iter().any(|listed| match listed {
            Kind::Exactly(name) => **name == *kind,
            Kind::Beginning(name) => kind.starts_with(&**name),
        })
    }
}

#[derive(Clone, Debug)]
struct Entry {
    kinds: Option<Kinds>,
    types: Box<[DataKind]>,
    when: Option<Condition>,
}

impl Entry {
    fn check(raw: RawEntry, problems: &mut Problems) -> Option<Self> {
        let types = raw.types.iter().map(|data| match data {
            RawType::Text => DataKind::Text,
            RawType::Binary => DataKind::Binary,
        });
        let types = types.collect();
        let kinds = raw.kinds.map(|kinds| Kinds::check(kinds, problems));
        let when = match raw.when {
            Some(when) => Some(Condition::check(&when, problems)?),
            None => None,
        };
        Some(Self { kinds, types, when })
    }

    /// Whether a message is meant, its condition apart.
    fn lists(&self, view: &View<'_>) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(view.kind))
            && (self.types.is_empty() || self.types.contains(&view.data))
    }
}

/// The entries of an `allow` or `deny`.
#[derive(Clone, Debug)]
struct Entries(Box<[Entry]>);

impl Entries {
    fn check(raw: At<OneOrMany<RawEntry>>, problems: &mut Problems) -> Option<Self> {
        if raw.value.is_empty() {
            problems.error(raw.place, "the list is empty", "say which messages are meant: `{kinds: [chat]}`");
        }
        raw.value.0.into_iter().map(|entry| Entry::check(entry, problems)).collect::<Option<_>>().map(Self)
    }
}

impl Entries {
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter().filter_map(|entry| entry.when.as_ref())
    }
}

/// Only messages of a list pass.
#[derive(Clone, Debug)]
pub(crate) struct Allow(Entries);

/// Messages of a list do not pass.
#[derive(Clone, Debug)]
pub(crate) struct Deny(Entries);

impl Allow {
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.conditions()
    }

    pub(crate) fn check(raw: At<OneOrMany<RawEntry>>, problems: &mut Problems) -> Option<Self> {
        Entries::check(raw, problems).map(Self)
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        // What cannot be evaluated is not met.
        let is_met = |entry: &Entry| entry.when.as_ref().is_none_or(|when| when.is_met(view) == Ok(true));
        let mut listed = self.0.0.iter().filter(|entry| entry.lists(view)).peekable();
        match (listed.peek().is_some(), listed.any(is_met)) {
            (_, true) => Effect::Pass,
            (true, false) => refuse(view, "not_allowed", "its condition is not met"),
            (false, false) => refuse(view, "not_allowed", "it is in no list of what may pass"),
        }
    }
}

impl Deny {
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.conditions()
    }

    pub(crate) fn check(raw: At<OneOrMany<RawEntry>>, problems: &mut Problems) -> Option<Self> {
        Entries::check(raw, problems).map(Self)
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let mut listed = self.0.0.iter().filter(|entry| entry.lists(view));
        // What cannot be evaluated counts as met.
        match listed.any(|entry| entry.when.as_ref().is_none_or(|when| when.is_met(view) != Ok(false))) {
            true => refuse(view, "denied", "it is in a list of what may not pass"),
            false => Effect::Pass,
        }
    }
}

fn refuse(view: &View<'_>, class: &'static str, why: &str) -> Effect {
    let data = type_name(view.data);
    let hit = Hit::whole(class, format!("a {data} message: {why}"));
    Effect::Violation(vec![Hit { excerpt: (!view.kind.is_empty()).then(|| masked(view.kind)), ..hit }])
}
