//! What a step found in a message: for logs, metrics and audit.

use std::sync::Arc;

/// Whether findings of a step have consequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// They have.
    #[default]
    Enforce,
    /// They are recorded, and nothing is changed: to try rules on real traffic.
    Observe,
}

/// What became of a message on account of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It went on: the step only records, or observes.
    Recorded,
    /// It went on, changed.
    Rewritten,
    /// It did not go on.
    Dropped,
    /// It did not go on, and whoever sent it was answered.
    Replied,
    /// The session ended.
    Closed,
}

impl Action {
    /// The word for logs, metrics and audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Rewritten => "rewritten",
            Self::Dropped => "dropped",
            Self::Replied => "replied",
            Self::Closed => "closed",
        }
    }
}

/// What a step found in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The step's name, unique in its policy.
    pub step: Arc<str>,
    /// What was found, in a stable word: the class of an attack, or what was broken.
    pub class: &'static str,
    /// The rule that found it, where the step has several.
    pub rule: Option<Arc<str>>,
    /// The field's path, as in `order.items[0].name`; `$` for the whole message.
    pub path: Box<str>,
    /// More about it, without anything that the message says.
    pub detail: Box<str>,
    /// A masked piece of what it was found in.
    pub excerpt: Option<Box<str>>,
    /// Whether it had consequences.
    pub enforcement: Enforcement,
    /// What became of the message on account of it.
    pub action: Action,
}

/// What was found, before it is known what follows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) class: &'static str,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) path: Box<str>,
    pub(crate) detail: Box<str>,
    pub(crate) excerpt: Option<Box<str>>,
}

impl Hit {
    /// Something about the whole message.
    pub(crate) fn whole(class: &'static str, detail: impl Into<Box<str>>) -> Self {
        Self { class, rule: None, path: "$".into(), detail: detail.into(), excerpt: None }
    }
}

/// The characters of an excerpt that are shown at either end.
const SHOWN: usize = 4;
/// The longest excerpt, in characters.
const LONGEST: usize = 48;

/// A piece of a message that may be logged: its ends and its shape. Letters become `x`, digits `0`, the rest stays, so that
/// the trick is seen and no secret is.
pub fn masked(text: &str) -> Box<str> {
    let count = text.chars().count();
    let mask = |(at, c): (usize, char)| match c {
        // A short piece has no ends to show.
        _ if count > 4 * SHOWN && (at < SHOWN || at + SHOWN >= count) => c,
        c if c.is_numeric() => '0',
        c if c.is_alphabetic() => 'x',
        c if c.is_control() => '·',
        c => c,
    };
    let mut excerpt: String = text.chars().enumerate().take(LONGEST).map(mask).collect();
    if count > LONGEST {
        excerpt.push('…');
    }
    excerpt.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_a_shape_and_no_secret() {
        assert_eq!(&*masked("hunter2"), "xxxxxx0");
        assert_eq!(&*masked("4111 1111 1111 1111"), "4111 0000 0000 1111");
        assert_eq!(
            &*masked("1' UNION SELECT password FROM users--"),
            "1' Uxxxx xxxxxx xxxxxxxx xxxx xxxrs--"
        );
        assert_eq!(masked(&"a".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
