//! How much may be done at once to mark pictures.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Time};

/// How much may be done at once to mark pictures, in all sessions together. What finds no room is what the step's `then`
/// speaks of. It changes only at a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPictures {
    /// Threads that mark pictures, 1 to 256, beside those that carry traffic. They start with the first picture.
    pub threads: At<u32>,
    /// Messages that may wait for a thread, 1 to 100000.
    pub queue: At<u32>,
    /// Bytes for the pictures that wait or are worked on, 1MiB to 1TiB: 32 for each pixel, and the files. This is its own worst
    /// case. A picture of 16 million pixels takes 512MiB, and one that needs more than there is in all is never marked.
    pub memory: At<Size>,
    /// How long a message may wait for its pictures, from when it came: 1ms to 5m. A thread looks at the time between decoding,
    /// each mark and encoding.
    pub time: At<Time>,
}

impl Default for RawPictures {
    fn default() -> Self {
        Self {
            threads: At::nowhere(2),
            queue: At::nowhere(64),
            memory: At::nowhere(Size(1 << 30)),
            time: At::nowhere(Time::secs(5)),
        }
    }
}

/// How much may be done at once to mark pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturesConfig {
    /// Threads that mark them.
    pub threads: usize,
    /// Messages that may wait for one.
    pub queue: usize,
    /// Bytes for those that wait or are worked on.
    pub memory: u64,
    /// How long a message may wait.
    pub time: Duration,
}

impl RawPictures {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> PicturesConfig {
        let time = Time(Duration::from_millis(1))..=Time::secs(300);
        PicturesConfig {
            threads: problems.in_range("threads", &self.threads, 1..=256) as usize,
            queue: problems.in_range("queue", &self.queue, 1..=100_000) as usize,
            memory: problems.in_range("memory", &self.memory, Size(1 << 20)..=Size(1 << 40)).0,
            time: problems.in_range("time", &self.time, time).0,
        }
    }
}
