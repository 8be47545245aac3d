//! What is secret: by the name of a field, by a value that looks so, or because the operator says so.

use std::collections::BTreeSet;

use wicketgate_policy::fields::{Field, Path, Shown};
use wicketgate_policy::reveals_secret;

use crate::line::Line;

/// Parts of names, in lower case and without separators, of fields that hold what nobody should see.
const PARTS: &[&str] = &[
    "accesskey",
    "apikey",
    "authorization",
    "bearer",
    "cardnumber",
    "cookie",
    "credential",
    "creditcard",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "securitycode",
    "sessionid",
    "sessionkey",
    "signature",
    "token",
];
/// Whole names of such fields: as parts they stand in others.
const WHOLE: &[&str] =
    &["auth", "card", "cvc", "cvv", "iban", "jwt", "otp", "pan", "pass", "pin", "pwd", "sid", "ssn"];

/// Paths that captures mark which are followed; their fields' names tell most of them already.
const MAX_MARKED: usize = 100;

/// The fields that the operator marks, and those whose values a capture covered though their names tell nothing. A place in a list
/// stands for all of its places.
pub(crate) fn marked(lines: &[Line], by_operator: &[Path]) -> Vec<Path> {
    let mut paths = BTreeSet::new();
    for path in lines.iter().flat_map(|line| &line.covered) {
        let path: String = path.split('[').map(anywhere).collect::<Vec<_>>().join("[");
        if paths.len() < MAX_MARKED {
            paths.insert(path);
        }
    }
    by_operator.iter().cloned().chain(paths.iter().filter_map(|path| path.parse().ok())).collect()
}

/// What follows a `[`, with `*` in the place of a number.
fn anywhere(rest: &str) -> String {
    match rest.split_once(']') {
        Some((number, rest)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            format!("*]{rest}")
        }
        _ => rest.to_owned(),
    }
}

/// Whether a field of this name holds what nobody should see.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    WHOLE.contains(&&*name) || PARTS.iter().any(|part| name.contains(part))
}

/// Whether a text of no known format names something that nobody should see.
pub(crate) fn says_secret(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|part| plain.contains(part))
}

/// Whether a field is one of which nothing but type and length is to be written: it, not what it stands in.
pub(crate) fn is_secret(field: &Field<'_>, marked: &[Path]) -> bool {
    field.key().is_some_and(is_secret_name)
        || has_secret_value(field)
        || marked.iter().any(|path| path.matches(field))
}

/// A card number is one in digits as well.
fn has_secret_value(field: &Field<'_>) -> bool {
    match field.show() {
        Shown::Text(text) => reveals_secret(text),
        Shown::Int(number) => reveals_secret(&number.to_string()),
        Shown::Uint(number) => reveals_secret(&number.to_string()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for name in ["password", "user_password", "X-Api-Key", "accessToken", "PIN", "Authorization", "cvv"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["text", "pinned", "panel", "author", "spinner", "description", "company", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
