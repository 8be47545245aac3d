//! How much a component may take.

use std::time::Duration;

/// The longest file of a component, in bytes.
pub const MAX_FILE: u64 = 64 << 20;

/// How much a component may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of one instance, in bytes.
    pub memory: usize,
    /// Time of one call, to the millisecond.
    pub deadline: Duration,
    /// What it answers to one call, in bytes.
    pub answer: usize,
    /// Instances at once.
    pub instances: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 16 << 20, deadline: Duration::from_millis(20), answer: 1 << 20, instances: 256 }
    }
}
