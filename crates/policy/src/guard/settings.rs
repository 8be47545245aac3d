//! What the guard looks for, as it is written and as it is checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wicketgate_config::{At, OneOrMany, Problems};

use super::class::{Class, Classes};

/// How suspicious the guard is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Only what has hardly any other meaning than an attack.
    Low,
    /// What ordinary talk, prose and data have no reason to contain.
    #[default]
    Medium,
    /// Also what talk about code, shells and databases contains. Not for people's messages.
    High,
}

/// Looks for payload injection in every text and key of a message, after undoing the encodings that hide it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawGuard {
    /// The only classes of attack to look for. Default: all.
    pub classes: OneOrMany<At<Class>>,
    /// Classes of attack not to look for. Default: none.
    pub without: OneOrMany<At<Class>>,
    /// How suspicious it is. Default: `medium`.
    pub sensitivity: Sensitivity,
    /// The score at which a text is an attack, 1 to 100. A rule that is certain scores 5, a hint 2 or 3; the scores of
    /// one text add up, those of several texts do not. Default: 5.
    pub threshold: At<u32>,
    /// Layers of encoding that are undone, 1 to 16. A text that has more is an attack. Default: 6.
    pub depth: At<u32>,
    /// Bytes that may be looked at for each byte of a message, all decoded forms and all rules together, 8 to 4096. A
    /// message that wants more is an attack. Default: 128. The first 64 KiB of work are free.
    pub budget: At<u32>,
    /// Fields in which some attacks, or any, are not looked for. Default: none.
    pub exclude: OneOrMany<RawExclusion>,
}

/// Fields that are looked at with less suspicion. Without `classes` and `rules` they are not looked at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExclusion {
    /// The fields, with all that is in them: `query.sql`, `snippets[*].code`, `**.html`.
    pub paths: At<OneOrMany<At<String>>>,
    /// The kinds of message in which. Default: all.
    #[serde(default)]
    pub kinds: Option<At<OneOrMany<At<String>>>>,
    /// Classes of attack that are not looked for there.
    #[serde(default)]
    pub classes: OneOrMany<Class>,
    /// Rules that are not asked there, by their ids.
    #[serde(default)]
    pub rules: OneOrMany<At<String>>,
}

impl Default for RawGuard {
    fn default() -> Self {
        Self {
            classes: OneOrMany::default(),
            without: OneOrMany::default(),
            sensitivity: Sensitivity::default(),
            threshold: At::nowhere(5),
            depth: At::nowhere(6),
            budget: At::nowhere(128),
            exclude: OneOrMany::default(),
        }
    }
}

/// What the guard looks for, and how hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Classes of attack to look for.
    pub classes: Classes,
    /// How suspicious it is.
    pub sensitivity: Sensitivity,
    /// The score at which a text is an attack.
    pub threshold: u32,
    /// Layers of encoding that are undone.
    pub depth: u32,
    /// Bytes that may be looked at for each byte of a message.
    pub budget: u32,
}

impl Default for Settings {
    fn default() -> Self {
        RawGuard::default().check(&mut Problems::default())
    }
}

impl RawGuard {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Settings {
        let mut classes = match self.classes.is_empty() {
            true => Classes::ALL,
            false => {
                self.classes.iter().fold(Classes::NONE.with(Class::Evasion), |all, at| all.with(at.value))
            }
        };
        for class in self.without.iter() {
            if !classes.contains(class.value) {
                let what = format!("`{}` is left out, but not among `classes`", class.value.label());
                problems.error(class.place, what, "write it in one of the two");
            }
            classes = classes.without(class.value);
        }
        Settings {
            classes,
            sensitivity: self.sensitivity,
            threshold: problems.in_range("threshold", &self.threshold, 1..=100),
            depth: problems.in_range("depth", &self.depth, 1..=16),
            budget: problems.in_range("budget", &self.budget, 8..=4096),
        }
    }
}
