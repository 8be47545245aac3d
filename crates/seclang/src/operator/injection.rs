//! libinjection's opinion.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Injection {
    Sql,
    Html,
}

impl Injection {
    /// Whether a value is an injection. One that libinjection cannot read is.
    pub(crate) fn is_in(self, value: &[u8]) -> bool {
        if self == Self::Sql && is_word(value) {
            return false;
        }
        let judge = || match self {
            Self::Sql => libinjectionrs::detect_sqli(value).is_injection(),
            Self::Html => libinjectionrs::detect_xss(value).is_injection(),
        };
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or(true)
    }

    /// How often it reads each byte.
    pub(crate) const fn passes(self) -> usize {
        match self {
            Self::Sql => 6,
            Self::Html => 10,
        }
    }
}

/// Whether it is one word: one token for libinjection, and no injection has a single one of these.
fn is_word(value: &[u8]) -> bool {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    value.first().is_some_and(u8::is_ascii_alphabetic) && value.iter().all(is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_word_is_no_injection(word in "[a-zA-Z][a-zA-Z0-9_]{0,40}") {
            proptest::prop_assert!(!libinjectionrs::detect_sqli(word.as_bytes()).is_injection());
        }
    }

    #[test]
    fn words_of_the_language_are_none_alone() {
        for word in [
            "select",
            "UNION",
            "sleep",
            "NULL",
            "null_",
            "x0",
            "e1",
            "N",
            "information_schema",
            "current_user",
        ] {
            assert!(is_word(word.as_bytes()));
            assert!(!libinjectionrs::detect_sqli(word.as_bytes()).is_injection(), "{word}");
        }
        for other in ["", "1", "0x1", "a b", "a'", "a.b", "\u{e4}"] {
            assert!(!is_word(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn padding_hides_nothing() {
        for padding in [" ", "/**/", "(", "+", "\n", "--\n", "a,", "$a$"] {
            let padded = padding.repeat(10_000) + "1' or '1'='1";
            assert!(Injection::Sql.is_in(padded.as_bytes()), "{padding:?}");
        }
    }
}
