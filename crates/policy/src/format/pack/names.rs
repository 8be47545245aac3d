//! Lists of names in the settings of packs, with placeholders for who the client is.

use wicketgate_config::{At, OneOrMany, Problems};

use super::breach::{Breach, Named};
use crate::facts::Facts;

/// Names, some of which may end in `*` for any rest, and hold placeholders such as `{sub}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names(Box<[Name]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    pieces: Pieces,
    any: bool,
}

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pieces(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// Who the client proved to be.
    Subject,
    /// A claim of that name.
    Claim(Box<str>),
}

/// The most names of one list.
const MAX_NAMES: usize = 1_000;

/// Characters that mean something in topics, destinations and URIs: a claim that holds one could widen what it stands in.
const SPECIAL: &[char] = &['/', '+', '#', '*', '>', '$', '{', '}', ',', '?', '\\'];

impl Names {
    /// Checks a list; what is wrong goes to `problems`.
    pub(super) fn check(raw: At<OneOrMany<At<String>>>, problems: &mut Problems) -> Self {
        if raw.value.len() > MAX_NAMES {
            let what = format!("{} names are listed", raw.value.len());
            problems.error(raw.place, what, format!("list at most {MAX_NAMES}"));
        }
        let names = raw.value.0.iter().filter_map(|name| {
            let (text, any) = match name.value.strip_suffix('*') {
                Some(text) => (text, true),
                None => (&*name.value, false),
            };
            if text.contains('*') || name.value.is_empty() {
                let what = format!("`{}` is no name for this list", name.value);
                problems.error(name.place, what, "`*` stands at the end, for any rest: `/topic/room.*`");
            }
            if any && text.ends_with('}') {
                let what = format!("`{}` is also the beginning of other clients' names", name.value);
                problems.error(
                    name.place,
                    what,
                    "let something stand between the placeholder and `*`: `{sub}/*`",
                );
            }
            Some(Name { pieces: Pieces::check(text, name, problems)?, any })
        });
        Self(names.collect())
    }

    /// The same, where the list is there.
    pub(super) fn optional(raw: Option<At<OneOrMany<At<String>>>>, problems: &mut Problems) -> Option<Self> {
        raw.map(|raw| Self::check(raw, problems))
    }

    /// Whether a name is listed for this client.
    pub(super) fn list(&self, name: &str, facts: &Facts) -> bool {
        self.0.iter().any(|listed| match listed.pieces.strip(name, facts) {
            Some(rest) => listed.any || rest.is_empty(),
            None => false,
        })
    }
}

/// A name has to be in the list, where there is one.
pub(super) fn listed(names: Option<&Names>, name: &str, facts: &Facts, what: Named) -> Result<(), Breach> {
    match names.is_none_or(|names| names.list(name, facts)) {
        true => Ok(()),
        false => Err(Breach::Unlisted(what)),
    }
}

impl Pieces {
    pub(super) fn check(text: &str, at: &At<String>, problems: &mut Problems) -> Option<Self> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let Some((before, behind)) = rest.split_once('{') else {
                pieces.push(Piece::Text(rest.into()));
                break;
            };
            let name = behind.split_once('}').filter(|(name, _)| !name.is_empty() && !name.contains('{'));
            let Some((name, behind)) = name else {
                let what = format!("`{}` has a `{{` that begins no placeholder", at.value);
                problems.error(at.place, what, "write `{sub}`, or the name of another claim");
                return None;
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            } else if !pieces.is_empty() {
                let what = format!("`{}` has a placeholder right behind another", at.value);
                problems.error(at.place, what, "let something stand between them: `{tenant}/{sub}`");
            }
            pieces.push(if name == "sub" { Piece::Subject } else { Piece::Claim(name.into()) });
            rest = behind;
        }
        Some(Self(pieces.into()))
    }

    /// What is left of `text` behind this; none where it begins otherwise, or the client does not have what a placeholder
    /// stands for, or that holds characters with a meaning of their own: one that says where the placeholder ends is such a one.
    fn strip<'t>(&self, text: &'t str, facts: &Facts) -> Option<&'t str> {
        let mut rest = text;
        for (number, piece) in self.0.iter().enumerate() {
            let behind = match self.0.get(number + 1) {
                Some(Piece::Text(text)) => text.chars().next(),
                _ => None,
            };
            rest = match piece {
                Piece::Text(piece) => rest.strip_prefix(&**piece)?,
                Piece::Subject => rest.strip_prefix(plain(&facts.identity.as_ref()?.subject, behind)?)?,
                Piece::Claim(name) => match facts.identity.as_ref()?.claims.get(&**name)? {
                    serde_json::Value::String(claim) => rest.strip_prefix(plain(claim, behind)?)?,
                    serde_json::Value::Number(claim) => {
                        rest.strip_prefix(plain(&claim.to_string(), behind)?)?
                    }
                    _ => return None,
                },
            };
        }
        Some(rest)
    }

    /// Whether it is the whole of `text`.
    pub(super) fn is(&self, text: &str, facts: &Facts) -> bool {
        self.strip(text, facts).is_some_and(str::is_empty)
    }

    /// Its text, where it has no placeholder.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

fn plain(claim: &str, behind: Option<char>) -> Option<&str> {
    let is_special = |c: char| c.is_control() || SPECIAL.contains(&c) || Some(c) == behind;
    (!claim.is_empty() && !claim.contains(is_special)).then_some(claim)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::Identity;

    pub(in crate::format::pack) fn facts(subject: &str, claims: &serde_json::Value) -> Facts {
        let claims = Arc::new(claims.as_object().unwrap().clone());
        let identity = Identity { subject: subject.into(), claims, ..Identity::default() };
        Facts { identity: Some(identity), ..Facts::default() }
    }

    fn names_of(list: &[&str]) -> Names {
        let mut problems = Problems::default();
        let list = list.iter().map(|name| At::nowhere((*name).to_owned())).collect();
        let names = Names::check(At::nowhere(OneOrMany(list)), &mut problems);
        assert!(!problems.has_errors());
        names
    }

    #[test]
    fn names_that_others_share_are_refused() {
        for name in ["user-{sub}*", "{tenant}{sub}", "{sub", "{}", "a*b", ""] {
            let mut problems = Problems::default();
            let list = vec![At::nowhere(name.to_owned())];
            Names::check(At::nowhere(OneOrMany(list)), &mut problems);
            assert!(problems.has_errors(), "{name}");
        }
    }

    #[test]
    fn placeholders_stand_for_the_client_and_fail_closed() {
        let names = names_of(&["/user/{sub}/*", "/team/{team}", "/all"]);
        let ann = facts("ann", &json!({"team": "blue", "n": 1}));
        for (name, expected) in [
            ("/all", true),
            ("/all/x", false),
            ("/user/ann/x", true),
            ("/user/ann/", true),
            ("/user/ann", false),
            ("/user/annie/x", false),
            ("/user/bob/x", false),
            ("/team/blue", true),
            ("/team/red", false),
        ] {
            assert_eq!(names.list(name, &ann), expected, "{name}");
        }
        let nobody = Facts::default();
        assert!(!names.list("/user//x", &nobody) && !names.list("/team/", &nobody));
        for bad in ["", "*", "a/b", "#", "+", "a\n"] {
            let facts = facts(bad, &json!({"team": bad}));
            assert!(!names.list(&format!("/user/{bad}/x"), &facts), "{bad}");
            assert!(!names.list(&format!("/team/{bad}"), &facts), "{bad}");
        }
        // `ann.x` is not among what is `ann`'s.
        let dotted = names_of(&["user.{sub}.*"]);
        assert!(dotted.list("user.ann.x", &ann) && !dotted.list("user.ann.x.y", &facts("ann.x", &json!({}))));
        assert!(!names.list("/team/[1]", &facts("x", &json!({"team": [1]}))));
    }
}
