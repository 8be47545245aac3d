//! How much the console takes and gives at once, as it is configured.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Time};

/// What the console takes and gives at once. They change only at a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawConsoleLimits {
    /// The longest head of a request, 8KiB to 256KiB; each connection may hold one.
    pub head: At<Size>,
    /// The longest body of a request, 4KiB to 1MiB; each connection may hold one.
    pub body: At<Size>,
    /// How long a TLS handshake may take, and how long the head of a request, 1s to 60s.
    pub head_timeout: At<Time>,
    /// How long the body of a request may take, 1s to 60s.
    pub body_timeout: At<Time>,
    /// How long an answer may take; what streams begins within it, 1s to 10m.
    pub answer_timeout: At<Time>,
    /// Those who search the audit store or read files at once, 1 to 16: the disk is the data plane's too. More are answered 503.
    pub readers: At<u32>,
    /// Pages and programs that are told of news at once, 1 to 4096, at about 16KiB each. More are answered 503.
    pub streams: At<u32>,
}

impl Default for RawConsoleLimits {
    fn default() -> Self {
        Self {
            head: At::nowhere(Size(16 << 10)),
            body: At::nowhere(Size(64 << 10)),
            head_timeout: At::nowhere(Time::secs(10)),
            body_timeout: At::nowhere(Time::secs(10)),
            answer_timeout: At::nowhere(Time::secs(60)),
            readers: At::nowhere(2),
            streams: At::nowhere(64),
        }
    }
}

/// What the console takes and gives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleLimits {
    /// The longest head of a request, in bytes.
    pub head: usize,
    /// The longest body of a request, in bytes.
    pub body: usize,
    /// How long a handshake, and a head, may take.
    pub head_timeout: Duration,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// Those who read files at once.
    pub readers: usize,
    /// Those who are told of news at once.
    pub streams: usize,
}

impl RawConsoleLimits {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> ConsoleLimits {
        let minute = Time::secs(1)..=Time::secs(60);
        ConsoleLimits {
            head: bytes(problems.in_range("head", &self.head, Size(8 << 10)..=Size(256 << 10))),
            body: bytes(problems.in_range("body", &self.body, Size(4 << 10)..=Size(1 << 20))),
            head_timeout: problems.in_range("head_timeout", &self.head_timeout, minute.clone()).0,
            body_timeout: problems.in_range("body_timeout", &self.body_timeout, minute).0,
            answer_timeout: problems
                .in_range("answer_timeout", &self.answer_timeout, Time::secs(1)..=Time::secs(600))
                .0,
            readers: problems.in_range("readers", &self.readers, 1..=16) as usize,
            streams: problems.in_range("streams", &self.streams, 1..=4096) as usize,
        }
    }
}

/// Who looks on at messages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMessages {
    /// How many may look on at once, 0 to 64. With 0 nobody sees messages. It changes only at a restart.
    pub watchers: At<u32>,
    /// Messages a second that each of them is shown, 4 to 5000. What is more is dropped and counted: traffic never waits.
    pub per_second: At<u32>,
    /// The largest message that is shown, 64 to 1MiB. A larger one is counted with those that were dropped.
    pub largest: At<Size>,
    /// Memory for messages that wait to be shown, of each who looks on, 64KiB to 64MiB: they wait for a quarter of a second.
    pub memory: At<Size>,
    /// How much of a message's text is shown, 64 to 64KiB; the rest is cut off.
    pub shown: At<Size>,
    /// How long somebody looks on before that has to be asked for anew, 10s to 1d.
    pub longest: At<Time>,
}

impl Default for RawMessages {
    fn default() -> Self {
        Self {
            watchers: At::nowhere(4),
            per_second: At::nowhere(200),
            largest: At::nowhere(Size(64 << 10)),
            memory: At::nowhere(Size(1 << 20)),
            shown: At::nowhere(Size(4 << 10)),
            longest: At::nowhere(Time::secs(15 * 60)),
        }
    }
}

/// Who looks on at messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagesConfig {
    /// How many may look on at once.
    pub watchers: usize,
    /// Messages a second that each of them is shown.
    pub per_second: usize,
    /// The largest message that is shown, in bytes.
    pub largest: usize,
    /// Bytes of messages that wait to be shown, of each.
    pub memory: usize,
    /// How much of a message's text is shown, in bytes.
    pub shown: usize,
    /// How long somebody looks on.
    pub longest: Duration,
}

impl RawMessages {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> MessagesConfig {
        MessagesConfig {
            watchers: problems.in_range("watchers", &self.watchers, 0..=64) as usize,
            per_second: problems.in_range("per_second", &self.per_second, 4..=5000) as usize,
            largest: bytes(problems.in_range("largest", &self.largest, Size(64)..=Size(1 << 20))),
            memory: bytes(problems.in_range("memory", &self.memory, Size(64 << 10)..=Size(64 << 20))),
            shown: bytes(problems.in_range("shown", &self.shown, Size(64)..=Size(64 << 10))),
            longest: problems.in_range("longest", &self.longest, Time::secs(10)..=Time::secs(86_400)).0,
        }
    }
}

/// Far below the largest number where it is in its range.
fn bytes(size: Size) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_outside_their_bounds_are_told() {
        let mut problems = Problems::default();
        let limits: RawConsoleLimits =
            serde_saphyr::from_str("{head: 4KiB, body: 2MiB, head_timeout: 0s, readers: 0, streams: 5000}")
                .unwrap();
        limits.check(&mut problems);
        let messages: RawMessages = serde_saphyr::from_str(
            "{watchers: 65, per_second: 3, largest: 2MiB, memory: 1KiB, shown: 1, longest: 1s}",
        )
        .unwrap();
        messages.check(&mut problems);
        assert_eq!(problems.iter().count(), 11);
        let mut fine = Problems::default();
        RawConsoleLimits::default().check(&mut fine);
        RawMessages::default().check(&mut fine);
        assert!(!fine.has_errors());
    }
}
