//! The table of rules for the documentation.

use std::fmt::Write as _;

use super::rule::{FILES, RuleFile};

/// All rules as a table in Markdown.
pub fn reference() -> String {
    let mut text = String::from("| rule | class | from | score | what it finds |\n|---|---|---|---:|---|\n");
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
