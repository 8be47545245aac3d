//! A requirement of somebody else's, and what decides whether a configuration meets it.

use super::finding::Finding;
use super::view::View;

/// One row of a profile.
#[derive(Debug)]
pub struct Requirement {
    /// The name it has where it comes from.
    pub id: &'static str,
    /// What it asks for, in our words.
    pub text: &'static str,
    pub(super) decided: Decided,
}

/// What decides whether it is met.
#[derive(Debug)]
pub(super) enum Decided {
    /// Settings: whatever these find has to hold.
    By(&'static [Check]),
    /// Nothing: the gateway always does it, for this reason.
    Always(&'static str),
    /// Something that is no matter of a gateway's configuration.
    Outside(&'static str),
}

/// Looks at one thing everywhere in a configuration. It finds nothing where there is nothing of the kind.
pub(super) type Check = fn(&View<'_>) -> Vec<Finding>;

impl Requirement {
    pub(super) const fn by(id: &'static str, text: &'static str, checks: &'static [Check]) -> Self {
        Self { id, text, decided: Decided::By(checks) }
    }

    pub(super) const fn always(id: &'static str, text: &'static str, why: &'static str) -> Self {
        Self { id, text, decided: Decided::Always(why) }
    }

    pub(super) const fn outside(id: &'static str, text: &'static str, whose: &'static str) -> Self {
        Self { id, text, decided: Decided::Outside(whose) }
    }
}
