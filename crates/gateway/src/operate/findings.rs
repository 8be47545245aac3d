//! A finding, and what would keep it from being found again: lines for the configuration, which nobody but a person puts there.

use schemars::JsonSchema;
use serde::Serialize;
use wicketgate_policy::{About, Direction};

use crate::gateway::{Shared, Target};
use crate::observe::Found;

/// Lines for the configuration, to be reviewed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Exclusion {
    /// The lines, under the names of their policy and step.
    pub text: String,
    /// What they would do, in a sentence.
    pub effect: String,
    /// Whether the rule would not be asked about any field any more.
    pub broad: bool,
}

/// The finding of this number, while it is kept.
pub fn one(shared: &Shared, number: u64) -> Option<Found> {
    shared.findings.latest(1, |found| found.number == number).pop()
}

/// What would keep a finding from being found again, by the policy that its route has now.
///
/// # Errors
/// Why there is nothing to be written.
pub fn exclusion(shared: &Shared, found: &Found) -> Result<Exclusion, String> {
    let snapshot = shared.snapshot();
    let Some(Target::Proxy(proxy)) = snapshot.route(&found.route).map(|route| &route.target) else {
        return Err("the route is not there any more".into());
    };
    let both = [Direction::ToUpstream, Direction::ToClient];
    let direction = both.into_iter().find(|direction| direction.label() == found.direction);
    let about = About {
        direction: direction.ok_or("the finding is of no direction")?,
        step: &found.step,
        class: found.class,
        rule: found.rule.as_deref(),
        path: &found.path,
    };
    let exclusion = proxy.policy.exclusion(about).map_err(|why| why.to_string())?;
    Ok(Exclusion { text: exclusion.text, effect: exclusion.effect, broad: exclusion.is_broad })
}
