//! A step as it is written in the configuration.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Place, Problems};

use super::kinds::{Allow, Deny, Kinds, RawEntry};
use super::schema::{RawSchema, Schema};
use super::then::RawThen;
use super::{Stage, Step, Work};
use crate::finding::Enforcement;

/// A step of a policy. It has one of `allow`, `deny` and `schema`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStep {
    /// What findings, metrics and logs call it: letters, digits, `-`, `_` and `.`, at most 64; no two steps of a direction
    /// share one. Where it is left out, it is made of what the step is and its number.
    pub name: Option<At<String>>,
    /// `observe` records what the step finds, and changes nothing. Default: as the policy.
    mode: Option<Enforcement>,
    /// The kinds of message that the step looks at. `*` at the end stands for any rest. Default: all.
    kinds: Option<At<OneOrMany<At<String>>>>,
    /// What happens to a message that does not pass. Default: `close`.
    then: Option<RawThen>,
    /// Only messages of this list pass.
    allow: Option<At<OneOrMany<RawEntry>>>,
    /// Messages of this list do not pass.
    deny: Option<At<OneOrMany<RawEntry>>>,
    /// Only messages that fit a schema pass.
    schema: Option<At<RawSchema>>,
}

impl RawStep {
    /// Checks the values; what is wrong goes to `problems`. `number` counts the steps of a direction from 1.
    pub fn check(
        raw: Item<Self>,
        number: usize,
        mode: Enforcement,
        stage: &Stage<'_>,
        problems: &mut Problems,
    ) -> Option<Step> {
        let (raw, place) = (raw.whole.then_some(raw.value)?, raw.place);
        let written = [
            ("allow", raw.allow.as_ref().map(|at| at.place)),
            ("deny", raw.deny.as_ref().map(|at| at.place)),
            ("schema", raw.schema.as_ref().map(|at| at.place)),
        ];
        let what = sole_work(&written, place, problems)?;
        let name: Arc<str> = match raw.name {
            Some(name) => name.value.as_str().into(),
            None => format!("{what}-{number}").into(),
        };
        let work = match (raw.allow, raw.deny, raw.schema) {
            (Some(allow), ..) => Work::Allow(Allow::check(allow, problems)),
            (_, Some(deny), _) => Work::Deny(Deny::check(deny, problems)),
            (.., Some(schema)) => Work::Schema(Schema::check(schema, stage, problems)?),
            (None, None, None) => return None,
        };
        Some(Step {
            name,
            enforcement: raw.mode.unwrap_or(mode),
            then: raw.then.map(|then| then.check(problems)).unwrap_or_default(),
            only: raw.kinds.map(|kinds| Kinds::check(kinds, problems)),
            work,
        })
    }
}

/// The one key that says what the step does.
fn sole_work(
    written: &[(&'static str, Option<Place>)],
    place: Place,
    problems: &mut Problems,
) -> Option<&'static str> {
    let mut works = written.iter().filter_map(|(key, place)| Some((*key, (*place)?)));
    let first = works.next();
    let Some((key, first)) = first else {
        let keys: Vec<&str> = written.iter().map(|(key, _)| *key).collect();
        problems.error(place, "the step does nothing", format!("add one of {}", keys.join(", ")));
        return None;
    };
    for (other, second) in works {
        let what = format!("the step has `{other}` beside `{key}`");
        problems.clash(second, what, "make two steps of them", (first, "the other one"));
    }
    Some(key)
}
