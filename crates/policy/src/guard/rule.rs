//! The rules: data, as its files have it.

use std::fmt;

use serde::Deserialize;
use wicketgate_config::Report;

use super::class::Class;
use super::form::Form;
use super::libinjection::Confirm;
use super::settings::Sensitivity;
use super::summary::{Summary, set};

/// The files of rules, each with its name.
pub(super) const FILES: &[(&str, &str)] = &[
    ("sqli.yaml", include_str!("rules/sqli.yaml")),
    ("xss.yaml", include_str!("rules/xss.yaml")),
    ("rce.yaml", include_str!("rules/rce.yaml")),
    ("path.yaml", include_str!("rules/path.yaml")),
    ("inclusion.yaml", include_str!("rules/inclusion.yaml")),
    ("query.yaml", include_str!("rules/query.yaml")),
    ("template.yaml", include_str!("rules/template.yaml")),
    ("xml.yaml", include_str!("rules/xml.yaml")),
    ("object.yaml", include_str!("rules/object.yaml")),
    ("php.yaml", include_str!("rules/php.yaml")),
    ("code.yaml", include_str!("rules/code.yaml")),
    ("evasion.yaml", include_str!("rules/evasion.yaml")),
];

/// A file of rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Its name, which does not change.
    pub(super) id: String,
    /// What kind of attack it finds.
    pub(super) class: Class,
    /// What it finds, in a few words.
    pub(super) about: String,
    /// From which sensitivity on it looks.
    #[serde(default = "lowest")]
    pub(super) from: Sensitivity,
    /// What a finding counts.
    pub(super) score: u32,
    /// The forms it reads besides the text itself.
    #[serde(default)]
    pub(super) forms: Vec<Form>,
    /// Which parts of a message it reads.
    #[serde(default)]
    pub(super) part: Reads,
    /// It reads nothing that has none of these, whatever their case.
    pub(super) literals: Vec<String>,
    /// Whether a literal counts only where no letters adjoin it.
    #[serde(default)]
    pub(super) words: bool,
    /// It reads nothing that has none of the characters of each of these.
    #[serde(default)]
    pub(super) needs: Vec<String>,
    /// What it finds, whatever the case of letters, if not `exact`.
    pub(super) regex: String,
    /// Who has to agree to what it finds.
    #[serde(default)]
    pub(super) confirm: Option<Confirm>,
    /// It reads no longer texts, in bytes: in a whole program, what it finds is ordinary.
    #[serde(default = "endless")]
    pub(super) longest: usize,
    /// Whether upper and lower case differ.
    #[serde(default)]
    pub(super) exact: bool,
    /// Texts in which it finds something, for the tests.
    #[serde(rename = "match")]
    #[cfg_attr(not(test), expect(dead_code, reason = "a test asks every rule about its own examples"))]
    pub(super) matches: Vec<String>,
    /// Texts in which it finds nothing, for the tests.
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "a test asks every rule about its own examples"))]
    pub(super) pass: Vec<String>,
}

const fn endless() -> usize {
    usize::MAX
}

const fn lowest() -> Sensitivity {
    Sensitivity::Low
}

/// The parts of a message that a rule reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reads {
    /// Keys and texts.
    #[default]
    All,
    /// Only keys.
    Keys,
    /// Only texts.
    Values,
}

impl RuleFile {
    /// Reads a file of rules.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, Report> {
        // The reader takes `${name}` for a variable of the environment; in rules it is what attackers write.
        wicketgate_config::part(name, &text.replace("${", "$${"))
    }
}

impl Rule {
    /// The sets of characters of each of which it needs one.
    pub(super) fn needs(&self) -> Vec<Summary> {
        self.needs.iter().map(|needs| set(needs.as_bytes())).collect()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
