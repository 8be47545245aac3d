//! What one look at a setting finds.

/// What one look at a setting finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The setting, as in `routes[0].admission.origin`: the one that decides, or the one that would.
    pub(super) setting: String,
    /// Whether it is as it should be.
    pub(super) holds: bool,
    /// What it comes to.
    pub(super) says: String,
    /// What would be right; empty where it is.
    pub(super) help: &'static str,
}

impl Finding {
    pub(super) fn holds(setting: impl Into<String>, says: impl Into<String>) -> Self {
        Self { setting: setting.into(), holds: true, says: says.into(), help: "" }
    }

    pub(super) fn lacks(setting: impl Into<String>, says: impl Into<String>, help: &'static str) -> Self {
        Self { setting: setting.into(), holds: false, says: says.into(), help }
    }
}
