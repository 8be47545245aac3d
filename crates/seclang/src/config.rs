//! Rules in a configuration: which files, at which level, and which of them are meant.

use std::path::PathBuf;
use std::sync::Arc;

use wicketgate_config::{At, OneOrMany, Place, Problems};

use crate::note::{Effect, LoadError};
use crate::request::RuleMask;
use crate::set::{Budget, RuleSet};

/// What a set of rules is made of, as keys of the configuration say it.
#[derive(Clone, Copy, Debug)]
pub struct Written<'r> {
    /// Files, folders or patterns, in this order.
    pub rules: &'r At<OneOrMany<PathBuf>>,
    /// A file that is read before them.
    pub setup: Option<&'r At<PathBuf>>,
    /// The Core Rule Set's paranoia level.
    pub paranoia: Option<&'r At<u32>>,
    /// The anomaly score from which on it refuses.
    pub threshold: Option<&'r At<u32>>,
}

/// So many rules that are not asked are listed.
const MAX_LISTED: usize = 50;

impl Written<'_> {
    /// Loads the rules, and tells what of them is not done; what is wrong goes to `problems`.
    pub fn load(self, problems: &mut Problems) -> Option<Arc<RuleSet>> {
        let mut given = Vec::new();
        if let Some(level) = self.paranoia {
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
        if let Some(threshold) = self.threshold {
            let threshold = problems.in_range("threshold", threshold, 1..=10_000);
            given.push(("inbound_anomaly_score_threshold", threshold.to_string()));
        }
        let setup = self.setup.iter().map(|setup| setup.value.clone());
        let files: Vec<PathBuf> = setup.chain(self.rules.value.0.iter().cloned()).collect();
        let told = |error: LoadError| {
            problems.error(
                self.rules.place,
                format!("the rules cannot be used: {error}"),
                "give files in ModSecurity's rule language, or a folder of files that end in `.conf`",
            );
        };
        let set = RuleSet::shared(files, given).map_err(told).ok()?;
        tell(&set, self.rules.place, problems);
        Some(set)
    }
}

/// The work that a key `budget` allows; `default` where it is left out.
pub fn budget(raw: Option<&At<u32>>, default: u32, problems: &mut Problems) -> Budget {
    let per_byte = raw.map_or(default, |budget| problems.in_range("budget", budget, 64..=65_536));
    Budget { per_byte: per_byte.into(), ..Budget::default() }
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

/// The rules of these numbers and tags; what no rule has goes to `problems`.
pub fn choose(
    set: &RuleSet,
    rules: &OneOrMany<At<u64>>,
    tags: &OneOrMany<At<String>>,
    problems: &mut Problems,
) -> RuleMask {
    let mut all = RuleMask::default();
    for id in rules.iter() {
        match set.mask(&[id.value], &[]) {
            Ok(mask) => all = mask.or(&all),
            Err(unknown) => problems.error(
                id.place,
                format!("no rule has the number {unknown}"),
                "leave it out, or name a rule of these files",
            ),
        }
    }
    for tag in tags.iter() {
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
