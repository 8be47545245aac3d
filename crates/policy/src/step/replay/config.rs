//! `replay` as it is written in the configuration.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

use super::{Nonce, Replay, Scope};
use crate::fields::Path;

/// Messages that came once do not pass again. It has one of `nonce` and `sequence`; a message without the field does not pass.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawReplay {
    /// The path of a text or whole number that may come once.
    nonce: Option<At<String>>,
    /// Among whose messages: of all sessions under the `policy`, of an `identity`'s, or of one `session`. Default: `policy`.
    scope: Option<At<Scope>>,
    /// How long a value is remembered, 1s to 7d. Messages need a time of their own that is checked where older ones may be
    /// sent again. Default: 10m.
    window: Option<At<Time>>,
    /// How many values are remembered at once, 1 to 10000000; for `scope: session`, of each session. When so many came
    /// within the window, no more messages pass until the oldest are forgotten: give room for the busiest time. At most 64
    /// bytes each, as they come. Default: 100000; 1000 for `scope: session`.
    entries: Option<At<u32>>,
    /// The path of a whole number, also one written as text, that each message of a session has above the one before.
    sequence: Option<At<String>>,
}

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(At { value: raw, place }: At<RawReplay>, problems: &mut Problems) -> Option<Replay> {
    let of_nonce = [
        ("scope", raw.scope.as_ref().map(|at| at.place)),
        ("window", raw.window.as_ref().map(|at| at.place)),
        ("entries", raw.entries.as_ref().map(|at| at.place)),
    ];
    match (raw.nonce, raw.sequence) {
        (Some(path), None) => {
            let scope = raw.scope.map(|scope| scope.value).unwrap_or_default();
            let window = raw.window.unwrap_or(At::nowhere(Time::secs(600)));
            let window = problems.in_range("window", &window, Time::secs(1)..=Time::secs(7 * 86_400)).0;
            let default = if scope == Scope::Session { 1_000 } else { 100_000 };
            let entries = raw.entries.unwrap_or(At::nowhere(default));
            let entries = problems.in_range("entries", &entries, 1..=10_000_000) as usize;
            let path = Path::check(&path, problems)?;
            Some(Replay::Nonce(Nonce { path, scope, window, entries, shared: Arc::default() }))
        }
        (None, Some(path)) => {
            for (key, place) in of_nonce {
                if let Some(place) = place {
                    problems.error(
                        place,
                        format!("`{key}` belongs to `nonce`"),
                        "take it out: a session has one sequence",
                    );
                }
            }
            Path::check(&path, problems).map(Replay::Sequence)
        }
        (Some(nonce), Some(sequence)) => {
            let help = "make two steps of them";
            problems.clash(
                sequence.place,
                "`sequence` stands beside `nonce`",
                help,
                (nonce.place, "the other one"),
            );
            None
        }
        (None, None) => {
            problems.error(
                place,
                "it is not said what tells a message",
                "add `nonce: PATH`, or `sequence: PATH`",
            );
            None
        }
    }
}
