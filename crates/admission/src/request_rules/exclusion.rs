//! What would keep a rule from being asked about a part of requests again: lines for the configuration, for a person to review.
//! Nothing here changes what is refused.

use serde_json::Value;
use wicketgate_config::Exclusion;
use wicketgate_seclang::Exclusions;

use super::RequestRules;

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexcluded {
    /// The rule is not one of the route's.
    #[error(
        "the route's `admission.crs` has no such rule any more, or found no rule but a bound: see `budget` and `max_arguments`"
    )]
    NoRule,
    /// The rule judges the score of others.
    #[error("this rule adds up what others have found: leave out those")]
    Sum,
    /// Where it was found cannot be written down.
    #[error("what it was found in has a name that cannot be written down, or is itself what was found")]
    NoTarget,
}

impl RequestRules {
    /// What would keep a rule from being asked about a variable of the route's requests again.
    ///
    /// # Errors
    /// Why there is nothing to be written.
    pub fn exclusion(
        &self,
        route: &str,
        rule: Option<&str>,
        variable: &str,
    ) -> Result<Exclusion, Unexcluded> {
        let set = &self.0.set;
        let rule = rule.and_then(|rule| rule.parse().ok()).ok_or(Unexcluded::NoRule)?;
        let mask = set.mask(&[rule], &[]).map_err(|_| Unexcluded::NoRule)?;
        let (collection, name) = variable.split_once(':').unwrap_or((variable, ""));
        match collection {
            // What rules keep for one another.
            "TX" | "REQUEST" => return Err(Unexcluded::Sum),
            _ if collection.ends_with("_NAMES") || !name.chars().all(is_ordinary) => {
                return Err(Unexcluded::NoTarget);
            }
            _ => {}
        }
        set.exclude(Some(&mask), variable, &mut Exclusions::default()).map_err(|_| Unexcluded::NoTarget)?;
        let entry = format!("{{rules: [{rule}], targets: [{}]}}", Value::from(variable));
        let text = format!(
            "routes:\n  - name: {}\n    admission:\n      crs:\n        exclude:\n          - {entry}\n",
            Value::from(route)
        );
        let effect =
            format!("The rule {rule} would not be asked about {variable} any more. All others still are.");
        Ok(Exclusion { entry, text, effect, is_broad: name.is_empty() })
    }
}

/// Of these letters a name means itself to whoever reads a target, and no pattern.
const fn is_ordinary(letter: char) -> bool {
    matches!(letter, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' | '[' | ']')
}
