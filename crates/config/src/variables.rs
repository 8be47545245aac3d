//! `${NAME}` and `${NAME:-default}` in values, filled from the environment; `$${` stands for `${`.

/// Looks a variable up by its name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A text after its variables were filled in, and what each of them gave: to be kept out of messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    pub(crate) used: Vec<(String, String)>,
}

/// Why a text could not be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// Neither a value nor a default.
    NotSet(String),
    /// A `${` without its `}`.
    NotClosed,
    /// A name that no variable can have.
    BadName(String),
    /// More than [`MAX_TEXT`] bytes.
    TooLong,
}

/// The longest text that may come of one value, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Fills in the variables of `text`; `None` where there are none.
pub(crate) fn expand(text: &str, lookup: Lookup<'_>) -> Result<Option<Expanded>, Unfilled> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = Expanded { text: String::with_capacity(text.len()), used: Vec::new() };
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(literal) = before.strip_suffix('$') {
            out.text.push_str(literal);
            out.text.push_str("${");
            rest = after;
            continue;
        }
        out.text.push_str(before);
        let (inside, behind) = after.split_once('}').ok_or(Unfilled::NotClosed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(Unfilled::BadName(name.to_owned()));
        }
        match (lookup(name).filter(|value| default.is_none() || !value.is_empty()), default) {
            (Some(value), _) => {
                out.text.push_str(&value);
                out.used.push((name.to_owned(), value));
            }
            (None, Some(default)) => out.text.push_str(default),
            (None, None) => return Err(Unfilled::NotSet(name.to_owned())),
        }
        if out.text.len() > MAX_TEXT {
            return Err(Unfilled::TooLong);
        }
        rest = behind;
    }
    out.text.push_str(rest);
    Ok(Some(out))
}

fn is_name(name: &str) -> bool {
    name.bytes().enumerate().all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || i > 0 && b.is_ascii_digit())
        && !name.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filled(text: &str) -> Result<String, Unfilled> {
        let lookup = |name: &str| match name {
            "HOST" => Some("a.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${HOST}".to_owned()),
            _ => None,
        };
        Ok(expand(text, &lookup)?.map_or_else(|| text.to_owned(), |e| e.text))
    }

    #[test]
    fn variables_defaults_and_escapes() {
        for (text, want) in [
            ("plain $5 {x}", "plain $5 {x}"),
            ("${HOST}", "a.example"),
            ("ws://${HOST}:${PORT:-80}/", "ws://a.example:80/"),
            ("${EMPTY}|${EMPTY:-d}|${X:-}", "|d|"),
            ("$${HOST} $${", "${HOST} ${"),
            ("$$${HOST}", "$${HOST}"),
            ("${TRICK}", "${HOST}"),
        ] {
            assert_eq!(filled(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_named() {
        assert_eq!(filled("${NONE}"), Err(Unfilled::NotSet("NONE".into())));
        assert_eq!(filled("a${HOST"), Err(Unfilled::NotClosed));
        for name in ["", "1A", "a b", "A-B", "é"] {
            assert_eq!(filled(&format!("${{{name}}}")), Err(Unfilled::BadName(name.into())));
        }
    }
}
