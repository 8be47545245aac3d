//! `wasm` as it is written in the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Table, Time};
use wicketgate_plugin::Limits;
use wicketgate_wire::DataKind;

use super::Wasm;
use crate::component::{self, InForce};
use crate::fields::Path;
use crate::format::custom::words::RawData;

/// A WebAssembly component that decodes messages, of the world `wicketgate:policy/decoder@1`. It reaches its `config` and the log,
/// and nothing else; one instance for each thread decodes messages of all sessions, so it must keep nothing of one. What it says
/// is no message ends the session with 1007; one that takes too long, wants too much or goes wrong ends it with 1011. Only
/// programs that are built with the feature `plugins` know it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWasm {
    /// The component's file, at most 64MiB; it is compiled at start, and again when it changes: open sessions take the new one with
    /// their next message, and one that cannot be used changes nothing. A relative path starts at the working directory.
    component: At<PathBuf>,
    /// `text` or `binary`: the type of message that it comes in.
    #[serde(rename = "type")]
    data: RawData,
    /// The path of the field that says what kind of message one is, where the policy has no `kind` of its own.
    #[serde(default)]
    kind: Option<At<String>>,
    /// What the component is told when it asks for a name; at most 64KiB in all.
    #[serde(default)]
    config: Table<At<String>>,
    /// Memory of an instance, 128KiB to 512MiB. Default: 16MiB.
    #[serde(default)]
    memory: Option<At<Size>>,
    /// How long a call may work, 1ms to 1s. Default: 20ms.
    #[serde(default)]
    deadline: Option<At<Time>>,
    /// What it may answer, 1KiB to 64MiB: the bytes of names and texts, and about 64 for each value. Default: 1MiB.
    #[serde(default)]
    longest: Option<At<Size>>,
}

impl RawWasm {
    /// Loads the component; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, problems: &mut Problems) -> Option<Wasm> {
        let mut limits = Limits {
            memory: component::memory(self.memory.as_ref(), problems),
            deadline: component::deadline(self.deadline.as_ref(), problems),
            // There are never more than threads.
            instances: usize::MAX,
            ..Limits::default()
        };
        if let Some(at) = &self.longest {
            limits.answer = problems.in_range("longest", at, Size(1 << 10)..=Size(64 << 20)).0 as usize;
        }
        let kind = self.kind.as_ref().and_then(|kind| match kind.value.parse::<Path>() {
            Ok(path) => Some(path),
            Err(error) => {
                problems.error(kind.place, error.to_string(), "write it as in `type` or `header.kind`");
                None
            }
        });
        let config = component::told(self.config, self.component.place, problems);
        let decoder = InForce::load(&self.component, "format", config, limits, problems)?;
        let types = match self.data {
            RawData::Text => [DataKind::Text],
            RawData::Binary => [DataKind::Binary],
        };
        Some(Wasm { decoder, types, kind })
    }
}
