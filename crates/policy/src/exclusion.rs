//! What would keep a rule from being asked about a field again: lines for the configuration, for a person to review. Nothing here
//! changes what a policy does.

use std::fmt::Write;

use serde_json::Value;
use wicketgate_config::Exclusion;

use crate::fields::Path;
use crate::finding::Finding;
use crate::message::Direction;
use crate::policy::Policy;
use crate::step::Excludes;

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexcluded {
    /// The policy has changed since.
    #[error("the route's policy has no such step any more")]
    NoStep,
    /// The step looks at no rules.
    #[error("this step has no rules to leave out: change what it asks for, or its `kinds`")]
    NoRules,
    /// The rule is not the step's.
    #[error("the step has no such rule any more, or found no rule but a bound: see `depth` and `budget`")]
    NoRule,
    /// The rule judges the score of others.
    #[error("this rule adds up what others have found: leave out those")]
    Sum,
    /// Where it was found cannot be written down.
    #[error("the path is too long to be written down, or a part of it is missing")]
    NoPath,
}

/// A finding, as far as an exclusion needs it.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Which way the message went.
    pub direction: Direction,
    /// The step's name.
    pub step: &'a str,
    /// What was found.
    pub class: &'a str,
    /// The rule.
    pub rule: Option<&'a str>,
    /// Where in the message.
    pub path: &'a str,
}

impl<'a> About<'a> {
    /// That of a finding.
    pub fn of(direction: Direction, finding: &'a Finding) -> Self {
        let Finding { step, class, rule, path, .. } = finding;
        Self { direction, step, class, rule: rule.as_deref(), path }
    }
}

/// The rules that judge a score have this class.
const SUM: &str = "crs";

impl Policy {
    /// What would keep the finding's rule from being asked about its field again, wherever that stands in a list.
    ///
    /// # Errors
    /// Why there is nothing to be written.
    pub fn exclusion(&self, about: About<'_>) -> Result<Exclusion, Unexcluded> {
        let rules = self.rules().ok_or(Unexcluded::NoStep)?;
        let (steps, direction) = match about.direction {
            Direction::ToUpstream => (&rules.to_upstream, "to_upstream"),
            Direction::ToClient => (&rules.to_client, "to_client"),
        };
        let mut steps = steps.iter().flatten().enumerate();
        let (number, step) = steps.find(|(_, step)| *step.name == *about.step).ok_or(Unexcluded::NoStep)?;
        let excludes = step.excludes().ok_or(Unexcluded::NoRules)?;
        let rule = about.rule.filter(|rule| step.has_rule(rule)).ok_or(Unexcluded::NoRule)?;
        let path: Path = about.path.parse().map_err(|_| Unexcluded::NoPath)?;
        let (path, is_whole) = (path.widened(), about.path == "$");
        let (key, entry, is_broad) = match excludes {
            Excludes::Crs if is_whole && about.class == SUM => return Err(Unexcluded::Sum),
            Excludes::Crs if is_whole => ("crs", format!("{{rules: [{rule}]}}"), true),
            Excludes::Crs => ("crs", format!("{{rules: [{rule}], paths: [{}]}}", quoted(&path)), false),
            Excludes::Guard => {
                ("guard", format!("{{paths: [{}], rules: [{rule}]}}", quoted(&path)), is_whole)
            }
        };
        let mut text = String::new();
        // Into a string: nothing can fail.
        let _ = write!(
            text,
            "policies:\n  - name: {}\n    {direction}:\n      # step {}, `{}`\n      - {key}:\n          exclude:\n            - {entry}\n",
            quoted(&rules.name),
            number + 1,
            // A name is a writer's own, and may not leave its line.
            about.step.replace(char::is_control, " ")
        );
        let effect = match is_broad {
            true => format!("The rule {rule} would not be asked about any field of these messages any more."),
            false => {
                format!(
                    "The rule {rule} would not be asked about the field {path} any more. All others still are."
                )
            }
        };
        Ok(Exclusion { entry, text, effect, is_broad })
    }
}

/// A text as YAML takes it, whatever is in it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::message::{DataKind, Message};
    use crate::policy::Session;
    use crate::testing::policy;

    fn found(policy: &Policy, text: &str) -> Vec<Finding> {
        let message = Message { kind: DataKind::Text, payload: text.as_bytes() };
        policy.judge(&mut Session::default(), Direction::ToUpstream, message).findings
    }

    fn with(step: &str) -> Policy {
        policy(&format!(
            "name: p\nformat: json\nmode: observe\nto_upstream: [{{redact: {{paths: [x]}}}}, {{{step}}}]\n"
        ))
    }

    #[test]
    fn what_is_left_out_is_not_found_again_and_all_else_is() {
        let attack = r#"{"items":[{"a b":"ok"},{"a b":"<script>alert(1)</script>"}]}"#;
        let elsewhere = r#"{"other":"<script>alert(1)</script>"}"#;
        let before = with("guard: {}");
        let mut entries: Vec<String> = Vec::new();
        let mut after = before.clone();
        // One rule is enough to find it: when that one is left out, the next may.
        for _ in 0..20 {
            let findings = found(&after, attack);
            entries.extend(
                findings.iter().map(|finding| {
                    before.exclusion(About::of(Direction::ToUpstream, finding)).unwrap().entry
                }),
            );
            after = with(&format!("guard: {{exclude: [{}]}}", entries.join(", ")));
        }
        assert!(entries[0].starts_with(r#"{paths: ["items[*][\"a b\"]"], rules: ["#), "{entries:?}");
        assert_eq!(found(&after, attack), []);
        let other = r#"{"items":[{"a b":"' OR 1=1 --"}]}"#;
        assert!(!found(&after, other).is_empty(), "other rules are asked there");
        assert_eq!(found(&after, elsewhere).len(), found(&before, elsewhere).len());
    }

    #[test]
    fn the_lines_stand_where_they_belong() {
        let policy = with("guard: {}");
        let about = About {
            direction: Direction::ToUpstream,
            step: "guard-2",
            class: "xss",
            rule: Some("xss-script-tag"),
            path: "a",
        };
        let rule = found(&policy, r#"{"a":"<script>alert(1)</script>"}"#)[0].rule.clone().unwrap();
        let exclusion = policy.exclusion(About { rule: Some(&rule), ..about }).unwrap();
        let expected = format!(
            "policies:\n  - name: \"p\"\n    to_upstream:\n      # step 2, `guard-2`\n      - guard:\n          exclude:\n            \
             - {{paths: [\"a\"], rules: [{rule}]}}\n"
        );
        assert_eq!((exclusion.text, exclusion.is_broad), (expected, false));
        let why = |about| policy.exclusion(about).unwrap_err();
        assert_eq!(why(About { step: "guard-7", ..about }), Unexcluded::NoStep);
        assert_eq!(why(About { direction: Direction::ToClient, ..about }), Unexcluded::NoStep);
        assert_eq!(why(About { step: "redact-1", ..about }), Unexcluded::NoRules);
        assert_eq!(why(About { rule: None, ..about }), Unexcluded::NoRule);
        assert_eq!(why(About { rule: Some("no-such"), ..about }), Unexcluded::NoRule);
        assert_eq!(why(About { rule: Some(&rule), path: "a[", ..about }), Unexcluded::NoPath);
        assert_eq!(Policy::trivial().exclusion(about).unwrap_err(), Unexcluded::NoStep);
    }
}
