//! The configuration that is followed, beside its files as they are now.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;
use wicketgate_gateway::config::{Config, FileChange, Moment, PartChange};
use wicketgate_gateway::gateway::Shared as Gateway;

/// What a process follows: what it was started with, which a restart alone changes in part, and the files as they were when they were
/// last read.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What the process was started with.
    pub started: Config,
    /// What was read last.
    pub current: Config,
    /// The files as they were when they were followed.
    pub files: Moment,
}

/// What reading the files anew would change.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Changes {
    /// Whether a file differs from what is followed.
    pub(crate) changed: bool,
    /// The files that differ; secrets masked, without comments.
    pub(crate) files: Vec<FileChange>,
    /// The parts that differ.
    pub(crate) parts: Vec<PartChange>,
    /// The settings that would stay as they are until a restart.
    pub(crate) restart: Vec<&'static str>,
    /// Live sessions whose route would be gone: they would end, spread over the drain time. Others may lose their right as well.
    pub(crate) ending: usize,
}

impl Followed {
    /// What following `next` would change, whose files are `now`; none where they cannot be used.
    pub(crate) fn until(&self, next: Option<&Config>, now: &Moment, gateway: &Gateway) -> Changes {
        let files = self.files.files_until(now);
        let parts = self.files.parts_until(now);
        let restart = next.map(|next| self.started.needing_restart(next)).unwrap_or_default();
        let kept: Option<HashSet<&str>> =
            next.map(|next| next.routes.iter().map(|route| &*route.name).collect());
        let goes = |route: &str| kept.as_ref().is_some_and(|kept| !kept.contains(route));
        let ending = gateway.sessions.all().iter().filter(|live| goes(&live.route)).count();
        Changes { changed: !files.is_empty(), files, parts, restart, ending }
    }
}
