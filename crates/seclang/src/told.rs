//! What is said of a rule, and of where it found something.

use crate::request::{Found, Source};
use crate::set::RuleInfo;

/// The longest name of a value that is told, in bytes.
const LONGEST_NAME: usize = 64;

impl RuleInfo<'_> {
    /// The class of an attack, by the tags of the Core Rule Set.
    pub fn class(&self) -> &'static str {
        const CLASSES: [(&str, &str); 14] = [
            ("attack-sqli", "sqli"),
            ("attack-xss", "xss"),
            ("attack-rce", "rce"),
            ("attack-lfi", "path_traversal"),
            ("attack-rfi", "inclusion"),
            ("attack-injection-php", "php"),
            ("attack-injection-java", "java"),
            ("attack-injection-generic", "code"),
            ("attack-ssrf", "ssrf"),
            ("attack-ssti", "template"),
            ("attack-ldap", "ldap"),
            ("attack-protocol", "protocol"),
            ("attack-fixation", "fixation"),
            ("attack-reputation-scanner", "scanner"),
        ];
        let named = CLASSES.iter().find(|(tag, _)| self.tags.iter().any(|own| own == tag));
        named.map_or("crs", |(_, class)| class)
    }

    /// Severity and message.
    pub fn detail(&self) -> String {
        let severity = self.severity.map_or("none", |severity| severity.label());
        format!("severity {severity}: {}", self.message)
    }
}

impl Found {
    /// Whether it was found in what rules themselves have set.
    pub fn is_of_rules(&self) -> bool {
        self.source == Source::Other("TX")
    }

    /// Where it was found, as rules name it: `ARGS:q`, `REQUEST_HEADERS:referer`, `REQUEST_URI`.
    pub fn variable(&self) -> String {
        let collection = match self.source {
            Source::Value(_) => "ARGS",
            Source::Key(_) => "ARGS_NAMES",
            Source::Other(collection) => collection,
        };
        if self.name.is_empty() {
            return collection.to_owned();
        }
        let shown = self.name.get(..LONGEST_NAME).unwrap_or(&self.name);
        let more = if shown.len() < self.name.len() { "…" } else { "" };
        format!("{collection}:{}{more}", shown.escape_ascii())
    }
}
