//! What can be wrong with a component: when it is loaded, and when it is asked.

use std::time::Duration;

/// Why a component cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// This program knows no components.
    #[error("this program is built without plugins")]
    Absent,
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file is longer than any component may be.
    #[error("it is longer than {} MiB", crate::MAX_FILE >> 20)]
    TooLong,
    /// It is no component, or one that the host does not take.
    #[error("it is no component that can be used: {0}")]
    Malformed(String),
    /// It wants what a component is not given, or lacks what it is asked for.
    #[error("it does not fit the world `{world}`: {why}")]
    World {
        /// What it is to be.
        world: &'static str,
        /// What it wants or lacks.
        why: String,
    },
    /// It does not start within its limits.
    #[error("it does not start: {0}")]
    Start(Fault),
    /// The host itself cannot start on this machine.
    #[error("components cannot be run here: {0}")]
    Host(String),
}

/// Why a component gave no answer that counts. Each ends the session whose message it was asked about, and no other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It took longer than it may.
    #[error("it worked longer than {} ms", .0.as_millis())]
    Deadline(Duration),
    /// It wanted more memory than it may have.
    #[error("it wanted more memory than {} MiB", .0 >> 20)]
    Memory(usize),
    /// It wrote more lines to the log in one call than it may.
    #[error("it wrote more than {0} lines to the log in one call")]
    Log(u32),
    /// It went wrong.
    #[error("it went wrong: {0}")]
    Trap(String),
    /// It answered more than it may.
    #[error("its answer is longer than {0} bytes")]
    Long(usize),
    /// It answered what no component may.
    #[error("it answered {0}")]
    Answer(&'static str),
    /// There are as many instances as there may be.
    #[error("there are {0} instances of it already")]
    Instances(usize),
}

impl Fault {
    /// The word for findings and metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "plugin_deadline",
            Self::Memory(_) => "plugin_memory",
            Self::Log(_) => "plugin_log",
            Self::Trap(_) => "plugin_trap",
            Self::Long(_) | Self::Answer(_) => "plugin_answer",
            Self::Instances(_) => "plugin_instances",
        }
    }
}
