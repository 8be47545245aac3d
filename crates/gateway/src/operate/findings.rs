//! A finding, and what would keep it from being found again: lines for the configuration, which nobody but a person puts there.

use schemars::JsonSchema;
use serde::Serialize;
use wicketgate_config as config;
use wicketgate_policy::{About, Direction};

use crate::gateway::{Route, Shared, Target};
use crate::observe::{Found, IN_REQUESTS};

/// Lines for the configuration, to be reviewed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Exclusion {
    /// The lines, under the names of their policy and step.
    pub text: String,
    /// What they would do, in a sentence.
    pub effect: String,
    /// Whether the rule would not be asked about any field, or any value of its kind, any more.
    pub broad: bool,
}

/// The finding of this number, while it is kept.
pub fn one(shared: &Shared, number: u64) -> Option<Found> {
    shared.findings.latest(1, |found| found.number == number).pop()
}

/// What would keep a finding from being found again, by what its route is now.
///
/// # Errors
/// Why there is nothing to be written.
pub fn exclusion(shared: &Shared, found: &Found) -> Result<Exclusion, String> {
    let snapshot = shared.snapshot();
    let route = snapshot.route(&found.route).ok_or("the route is not there any more")?;
    let exclusion = match &*found.step {
        IN_REQUESTS => in_requests(route, found),
        _ => in_messages(route, found),
    }?;
    Ok(Exclusion { text: exclusion.text, effect: exclusion.effect, broad: exclusion.is_broad })
}

fn in_requests(route: &Route, found: &Found) -> Result<config::Exclusion, String> {
    let rules = route.guard.request_rules().ok_or("the route asks no rules about requests any more")?;
    let exclusion = rules.exclusion(&found.route, found.rule.as_deref(), &found.path);
    exclusion.map_err(|why| why.to_string())
}

fn in_messages(route: &Route, found: &Found) -> Result<config::Exclusion, String> {
    let Target::Proxy(proxy) = &route.target else {
        return Err("the route leads to no upstream any more".into());
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
    proxy.policy.exclusion(about).map_err(|why| why.to_string())
}
