//! The classes of attack that the guard tells apart, and sets of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of attack a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// SQL injection.
    Sqli,
    /// Cross-site scripting: HTML and script that a browser would run.
    Xss,
    /// Commands of an operating system's shell.
    Rce,
    /// Paths that leave their folder, and files that no client has business with.
    PathTraversal,
    /// Files or hosts that the server is made to fetch: remote inclusion and server-side request forgery.
    FileInclusion,
    /// Filters of LDAP.
    Ldap,
    /// Queries of XPath.
    Xpath,
    /// Operators of document databases, such as `$where`.
    Nosqli,
    /// Expressions of template engines.
    Template,
    /// XML documents with entities or style sheets of their own.
    Xxe,
    /// Server-side includes.
    Ssi,
    /// Keys that reach the prototype of every JavaScript object.
    PrototypePollution,
    /// Header lines after an injected end of line.
    Crlf,
    /// Serialised objects and the classes that gadget chains are made of.
    Deserialization,
    /// Lookups of JNDI in text that is logged, as Log4Shell has them.
    Jndi,
    /// PHP.
    Php,
    /// Code of other languages that evaluate text: JavaScript on a server, Python, Ruby, Java expressions.
    Code,
    /// Encodings that only serve to hide something, and text that takes too long to look at.
    Evasion,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::Sqli,
        Self::Xss,
        Self::Rce,
        Self::PathTraversal,
        Self::FileInclusion,
        Self::Ldap,
        Self::Xpath,
        Self::Nosqli,
        Self::Template,
        Self::Xxe,
        Self::Ssi,
        Self::PrototypePollution,
        Self::Crlf,
        Self::Deserialization,
        Self::Jndi,
        Self::Php,
        Self::Code,
        Self::Evasion,
    ];

    /// Its word in configuration, metrics and audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sqli => "sqli",
            Self::Xss => "xss",
            Self::Rce => "rce",
            Self::PathTraversal => "path_traversal",
            Self::FileInclusion => "file_inclusion",
            Self::Ldap => "ldap",
            Self::Xpath => "xpath",
            Self::Nosqli => "nosqli",
            Self::Template => "template",
            Self::Xxe => "xxe",
            Self::Ssi => "ssi",
            Self::PrototypePollution => "prototype_pollution",
            Self::Crlf => "crlf",
            Self::Deserialization => "deserialization",
            Self::Jndi => "jndi",
            Self::Php => "php",
            Self::Code => "code",
            Self::Evasion => "evasion",
        }
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes(u32);

impl Classes {
    /// Every class.
    pub const ALL: Self = Self(u32::MAX);
    /// No class.
    pub const NONE: Self = Self(0);

    /// Whether `class` is among them.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & (1 << class as u32) != 0
    }

    /// Takes `class` in.
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u32)
    }

    /// Leaves `class` out.
    pub const fn without(self, class: Class) -> Self {
        Self(self.0 & !(1 << class as u32))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_label_is_the_word_of_the_configuration() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.label());
        }
    }

    #[test]
    fn sets_hold_what_they_took_in() {
        let two = Classes::NONE.with(Class::Sqli).with(Class::Evasion);
        assert!(two.contains(Class::Sqli) && two.contains(Class::Evasion) && !two.contains(Class::Xss));
        assert!(!Classes::ALL.without(Class::Xss).contains(Class::Xss));
    }
}
