//! The process itself: what it is, and what of the system's limits it has used.

use std::fs;

use rustix::process::{Resource, getrlimit};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::seconds;
use crate::gateway::Shared;

/// The process that serves.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Process {
    /// The program's version.
    pub version: String,
    /// Its number.
    pub pid: u32,
    /// When it began to serve.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: OffsetDateTime,
    /// Memory that it holds, in bytes; none where the system does not say.
    pub memory: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// How many it may have open.
    pub open_files_limit: Option<u64>,
}

impl Process {
    /// As it is at this moment.
    pub fn of(shared: &Shared) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            since: seconds(shared.since),
            memory: number("VmRSS:").map(|kilobytes| kilobytes.saturating_mul(1024)),
            threads: number("Threads:"),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            open_files_limit: getrlimit(Resource::Nofile).current,
        }
    }
}
