//! The visible text: words, and what is known of the session.

use time::OffsetDateTime;
use time::macros::format_description;

use super::View;

/// A text with places for what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Subject,
    Session,
    Time,
    Address,
    Route,
}

/// The longest text on a picture, in characters: nobody reads more, and identities name themselves.
const LONGEST: usize = 160;

impl Template {
    /// What may stand between braces.
    pub(super) const NAMES: &str = "{subject}, {session}, {time}, {address} and {route}";

    /// Reads a text; gives back what between braces is not known.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or_else(|| format!("{{{behind}"))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(match name {
                "subject" => Piece::Subject,
                "session" => Piece::Session,
                "time" => Piece::Time,
                "address" => Piece::Address,
                "route" => Piece::Route,
                _ => return Err(format!("{{{name}}}")),
            });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Self(pieces.into()))
    }

    /// The text for a session; what is not known is `-`.
    pub(super) fn fill(&self, view: &View<'_>) -> String {
        let facts = view.facts;
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Subject => {
                facts.identity.as_ref().map_or("-".into(), |identity| identity.subject.to_string())
            }
            Piece::Session => facts.session.to_string(),
            Piece::Address => facts.address.map_or("-".into(), |address| address.to_string()),
            Piece::Route => facts.route.to_string(),
            Piece::Time => {
                let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
                let time = OffsetDateTime::UNIX_EPOCH + view.unix;
                time.format(form).unwrap_or_else(|_| "-".into())
            }
        };
        let text: String = self.0.iter().map(fill).collect();
        // A line is drawn: what would break it, or turn it around for good, is left out.
        text.chars().filter(|c| !c.is_control() && !is_turn(*c)).take(LONGEST).collect()
    }
}

/// Whether a character says which way the text around it runs (UAX 9), which a subject could hide other words with.
const fn is_turn(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_told() {
        assert_eq!(Template::new("a {subject} b").map(|template| template.0.len()), Ok(3));
        assert_eq!(Template::new("a {nobody}"), Err("{nobody}".into()));
        assert_eq!(Template::new("a {subject"), Err("{subject".into()));
    }
}
