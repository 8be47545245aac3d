//! `crs` as it is written in the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_seclang::RuleMask;
use wicketgate_seclang::config::{self, Written};

use super::{Crs, Excluded};
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

impl Crs {
    /// Loads the rules; what is wrong goes to `problems`.
    pub(crate) fn check(At { value: raw, place }: At<RawCrs>, problems: &mut Problems) -> Option<Self> {
        let written = Written {
            rules: &raw.rules,
            setup: raw.setup.as_ref(),
            paranoia: raw.paranoia.as_ref(),
            threshold: raw.threshold.as_ref(),
        };
        let set = written.load(problems)?;
        let budget = config::budget(raw.budget.as_ref(), 2048, problems);
        let mut nowhere = RuleMask::default();
        let mut excluded = Vec::new();
        for raw in raw.exclude.0 {
            let mask = config::choose(&set, &raw.rules, &raw.tags, problems);
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
        Some(Self::new(set, &nowhere, excluded, budget))
    }
}
