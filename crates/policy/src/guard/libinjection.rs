//! A second opinion from libinjection, which reads SQL and HTML as tokens.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;

/// What libinjection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Confirm {
    /// Whether the text is an injection of SQL.
    LibinjectionSqli,
    /// Whether the text is an injection of HTML.
    LibinjectionXss,
}

impl Confirm {
    /// How many bytes of a text of `length` are looked at, each look counted. All of it is: SQL may stand behind any length of white
    /// space, which is no token, and HTML is read to the end, in five contexts.
    pub(super) fn work(self, length: usize) -> usize {
        match self {
            Self::LibinjectionSqli => length.saturating_mul(6),
            Self::LibinjectionXss => length.saturating_mul(10),
        }
    }

    /// Whether it is an injection. A text that libinjection cannot read is one.
    pub(super) fn agrees(self, text: &[u8]) -> bool {
        let judge = || match self {
            Self::LibinjectionSqli => libinjectionrs::detect_sqli(text).is_injection(),
            Self::LibinjectionXss => libinjectionrs::detect_xss(text).is_injection(),
        };
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or(true)
    }
}
