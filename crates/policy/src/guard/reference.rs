//! The table of rules for the documentation.

use std::fmt::Write as _;

use super::rule::{FILES, RuleFile};

const INTRODUCTION: &str = "# Rules of the guard

Each text and each key of a message is read layer by layer, as each encoding is undone, and in the forms in which SQL, a
shell and a script engine would read it. A rule counts once for each text. The scores of one text add up; at the threshold
(5 by default) the message is an attack. A rule is on from its sensitivity: `low` is on always, `medium` by default.

Besides these, `nesting` finds text with more layers of encoding than `depth` allows, and `budget` text that takes more work
than `budget` allows; both belong to the class `evasion`.

";

/// All rules as a page in Markdown.
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("| rule | class | from | score | what it finds |\n|---|---|---|---:|---|\n");
    for (name, file) in FILES {
        let Ok(file) = RuleFile::read(name, file) else { continue };
        for rule in file.rules {
            let (class, from) = (rule.class.label(), format!("{:?}", rule.from).to_lowercase());
            let about = rule.about.replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | `{class}` | {from} | {} | {about} |", rule.id, rule.score);
        }
    }
    text
}
