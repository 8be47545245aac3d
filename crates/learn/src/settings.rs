//! What whoever learns may choose.

use wicketgate_policy::fields::Path;

/// How a policy is made of what was seen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy's name.
    pub name: String,
    /// The format, as it stands behind `format:` in a policy. Without it, it is found by the subprotocol and by trying.
    pub format: Option<String>,
    /// The path of the field that says of what kind a message is. Without it, it is looked for.
    pub kind: Option<String>,
    /// How often something has to be seen before its absence, or anything else in its place, is refused.
    pub min_count: u64,
    /// By how much sizes, numbers and rates may exceed the largest that were seen: a factor, 1 and above.
    pub headroom: f64,
    /// Whether the policy only records what it finds: to see on real traffic what it would refuse.
    pub observes: bool,
    /// Fields beside those whose names tell, of which nothing but type and length is to be written.
    pub secret: Vec<Path>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "learned".into(),
            format: None,
            kind: None,
            min_count: 10,
            headroom: 2.0,
            observes: false,
            secret: Vec::new(),
        }
    }
}

impl Settings {
    /// A count or size with headroom above it.
    pub(crate) fn above(&self, seen: u64) -> u64 {
        // Beyond 2^53 a float is not exact, and neither is headroom: the sum never is below what was seen.
        ((seen as f64 * self.headroom).ceil() as u64).max(seen)
    }

    /// A count or size with headroom below it.
    pub(crate) fn below(&self, seen: u64) -> u64 {
        ((seen as f64 / self.headroom).floor() as u64).min(seen)
    }
}
