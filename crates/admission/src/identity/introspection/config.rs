//! Identity by introspection, as it is written and as it is checked.

use std::time::Duration;

use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems, Size, Table, Time};

use crate::credential::{MAX_CREDENTIAL, Place, RawPlace};
use crate::fetch::{Endpoint, FetchConfig, RawFetch, basic};
use crate::identity::claims::{ClaimRules, RequiredClaim};
use crate::secret::{RawSecret, Secret};

/// Opaque tokens: the authorisation server is asked what each is (RFC 7662). Answers are kept for a while, by a hash of the
/// token, and many requests with the same token are one question.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIntrospection {
    /// The introspection endpoint.
    pub url: At<String>,
    /// Who we are to the authorisation server.
    pub credentials: At<RawCredentials>,
    /// What `iss` has to be, to the letter. Default: it is not asked for, since the endpoint answers for its own tokens.
    #[serde(default)]
    pub issuer: Option<At<String>>,
    /// One of these has to be in `aud`. Without this key tokens that were given for other services are taken as well.
    #[serde(default)]
    pub audience: OneOrMany<String>,
    /// Words that all have to be in `scope`.
    #[serde(default)]
    pub scopes: OneOrMany<String>,
    /// What else the answer has to say: members by name or JSON pointer, each with its value, a list of values of which one
    /// is enough, or `'*'` for any.
    #[serde(default)]
    pub claims: Table<OneOrMany<String>>,
    /// The member of the answer that names the subject. Default: `sub`; for tokens of programs it may be `client_id`.
    #[serde(default)]
    pub subject: Option<At<String>>,
    /// By how much the server's clock may differ from ours. Default: 30s; 0s to 5m.
    #[serde(default)]
    pub leeway: Option<At<Time>>,
    /// Where in a request the token stands: one place or more, of which a request uses one. Default: the header
    /// `Authorization`.
    #[serde(default)]
    pub from: Vec<At<RawPlace>>,
    /// The longest token that is asked about. Default: 8KiB; 16 to 16KiB.
    #[serde(default)]
    pub max_token_size: Option<At<Size>>,
    /// How long an active token is taken for active without another question, but never longer than it lives. A revoked
    /// token opens sessions so much longer. Default: 60s; 0s to 1h.
    #[serde(default)]
    pub cache: Option<At<Time>>,
    /// How long a token that is not active is taken for that. Default: 10s; 0s to 1h.
    #[serde(default)]
    pub cache_denials: Option<At<Time>>,
    /// The answers that are kept: so many of active tokens, and so many of others. Then the oldest one goes. Default: 10000; 100
    /// to 1000000. One takes some 2KiB, and at most 16 times `max_answer`.
    #[serde(default)]
    pub max_cached: Option<At<usize>>,
    /// The largest answer that is taken. Default: 16KiB; 1KiB to 256KiB.
    #[serde(default)]
    pub max_answer: Option<At<Size>>,
    /// The questions that are asked at the same time; more wait, for as long as one question may take. Default: 32; 1 to 1000.
    #[serde(default)]
    pub max_concurrent: Option<At<usize>>,
    /// How often the tokens of open sessions are asked about again: a session whose token is not active any more ends. Default:
    /// 60s; 1s to 1d.
    #[serde(default)]
    pub recheck: Option<At<Time>>,
    /// How the authorisation server is reached.
    #[serde(default)]
    pub fetch: RawFetch,
}

/// Who we are to the authorisation server. One of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawCredentials {
    /// Client id and secret, sent as HTTP Basic authentication (RFC 6749 section 2.3.1).
    Client(RawClient),
    /// A token of our own.
    Bearer(RawSecret),
}

/// A client that the authorisation server knows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: At<RawSecret>,
}

/// Identity by introspection, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct IntrospectionConfig {
    /// Who is asked.
    pub endpoint: Endpoint,
    /// How.
    pub fetch: FetchConfig,
    /// What `Authorization` says to that.
    pub authorization: Secret,
    /// What the answer has to say.
    pub rules: ClaimRules,
    /// Where in a request the token stands.
    pub places: Vec<Place>,
    /// The longest token that is asked about, in bytes.
    pub max_token_size: usize,
    /// How long a good answer serves.
    pub cache: Duration,
    /// How long a bad one does.
    pub cache_denials: Duration,
    /// How many of each are kept.
    pub max_cached: usize,
    /// The largest answer, in bytes.
    pub max_answer: usize,
    /// The questions at the same time.
    pub max_concurrent: usize,
    /// How often the tokens of open sessions are asked about.
    pub recheck: Duration,
}

impl RawIntrospection {
    /// Checks the values and reads the secrets; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<IntrospectionConfig> {
        let fetch = self.fetch.check(self.url.place, problems);
        let authorization = check_credentials(self.credentials, problems);
        let mut places: Vec<Place> =
            self.from.into_iter().filter_map(|place| RawPlace::check(place, problems)).collect();
        if places.is_empty() {
            places.push(Place::Bearer);
        }
        let mut time = |name, at: Option<At<Time>>, default, least, most| {
            problems.in_range(name, &at.unwrap_or(At::nowhere(default)), least..=most).0
        };
        let (zero, hour) = (Time::secs(0), Time::secs(3600));
        let leeway = time("leeway", self.leeway, Time::secs(30), zero, Time::secs(300));
        let cache = time("cache", self.cache, Time::secs(60), zero, hour);
        let cache_denials = time("cache_denials", self.cache_denials, Time::secs(10), zero, hour);
        let recheck = time("recheck", self.recheck, Time::secs(60), Time::secs(1), Time::secs(86_400));
        let mut number = |name, at: Option<At<usize>>, default, least, most| {
            problems.in_range(name, &at.unwrap_or(At::nowhere(default)), least..=most)
        };
        let max_cached = number("max_cached", self.max_cached, 10_000, 100, 1_000_000);
        let max_concurrent = number("max_concurrent", self.max_concurrent, 32, 1, 1000);
        let mut size = |name, at: Option<At<Size>>, default, least, most| {
            let at = at.unwrap_or(At::nowhere(Size(default)));
            usize::try_from(problems.in_range(name, &at, Size(least)..=Size(most)).0).unwrap_or(usize::MAX)
        };
        let longest = MAX_CREDENTIAL as u64;
        let max_token_size = size("max_token_size", self.max_token_size, 8 << 10, 16, longest);
        let max_answer = size("max_answer", self.max_answer, 16 << 10, 1 << 10, 256 << 10);
        let rules = ClaimRules {
            issuer: self.issuer.map(|issuer| issuer.value),
            audience: self.audience.0,
            scopes: self.scopes.0,
            required: RequiredClaim::check(self.claims, problems),
            subject: self.subject.map_or("sub".into(), |name| name.value.into()),
            leeway,
            max_lifetime: None,
            // RFC 7662 section 2.2: it is optional, and the server is asked again before long.
            needs_expiry: false,
        };
        let fetch = fetch?;
        let endpoint = fetch.endpoint(&self.url, problems)?;
        Some(IntrospectionConfig {
            endpoint,
            fetch,
            authorization: authorization?,
            rules,
            places,
            max_token_size,
            cache,
            cache_denials,
            max_cached,
            max_answer,
            max_concurrent,
            recheck,
        })
    }
}

/// What `Authorization` says.
fn check_credentials(raw: At<RawCredentials>, problems: &mut Problems) -> Option<Secret> {
    let place = raw.place;
    let text = match raw.value {
        RawCredentials::Client(RawClient { id, secret }) => {
            let secret = RawSecret::check(secret, "the client's secret", 1, problems)?;
            basic(&id, &secret).reveal().to_owned()
        }
        RawCredentials::Bearer(token) => {
            let token = RawSecret::check(At { value: token, place }, "the bearer token", 1, problems)?;
            format!("Bearer {}", token.reveal())
        }
    };
    if HeaderValue::from_str(&text).is_err() {
        let what = "the token for the authorisation server has characters that no header takes";
        problems.error(place, what, "give it as it was issued, in ASCII");
        return None;
    }
    Some(Secret::new(text))
}
