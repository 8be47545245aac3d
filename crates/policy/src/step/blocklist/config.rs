//! `blocklist` as it is written in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};

use super::Blocklist;
use super::list::{Kept, List, Manner, Matching};
use crate::fields::Path;

/// Words and values that do not pass. It has one of `file` and `words`. Texts are compared without characters that cannot be
/// seen; names of fields are not looked at. An entry `sha256:` with 64 hexadecimal digits is the hash of a whole text, or of a
/// value of bytes. Memory: 60 bytes and its text for an entry; with `match: anywhere`, about 100 bytes and 10 times its text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawBlocklist {
    /// A file with an entry in each line, 1 to 1000000, at most 64MiB; lines that begin with `#` are none. It is read again when
    /// it changes; where it cannot be used then, the old list stays.
    file: Option<At<PathBuf>>,
    /// The entries themselves.
    words: Option<At<OneOrMany<String>>>,
    /// Where in a text an entry may stand. `anywhere` is for scripts that do not part words, and several times slower.
    /// Default: `word`.
    #[serde(rename = "match")]
    matching: Matching,
    /// Whether `Word` is `word`. Default: true.
    ignore_case: Option<bool>,
    /// The fields that are looked at, with all that is in them; at most 200. Default: all.
    paths: Option<At<OneOrMany<At<String>>>>,
}

/// The most paths.
const MAX_PATHS: usize = 200;

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(
    At { value: raw, place }: At<RawBlocklist>,
    problems: &mut Problems,
) -> Option<Blocklist> {
    let manner = Manner { matching: raw.matching, ignore_case: raw.ignore_case.unwrap_or(true) };
    let paths = raw.paths.map(|paths| Path::check_list(paths, MAX_PATHS, problems)).unwrap_or_default();
    let kept = match (raw.file, raw.words) {
        (Some(file), None) => match Kept::read(&file.value, manner) {
            Ok(kept) => kept,
            Err(fault) => {
                let what = format!("the list `{}` cannot be used: {fault}", file.value.display());
                problems.error(
                    file.place,
                    what,
                    "a list is a text file with an entry in each line, of at most 64MiB",
                );
                return None;
            }
        },
        (None, Some(words)) => match List::new(words.value.iter().map(String::as_str), manner) {
            Ok(list) => Kept::fixed(list),
            Err(fault) => {
                problems.error(
                    words.place,
                    format!("the list cannot be used: {fault}"),
                    "list words: `words: [one, two]`",
                );
                return None;
            }
        },
        (Some(file), Some(words)) => {
            let help = "write the words into the file, or make two steps";
            problems.clash(words.place, "`words` stands beside `file`", help, (file.place, "the other one"));
            return None;
        }
        (None, None) => {
            problems.error(place, "the list is missing", "add `file: PATH`, or `words:`");
            return None;
        }
    };
    Some(Blocklist { paths, kept: Arc::new(kept) })
}
