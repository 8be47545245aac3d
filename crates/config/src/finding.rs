//! What every part's findings are made with: whether they have consequences, what of a peer's words may be told, and what would keep them from
//! being found again.

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

/// What would keep a rule from being asked about something again: lines for the configuration, for a person to review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The entry of `exclude` alone, on one line.
    pub entry: String,
    /// The entry where it belongs, under the names of its route, or of its policy and step.
    pub text: String,
    /// What it would do, in a sentence.
    pub effect: String,
    /// Whether the rule would not be asked about any field, or any value of the kind, any more.
    pub is_broad: bool,
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
