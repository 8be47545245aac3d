//! The revocations, as an operator sees them and adds to them.

use schemars::JsonSchema;
use serde::Serialize;
use wicketgate_admission::revocation::Revocation;
use wicketgate_audit::{Event, Selector, Who};

use crate::gateway::Shared;

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List {
    /// Whatever is revoked now.
    pub revocations: Vec<Revocation>,
}

/// One that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Added {
    /// What is revoked.
    pub revoked: Revocation,
    /// Whether it is in the file, and so outlives the process.
    pub kept: bool,
}

/// All of them.
pub fn list(shared: &Shared) -> List {
    List { revocations: shared.snapshot().revocations.all() }
}

/// Adds one; its sessions end.
///
/// # Errors
/// Why it cannot be kept, for the operator.
pub async fn add(shared: &Shared, entry: Revocation, who: &Who<'_>) -> Result<Added, String> {
    let revocations = shared.snapshot().revocations.clone();
    revocations
        .add(entry.clone())
        .inspect_err(|error| tracing::error!(error, "a revocation cannot be kept"))?;
    let (kind, value) = match (&entry.token_id, &entry.subject) {
        (Some(id), _) => ("token_id", id.as_str()),
        (None, subject) => ("subject", subject.as_deref().unwrap_or_default()),
    };
    shared.audit.wait(&Event::Revoked { selector: Selector { kind, value } }, who).await;
    let kept = revocations.config().file.is_some();
    Ok(Added { revoked: entry, kept })
}
