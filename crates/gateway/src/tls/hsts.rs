//! HTTP Strict Transport Security (RFC 6797): browsers come by TLS alone, for as long as they were told.

use std::time::Duration;

use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Time};

/// The header `Strict-Transport-Security` in all answers of the listener, refusals too, unless a backend set its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawHsts {
    /// For how long a browser comes by TLS alone, from its last visit. Default: `365d`. `0s` makes it forget.
    pub max_age: At<Time>,
    /// Whether the same holds for every name below the site's.
    pub include_subdomains: bool,
    /// Whether browsers may ship the site in their list of such sites, from which it is hard to get off again. Takes
    /// `include_subdomains` and a `max_age` of at least 365d.
    pub preload: At<bool>,
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

impl Default for RawHsts {
    fn default() -> Self {
        Self { max_age: At::nowhere(Time(YEAR)), include_subdomains: false, preload: At::default() }
    }
}

impl RawHsts {
    /// Makes the header's value; what is wrong goes to `problems`.
    pub(super) fn check(self, problems: &mut Problems) -> Option<HeaderValue> {
        let max_age = self.max_age.value.0;
        if self.preload.value && (!self.include_subdomains || max_age < YEAR) {
            problems.error(
                self.preload.place,
                "browsers' lists do not take this site",
                "add `include_subdomains: true` and a `max_age` of at least 365d, or remove `preload`",
            );
        }
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if self.preload.value { "; preload" } else { "" };
        let value = format!("max-age={}{subdomains}{preload}", max_age.as_secs());
        HeaderValue::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_header_says_what_was_configured() {
        let value = |raw: RawHsts| raw.check(&mut Problems::default()).unwrap();
        assert_eq!(value(RawHsts::default()), "max-age=31536000");
        let all = RawHsts { include_subdomains: true, preload: At::nowhere(true), ..RawHsts::default() };
        assert_eq!(value(all), "max-age=31536000; includeSubDomains; preload");
        let mut problems = Problems::default();
        RawHsts { preload: At::nowhere(true), ..RawHsts::default() }.check(&mut problems);
        assert!(problems.has_errors());
    }
}
