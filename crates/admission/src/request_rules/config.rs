//! `crs` of a route's admission, as it is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Enforcement, OneOrMany, Problems};
use wicketgate_seclang::Exclusions;
use wicketgate_seclang::config::{self, Written};

use super::RequestRules;

/// Rules in ModSecurity's language, such as the OWASP Core Rule Set, asked about each request of the route, handshakes and plain
/// HTTP: method, path, arguments of the query, headers, cookies, protocol and the client's address. Bodies are not looked at. A
/// request that a rule refuses is answered 403; the Core Rule Set does so where its score is at the threshold. They are asked
/// behind networks, TLS, limits of the address and `origin`, and before `authentication`. Routes and policies that name the same files
/// share them. Memory: about 20 MiB for the Core Rule Set, and on each thread up to 512 KiB for a pattern that was tried; while a
/// request is judged, up to about 40 times its head in the forms that rules ask for, and 1 KiB for each argument.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequestRules {
    /// `observe`: what is found is counted and recorded, and no request is refused. Default: `enforce`.
    #[serde(default)]
    mode: Enforcement,
    /// Files of rules, folders, whose files that end in `.conf` are taken, or patterns such as `rules/*.conf`; in this order. A
    /// relative path starts at the working directory.
    rules: At<OneOrMany<PathBuf>>,
    /// A file that is read before them: `crs-setup.conf` of the Core Rule Set.
    #[serde(default)]
    setup: Option<At<PathBuf>>,
    /// The Core Rule Set's paranoia level, 1 to 4, whatever the setup says. Default: what it says, or else 1.
    #[serde(default)]
    paranoia: Option<At<u32>>,
    /// The anomaly score from which on a request is refused, 1 to 10000, whatever the setup says. Default: what it says, or else 5.
    #[serde(default)]
    threshold: Option<At<u32>>,
    /// Bytes that may be looked at for each byte of a request's head, all forms and rules together, 64 to 65536. A request that
    /// wants more is answered 403. Default: 1024. The first 4 MiB of work are free.
    #[serde(default)]
    budget: Option<At<u32>>,
    /// The most arguments of the query and cookies, together, 1 to 10000. A request with more is answered 403. Default: 500.
    #[serde(default)]
    max_arguments: Option<At<u32>>,
    /// Rules that are not asked, or not about some values. Default: none.
    #[serde(default)]
    exclude: OneOrMany<RawUnasked>,
}

/// Rules that are not asked. Without `targets` they are not asked at all; without `rules` and `tags` no rule looks at those values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawUnasked {
    /// Rules by their numbers.
    rules: OneOrMany<At<u64>>,
    /// Rules by a tag, such as `attack-sqli`.
    tags: OneOrMany<At<String>>,
    /// The values, as rules name them: `ARGS:token`, `REQUEST_COOKIES:session`, `REQUEST_HEADERS:/^x-/`; at most 200.
    targets: OneOrMany<At<String>>,
}

/// The most values of one exclusion.
const MAX_TARGETS: usize = 200;

impl RawRequestRules {
    /// Loads the rules; what is wrong goes to `problems`.
    pub fn check(At { value: raw, place }: At<Self>, problems: &mut Problems) -> Option<RequestRules> {
        let written = Written {
            rules: &raw.rules,
            setup: raw.setup.as_ref(),
            paranoia: raw.paranoia.as_ref(),
            threshold: raw.threshold.as_ref(),
        };
        let set = written.load(problems)?;
        let budget = config::budget(raw.budget.as_ref(), 1024, problems);
        let most =
            raw.max_arguments.map_or(500, |most| problems.in_range("max_arguments", &most, 1..=10_000));
        let mut without = Exclusions::default();
        for raw in raw.exclude.0 {
            let mask = config::choose(&set, &raw.rules, &raw.tags, problems);
            let chooses = !raw.rules.is_empty() || !raw.tags.is_empty();
            match raw.targets.0.as_slice() {
                [] if chooses => without.nowhere(&mask),
                [] => problems.error(
                    place,
                    "an exclusion says neither rules nor values",
                    "add `rules:`, `tags:` or `targets:`",
                ),
                targets => {
                    if let Some(first_beyond) = targets.get(MAX_TARGETS) {
                        let what = format!("an exclusion has more than {MAX_TARGETS} values");
                        problems.error(
                            first_beyond.place,
                            what,
                            "name them by a pattern, as in `ARGS:/^x_/`",
                        );
                    }
                    for target in targets {
                        let excluded = set.exclude(chooses.then_some(&mask), &target.value, &mut without);
                        if let Err(why) = excluded {
                            problems.error(target.place, why, "write it as rules do, such as `ARGS:token`");
                        }
                    }
                }
            }
        }
        Some(RequestRules::new(set, without, most as usize, budget, raw.mode))
    }
}
