//! `plugin` as it is written in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Table, Time};
use wicketgate_plugin::Limits;

use super::{Keeping, Plugin};
use crate::component::{self, InForce};

/// A WebAssembly component that judges messages, of the world `wicketgate:policy/policy@1`. It reaches the session's facts, its
/// `config`, the log and the time, and nothing else. One that takes too long, wants too much or goes wrong ends the session whose
/// message it was asked about with 1011, whatever `then` says. Only programs that are built with the feature `plugins` know it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPlugin {
    /// The component's file, at most 64MiB; it is compiled at start, and again when it changes: open sessions take the new one with
    /// their next message, and one that cannot be used changes nothing. A relative path starts at the working directory.
    component: At<PathBuf>,
    /// What the component is told when it asks for a name; at most 64KiB in all.
    #[serde(default)]
    config: Table<At<String>>,
    /// Whose an instance is. `shared` ones judge messages of all sessions, one for each thread: for components that keep nothing of
    /// a message. With `session` each session has its own from its first message on.
    #[serde(default)]
    state: Keeping,
    /// Of `state: session`: instances at once, 1 to 1000; of all steps together there are no more than 1000. The session whose
    /// message wants one more is closed with 1011. Memory: each up to `memory`. Default: 256.
    #[serde(default)]
    instances: Option<At<u32>>,
    /// Memory of an instance, 128KiB to 512MiB. Default: 16MiB.
    #[serde(default)]
    memory: Option<At<Size>>,
    /// How long a call may work, 1ms to 1s: the time that the thread waits for a processor does not count. The thread serves nobody
    /// else meanwhile. Default: 20ms.
    #[serde(default)]
    deadline: Option<At<Time>>,
    /// Whether it may change messages, or put others in their place. Default: false.
    #[serde(default)]
    may_rewrite: bool,
    /// The longest message that it may write, 1B to 64MiB. Default: 1MiB.
    #[serde(default)]
    longest: Option<At<Size>>,
}

impl RawPlugin {
    fn limits(&self, problems: &mut Problems) -> Limits {
        let default = Limits::default();
        let memory = component::memory(self.memory.as_ref(), problems);
        let answer = match &self.longest {
            Some(at) => problems.in_range("longest", at, Size(1)..=Size(64 << 20)).0 as usize,
            None => default.answer,
        };
        let deadline = component::deadline(self.deadline.as_ref(), problems);
        let instances = match (&self.instances, self.state) {
            (Some(at), Keeping::Session) => problems.in_range("instances", at, 1..=1000) as usize,
            (Some(at), Keeping::Shared) => {
                let help = "take `instances` out, or add `state: session`";
                problems.error(at.place, "instances are shared: there is one for each thread", help);
                usize::MAX
            }
            (None, Keeping::Session) => default.instances,
            // There are never more than threads.
            (None, Keeping::Shared) => usize::MAX,
        };
        Limits { memory, deadline, answer, instances }
    }
}

impl Plugin {
    /// Loads the component; what is wrong goes to `problems`.
    pub(crate) fn check(raw: At<RawPlugin>, name: &Arc<str>, problems: &mut Problems) -> Option<Self> {
        let (raw, place) = (raw.value, raw.place);
        let limits = raw.limits(problems);
        let config = component::told(raw.config, place, problems);
        let component = InForce::load(&raw.component, name, config, limits, problems)?;
        Some(Self { component: Arc::new(component), keeping: raw.state, may_rewrite: raw.may_rewrite })
    }
}

#[cfg(all(test, not(feature = "plugins")))]
mod tests {
    use crate::testing::problems;

    #[test]
    fn a_program_without_plugins_says_so() {
        let text = "name: p\nformat: text\nto_upstream:\n  - plugin: {component: cards.wasm}\n";
        let wrong = problems(text).concat();
        assert!(wrong.starts_with("4:25 ") && wrong.contains("built without plugins"), "{wrong}");
    }
}
