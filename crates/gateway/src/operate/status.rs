//! How the gateway is, in one answer: for `wicketgate top` and the support bundle.

use schemars::JsonSchema;
use serde::Serialize;

use super::busiest::{Busy, busiest};
use super::process::Process;
use super::traffic::Overview;
use crate::gateway::Shared;

/// How the gateway is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The process that serves.
    pub process: Process,
    /// What goes through it.
    pub overview: Overview,
    /// The sessions that move the most now, the busiest first.
    pub busiest: Vec<Busy>,
}

impl Status {
    /// That of this moment, with so many sessions at most.
    pub fn of(shared: &Shared, most: usize) -> Self {
        Self { process: Process::of(shared), overview: Overview::of(shared), busiest: busiest(shared, most) }
    }
}
