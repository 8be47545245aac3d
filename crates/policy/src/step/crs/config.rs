//! `crs` as it is written in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Place, Problems};
use wicketgate_seclang::{Budget, Effect, RuleMask, RuleSet};

use super::{Crs, Excluded, library};
use crate::fields::Path;

/// Rules in ModSecurity's language, such as the OWASP Core Rule Set, asked about each message as about the body of a request:
/// texts are `ARGS` under the paths of their fields, names of fields are `ARGS_NAMES`, the whole message is `REQUEST_BODY`. The
/// request's head is an ordinary one, the same for all messages. A message does not pass where a rule refuses it; the Core Rule
/// Set does where its score is at the threshold. Steps that name the same files share them. Memory: about 20 MiB for the Core
/// Rule Set, and on each thread up to 512 KiB for a pattern that was tried; while a message is judged, up to about 40 times its texts
/// in the forms that rules ask for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCrs {
    /// Files of rules, folders, whose files that end in `.conf` are taken, or patterns such as `rules/*.conf`; in this order. A
    /// relative path starts at the working directory.
    rules: At<OneOrMany<PathBuf>>,
    /// A file that is read before them: `crs-setup.conf` of the Core Rule Set.
    #[serde(default)]
    setup: Option<At<PathBuf>>,
    /// The Core Rule Set's paranoia level, 1 to 4, whatever the setup says. Default: what it says, or else 1.
    #[serde(default)]
    paranoia: Option<At<u32>>,
    /// The anomaly score from which on a message is refused, 1 to 10000, whatever the setup says. Default: what it says, or else 5.
    #[serde(default)]
    threshold: Option<At<u32>>,
    /// Bytes that may be looked at for each byte of a message, all forms and rules together, 64 to 65536. A message that wants
    /// more does not pass. Default: 2048. The first 4 MiB of work are free.
    #[serde(default)]
    budget: Option<At<u32>>,
    /// Rules that are not asked, or not in some fields. Default: none.
    #[serde(default)]
    exclude: OneOrMany<RawExcluded>,
}

/// Rules that are not asked. Without `paths` they are not asked at all; without `rules` and `tags` those fields are no `ARGS`.
/// What looks at `REQUEST_BODY` sees all fields.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawExcluded {
    /// Rules by their numbers.
    rules: OneOrMany<At<u64>>,
    /// Rules by a tag, such as `attack-sqli`.
    tags: OneOrMany<At<String>>,
    /// The fields, with all that is in them: `query.sql`, `**.html`.
    paths: Option<At<OneOrMany<At<String>>>>,
}

/// The most paths of one exclusion.
const MAX_PATHS: usize = 200;
/// So many rules that are not asked are listed.
const MAX_LISTED: usize = 50;

impl Crs {
    /// Loads the rules; what is wrong goes to `problems`.
    pub(crate) fn check(At { value: raw, place }: At<RawCrs>, problems: &mut Problems) -> Option<Self> {
        let set = load(&raw, problems)?;
        tell(&set, raw.rules.place, problems);
        let per_byte = raw.budget.map_or(2048, |budget| problems.in_range("budget", &budget, 64..=65_536));
        let mut nowhere = RuleMask::default();
        let mut excluded = Vec::new();
        for raw in raw.exclude.0 {
            let mask = raw.mask(&set, problems);
            let chooses = !raw.rules.is_empty() || !raw.tags.is_empty();
            match raw.paths {
                None if chooses => nowhere = mask.or(&nowhere),
                None => problems.error(
                    place,
                    "an exclusion says neither rules nor fields",
                    "add `rules:`, `tags:` or `paths:`",
                ),
                Some(paths) => {
                    let paths = Path::check_list(paths, MAX_PATHS, problems);
                    excluded.push(Excluded { paths, rules: chooses.then_some(mask) });
                }
            }
        }
        Some(Self::new(set, &nowhere, excluded, Budget { per_byte: per_byte.into(), ..Budget::default() }))
    }
}

fn load(raw: &RawCrs, problems: &mut Problems) -> Option<Arc<RuleSet>> {
    let mut given = Vec::new();
    if let Some(level) = &raw.paranoia {
        let level = problems.in_range("paranoia", level, 1..=4).to_string();
        // The names of version 3, then those of version 4.
        for name in [
            "paranoia_level",
            "executing_paranoia_level",
            "blocking_paranoia_level",
            "detection_paranoia_level",
        ] {
            given.push((name, level.clone()));
        }
    }
    if let Some(threshold) = &raw.threshold {
        let threshold = problems.in_range("threshold", threshold, 1..=10_000);
        given.push(("inbound_anomaly_score_threshold", threshold.to_string()));
    }
    let files: Vec<PathBuf> =
        raw.setup.iter().map(|setup| setup.value.clone()).chain(raw.rules.value.0.iter().cloned()).collect();
    let told = |error: wicketgate_seclang::LoadError| {
        problems.error(
            raw.rules.place,
            format!("the rules cannot be used: {error}"),
            "give files in ModSecurity's rule language, or a folder of files that end in `.conf`",
        );
    };
    library::load(files, given).map_err(told).ok()
}

/// Tells which rules are not asked.
fn tell(set: &RuleSet, place: Place, problems: &mut Problems) {
    let left: Vec<String> =
        set.notes().iter().filter(|note| note.effect == Effect::Left).map(ToString::to_string).collect();
    let others = set.notes().iter().filter(|note| matches!(note.effect, Effect::Without | Effect::Wider));
    let others: Vec<String> = others.map(ToString::to_string).collect();
    if left.is_empty() && others.is_empty() {
        return;
    }
    let what = format!(
        "{} rules are asked; {} cannot be, and {} things that rules say are not done",
        set.len(),
        left.len(),
        others.len()
    );
    let mut listed: Vec<String> = left.into_iter().chain(others).collect();
    let more = listed.len().saturating_sub(MAX_LISTED);
    listed.truncate(MAX_LISTED);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    problems.note(place, what, listed.join("\n"));
}

impl RawExcluded {
    fn mask(&self, set: &RuleSet, problems: &mut Problems) -> RuleMask {
        let mut all = RuleMask::default();
        for id in self.rules.iter() {
            match set.mask(&[id.value], &[]) {
                Ok(mask) => all = mask.or(&all),
                Err(unknown) => problems.error(
                    id.place,
                    format!("no rule has the number {unknown}"),
                    "leave it out, or name a rule of these files",
                ),
            }
        }
        for tag in self.tags.iter() {
            match set.mask(&[], &[&tag.value]) {
                Ok(mask) => all = mask.or(&all),
                Err(unknown) => problems.error(
                    tag.place,
                    format!("no rule has the tag `{unknown}`"),
                    "write a tag as the rules do, such as `attack-sqli`",
                ),
            }
        }
        all
    }
}
