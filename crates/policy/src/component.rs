//! What the configurations of all components have in common.

mod in_force;

use std::time::Duration;

pub(crate) use in_force::InForce;
use wicketgate_config::{At, Place, Problems, Size, Table, Time};
use wicketgate_plugin::{Limits, Unusable};

/// The most that the configuration may tell a component, in bytes.
const MAX_CONFIG: usize = 64 << 10;

/// What a component is told, by name.
pub(crate) fn told(raw: Table<At<String>>, place: Place, problems: &mut Problems) -> Vec<(String, String)> {
    let size: usize = raw.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_CONFIG {
        problems.error(place, format!("`config` has {size} bytes"), "a component is told at most 64KiB");
    }
    raw.0.into_iter().map(|(name, value)| (name.value, value.value)).collect()
}

/// Memory of an instance, in bytes.
pub(crate) fn memory(raw: Option<&At<Size>>, problems: &mut Problems) -> usize {
    let in_range = |at| problems.in_range("memory", at, Size(128 << 10)..=Size(512 << 20)).0 as usize;
    raw.map_or(Limits::default().memory, in_range)
}

/// How long a call may take.
pub(crate) fn deadline(raw: Option<&At<Time>>, problems: &mut Problems) -> Duration {
    let bounds = Time(Duration::from_millis(1))..=Time(Duration::from_secs(1));
    raw.map_or(Limits::default().deadline, |at| problems.in_range("deadline", at, bounds).0)
}

/// What would be right.
const fn remedy(why: &Unusable) -> &'static str {
    match why {
        Unusable::Absent => "build the program with `--features plugins`, or take it out",
        Unusable::Unreadable(_) => "check the path, and the right to read it",
        Unusable::TooLong => "check that it is the right file",
        Unusable::Malformed(_) => "give a component, as `wasm-tools component new` makes one of a module",
        Unusable::World { .. } => {
            "build it for that world of `wicketgate:policy`; without WASI: a component reaches no files, network or environment"
        }
        Unusable::Start(_) => "give it more memory or time, or let it do less when it starts",
        Unusable::Host(_) => "check the limits of the process on address space and threads",
    }
}
