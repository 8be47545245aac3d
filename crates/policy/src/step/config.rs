//! A step as it is written in the configuration.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Place, Problems};

use super::audit::{AuditStep, RawAuditStep};
use super::blocklist::{self, RawBlocklist};
use super::crs::{Crs, RawCrs};
use super::enrich::{self, RawEnrich};
use super::files::{self, RawFiles};
use super::guard::GuardStep;
use super::kinds::{Allow, Deny, Kinds, RawEntry};
use super::limit::{self, RawLimit};
use super::plugin::{Plugin, RawPlugin};
use super::redact::RawRedact;
use super::replay::{self, RawReplay};
use super::schema::{RawSchema, Schema};
use super::then::RawThen;
use super::watermark::{self, RawWatermark};
use super::{Stage, Step, Work, redact};
use crate::condition::Condition;
use crate::finding::Enforcement;
use crate::guard::RawGuard;

/// A step of a policy. It has one of the keys from `allow` on, or, as a rule, `when` alone.
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
    /// A condition in CEL: the step looks only at messages that meet it. A step that is nothing else is a rule: messages that
    /// meet it do not pass. One that cannot be evaluated, for want of a field or because it is of another type, counts as met.
    when: Option<At<String>>,
    /// What happens to a message that does not pass. Default: `close`.
    then: Option<RawThen>,
    /// Only messages of this list pass.
    allow: Option<At<OneOrMany<RawEntry>>>,
    /// Messages of this list do not pass.
    deny: Option<At<OneOrMany<RawEntry>>>,
    /// Values are covered or taken out: by their paths, and by what they look like.
    redact: Option<At<OneOrMany<At<RawRedact>>>>,
    /// Listed words and values do not pass.
    blocklist: Option<At<RawBlocklist>>,
    /// So many messages a second pass.
    limit: Option<At<RawLimit>>,
    /// What came once does not pass again.
    replay: Option<At<RawReplay>>,
    /// Only files of some types and sizes pass, in bytes or in base64.
    files: Option<At<RawFiles>>,
    /// Values are set, added or removed: by whom the message is from, the time, and what it says.
    enrich: Option<At<RawEnrich>>,
    /// Only messages that fit a schema pass.
    schema: Option<At<RawSchema>>,
    /// Messages with payload injection in a text or name do not pass.
    guard: Option<At<RawGuard>>,
    /// Messages that rules of ModSecurity refuse do not pass, such as those of the OWASP Core Rule Set.
    crs: Option<At<RawCrs>>,
    /// Pictures that messages carry are marked with who gets them.
    watermark: Option<At<RawWatermark>>,
    /// A WebAssembly component says what passes.
    plugin: Option<At<RawPlugin>>,
    /// Messages are recorded, whatever becomes of them: an event `message.recorded` each.
    audit: Option<At<RawAuditStep>>,
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
            ("redact", raw.redact.as_ref().map(|at| at.place)),
            ("blocklist", raw.blocklist.as_ref().map(|at| at.place)),
            ("limit", raw.limit.as_ref().map(|at| at.place)),
            ("replay", raw.replay.as_ref().map(|at| at.place)),
            ("files", raw.files.as_ref().map(|at| at.place)),
            ("enrich", raw.enrich.as_ref().map(|at| at.place)),
            ("schema", raw.schema.as_ref().map(|at| at.place)),
            ("guard", raw.guard.as_ref().map(|at| at.place)),
            ("crs", raw.crs.as_ref().map(|at| at.place)),
            ("watermark", raw.watermark.as_ref().map(|at| at.place)),
            ("plugin", raw.plugin.as_ref().map(|at| at.place)),
            ("audit", raw.audit.as_ref().map(|at| at.place)),
        ];
        let what = sole_work(&written, raw.when.as_ref().map(|at| at.place), place, problems)?;
        let name: Arc<str> = match raw.name {
            Some(name) => name.value.as_str().into(),
            None => format!("{what}-{number}").into(),
        };
        let when = match raw.when {
            Some(when) => Some(Condition::check(&when, problems)?),
            None => None,
        };
        let work = if let Some(allow) = raw.allow {
            Work::Allow(Allow::check(allow, problems)?)
        } else if let Some(deny) = raw.deny {
            Work::Deny(Deny::check(deny, problems)?)
        } else if let Some(redact) = raw.redact {
            Work::Redact(redact::check(redact, problems))
        } else if let Some(blocklist) = raw.blocklist {
            Work::Blocklist(blocklist::check(blocklist, problems)?)
        } else if let Some(limit) = raw.limit {
            Work::Limit(limit::check(limit, problems)?)
        } else if let Some(replay) = raw.replay {
            Work::Replay(replay::check(replay, problems)?)
        } else if let Some(files) = raw.files {
            Work::Files(files::check(files, problems)?)
        } else if let Some(enrich) = raw.enrich {
            Work::Enrich(enrich::check(enrich, problems)?)
        } else if let Some(schema) = raw.schema {
            Work::Schema(Schema::check(schema, stage, problems)?)
        } else if let Some(guard) = raw.guard {
            Work::Guard(GuardStep::check(guard.value, problems))
        } else if let Some(crs) = raw.crs {
            Work::Crs(Crs::check(crs, problems)?)
        } else if let Some(watermark) = raw.watermark {
            Work::Watermark(watermark::check(watermark, problems)?)
        } else if let Some(plugin) = raw.plugin {
            Work::Plugin(Plugin::check(plugin, &name, problems)?)
        } else if let Some(audit) = raw.audit {
            Work::Audit(AuditStep::check(audit, problems))
        } else {
            Work::Rule
        };
        if let (Work::Redact(_), Some(_)) = (&work, &raw.then) {
            let what = format!("`then` has nothing to say of `{what}`");
            problems.error(place, what, "take it out: messages go on, changed");
        }
        Some(Step {
            name,
            enforcement: raw.mode.unwrap_or(mode),
            then: raw.then.map(|then| then.check(problems)).unwrap_or_default(),
            only: raw.kinds.map(|kinds| Kinds::check(kinds, problems)),
            when,
            work,
        })
    }
}

/// The one key that says what the step does.
fn sole_work(
    written: &[(&'static str, Option<Place>)],
    when: Option<Place>,
    place: Place,
    problems: &mut Problems,
) -> Option<&'static str> {
    let mut works = written.iter().filter_map(|(key, place)| Some((*key, (*place)?)));
    let first = works.next();
    let Some((key, first)) = first else {
        if when.is_none() {
            let keys: Vec<&str> = written.iter().map(|(key, _)| *key).collect();
            problems.error(
                place,
                "the step does nothing",
                format!("add one of {}, or `when`", keys.join(", ")),
            );
            return None;
        }
        return Some("rule");
    };
    for (other, second) in works {
        let what = format!("the step has `{other}` beside `{key}`");
        problems.clash(second, what, "make two steps of them", (first, "the other one"));
    }
    Some(key)
}
