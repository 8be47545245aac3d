//! One part of a configuration out of its own text.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::problem::Problems;
use super::report::Report;
use super::source::Sources;
use super::{read, yaml};

/// Reads a part as a whole file would be read, with its places but without variables; `name` stands for its path in the
/// report.
///
/// # Errors
/// Every finding about values that could not be read.
pub fn part<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Report> {
    let mut problems = Problems::default();
    let mut sources = Sources::default();
    let number = sources.add(Path::new(name), text.to_owned());
    let tree = yaml::parse(number, &mut sources, &|_| None, &mut problems);
    let part = tree.and_then(|mut tree| read::read(&mut tree, &mut problems));
    match part {
        Some(part) if !problems.has_errors() => Ok(part),
        _ => Err(Report::new(sources, problems)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// For every text that both understand, our tree holds what serde-saphyr reads.
    #[test]
    fn yaml_is_read_as_others_read_it() {
        for text in [
            "a: 1\nb: [x, 'y', \"z\\n\", ~, null, true, false]\n",
            "a: |\n  line\n  more\nb: >-\n  folded\n  text\n",
            "- a: {b: [c, {d: e}]}\n- 'it''s'\n- \"\\u00e9 \\x41\"\n- -5\n- 1.5\n",
            "x: &a {k: v}\ny: *a\nz:\n  <<: *a\n  w: 1\n",
            "? a\n: b\n\"c d\": e # comment\n",
            "a: # nothing\nb: ''\nc: No.\n",
            "é: ü\n\n---\n",
        ] {
            let theirs: Result<serde_json::Value, _> = serde_saphyr::from_str(text);
            let ours = part::<serde_json::Value>("test.yaml", text);
            match theirs {
                Ok(theirs) => assert_eq!(ours.unwrap(), theirs, "{text}"),
                Err(_) => assert!(ours.is_err(), "{text}"),
            }
        }
    }
}
