//! Identity by JWT, as it is written and as it is checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Place as Where, Problems, Size, Table, Time};

use super::algorithm::Algorithm;
use super::cache::Times;
use super::discovery::document_of;
use super::source::read_file;
use crate::credential::{MAX_CREDENTIAL, Place, RawPlace};
use crate::fetch::{Endpoint, FetchConfig, RawFetch};
use crate::file::Stamp;
use crate::identity::claims::{ClaimRules, RequiredClaim};
use crate::secret::{RawSecret, Secret};

/// Signed tokens (JWT, RFC 7519), verified here with the issuer's keys. What a token itself says about its key or algorithm
/// is never enough: `alg` has to be in the list and the key's own, `jku`, `jwk`, `x5u` and `x5c` are not looked at, and a
/// token with `crit` is refused.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawJwt {
    /// What the claim `iss` has to be, to the letter.
    pub issuer: At<String>,
    /// One of these has to be in the claim `aud`: the name that the issuer has for this service.
    #[serde(default)]
    pub audience: OneOrMany<String>,
    /// Takes tokens whatever their audience: whoever gets one for another service of the issuer can use it here.
    #[serde(default)]
    pub dangerous_any_audience: At<bool>,
    /// Where the keys are that tokens are signed with.
    pub keys: At<RawKeys>,
    /// The algorithms that are taken. Default: all but `HS...`; with a `secret`, these alone.
    #[serde(default)]
    pub algorithms: Vec<At<Algorithm>>,
    /// What the header `typ` has to be, such as `at+jwt`, without `application/`. Default: anything.
    #[serde(default)]
    pub typ: OneOrMany<String>,
    /// The claim that names the subject: its name, or a JSON pointer to it such as `/user/id`. Its value is a text of up to
    /// 256 characters or a whole number. Default: `sub`.
    #[serde(default)]
    pub subject: Option<At<String>>,
    /// Words that all have to be in the claim `scope` or `scp`.
    #[serde(default)]
    pub scopes: OneOrMany<String>,
    /// Claims that have to be there, by name or JSON pointer: each with its value, a list of values of which one is enough,
    /// or `'*'` for any. Of a claim that is a list, one entry has to match.
    #[serde(default)]
    pub claims: Table<OneOrMany<String>>,
    /// By how much the issuer's clock may differ from ours: tokens and their sessions live so much longer. Default: 30s; 0s
    /// to 5m.
    #[serde(default)]
    pub leeway: Option<At<Time>>,
    /// The longest time from `iat` to `exp` that is taken; both have to be there then. Default: no limit.
    #[serde(default)]
    pub max_lifetime: Option<At<Time>>,
    /// Takes tokens without `exp`: who has one can use it until the key is changed, and its sessions do not end.
    #[serde(default)]
    pub dangerous_allow_no_expiry: At<bool>,
    /// Where in a request the token stands: one place or more, of which a request uses one. Default: the header
    /// `Authorization`.
    #[serde(default)]
    pub from: Vec<At<RawPlace>>,
    /// The longest token that is looked at. Default: 8KiB; 512 to 16KiB. A session keeps its token's claims, which take at
    /// most 16 times that in memory.
    #[serde(default)]
    pub max_token_size: Option<At<Size>>,
    /// How old keys become before they are fetched again, in the background. Default: 10m, for a file 5s; 1s to 1d.
    #[serde(default)]
    pub refresh: Option<At<Time>>,
    /// How long keys serve when they cannot be fetched again. Then requests are answered with 503. Default: 1d; 1m to 30d.
    #[serde(default)]
    pub stale: Option<At<Time>>,
    /// A token of an unknown key has the keys fetched anew, but not sooner than this after the last time, however many such
    /// tokens come. Default: 30s; 1s to 1h.
    #[serde(default)]
    pub refresh_cooldown: Option<At<Time>>,
    /// The most keys that are taken, 1 to 1000; default: 64. More are an error, and the last keys go on to serve. Each takes up
    /// to 8KiB while it is fetched, and 1KiB from then on.
    #[serde(default)]
    pub max_keys: Option<At<usize>>,
    /// How the issuer is reached.
    #[serde(default)]
    pub fetch: RawFetch,
}

/// Where the keys are that tokens are signed with. One of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawKeys {
    /// The JWK set that the issuer's discovery document names, `ISSUER/.well-known/openid-configuration`. The document has
    /// to be this issuer's.
    Discovery,
    /// A JWK set at this URL.
    JwksUrl(String),
    /// A file with a JWK set, or with public keys in PEM. It is read again when it changes.
    File(PathBuf),
    /// A secret that the issuer shares, at least 32 characters. Whoever can verify tokens with it can make them as well: take
    /// it only where the issuer knows nothing else.
    Secret(RawSecret),
}

/// Identity by JWT, checked and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtConfig {
    /// What the claims have to say.
    pub rules: ClaimRules,
    /// Where the keys are.
    pub keys: KeysConfig,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` has to be; empty for anything.
    pub typ: Vec<String>,
    /// Where in a request the token stands.
    pub places: Vec<Place>,
    /// The longest token that is looked at, in bytes.
    pub max_token_size: usize,
    /// When keys are fetched, and how long they serve.
    pub times: Times,
    /// The most keys that are taken.
    pub max_keys: usize,
}

/// Where the keys are that tokens are signed with, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum KeysConfig {
    /// In the JWK set that this document names.
    Discovery(Endpoint, FetchConfig),
    /// In the JWK set at this URL.
    Url(Endpoint, FetchConfig),
    /// In this file.
    File(PathBuf),
    /// A shared secret.
    Secret(Secret),
}

const DEFAULT_LEEWAY: Time = Time::secs(30);
const DEFAULT_TOKEN_SIZE: Size = Size(8 << 10);
const DEFAULT_MAX_KEYS: usize = 64;
const DEFAULT_REFRESH: Time = Time::secs(600);
const DEFAULT_REFRESH_FILE: Time = Time::secs(5);
const DEFAULT_STALE: Time = Time::secs(86_400);
const DEFAULT_COOLDOWN: Time = Time::secs(30);
/// How long the reading of a file may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);
/// RFC 7518 section 3.2: as long as the hash, at least.
const MIN_SECRET: usize = 32;
/// `check` warns of tokens that may live longer.
const LONG_LIFE: Time = Time::secs(86_400);

impl RawJwt {
    /// Checks the values, and reads the key file or secret; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<JwtConfig> {
        self.warn(problems);
        let max_keys = self.max_keys.clone().unwrap_or(At::nowhere(DEFAULT_MAX_KEYS));
        let max_keys = problems.in_range("max_keys", &max_keys, 1..=1000);
        let size = self.max_token_size.clone().unwrap_or(At::nowhere(DEFAULT_TOKEN_SIZE));
        let size = problems.in_range("max_token_size", &size, Size(512)..=Size(MAX_CREDENTIAL as u64));
        let times = self.times(problems);
        let algorithms = self.algorithms(problems);
        if self.audience.is_empty() && !self.dangerous_any_audience.value {
            let help = "give `audience`, the name that the issuer has for this service";
            problems.error(self.issuer.place, "tokens for any audience would be taken", help);
        }
        let keys = self.keys.place;
        let keys = check_keys(self.keys.value, keys, &self.issuer, self.fetch, max_keys, problems);
        let mut places: Vec<Place> =
            self.from.into_iter().filter_map(|place| RawPlace::check(place, problems)).collect();
        if places.is_empty() {
            places.push(Place::Bearer);
        }
        let leeway = self.leeway.unwrap_or(At::nowhere(DEFAULT_LEEWAY));
        let rules = ClaimRules {
            issuer: Some(self.issuer.value),
            audience: self.audience.0,
            scopes: self.scopes.0,
            required: RequiredClaim::check(self.claims, problems),
            subject: self.subject.map_or("sub".into(), |name| name.value.into()),
            leeway: problems.in_range("leeway", &leeway, Time::secs(0)..=Time::secs(300)).0,
            max_lifetime: self.max_lifetime.map(|most| most.value.0),
            needs_expiry: !self.dangerous_allow_no_expiry.value,
        };
        let keys = keys?;
        let timeout = match &keys {
            KeysConfig::Discovery(_, fetch) | KeysConfig::Url(_, fetch) => fetch.timeout,
            KeysConfig::File(_) | KeysConfig::Secret(_) => FILE_TIMEOUT,
        };
        Some(JwtConfig {
            rules,
            keys,
            algorithms,
            typ: self.typ.0,
            places,
            max_token_size: usize::try_from(size.0).unwrap_or(MAX_CREDENTIAL),
            times: Times { timeout, ..times },
            max_keys,
        })
    }

    fn warn(&self, problems: &mut Problems) {
        if self.dangerous_any_audience.value {
            let what = "tokens that the issuer gave for other services are taken";
            problems.warning(self.dangerous_any_audience.place, what, "give `audience` instead");
        }
        if self.dangerous_allow_no_expiry.value {
            let what = "tokens without `exp` are taken, and their sessions do not end";
            problems.warning(self.dangerous_allow_no_expiry.place, what, "have the issuer set `exp`");
        }
        if let Some(most) = self.max_lifetime.as_ref().filter(|most| most.value > LONG_LIFE) {
            let what = format!("tokens may live for {}", most.value);
            problems.warning(most.place, what, "a stolen token serves as long: give `1d` or less");
        }
    }

    fn times(&self, problems: &mut Problems) -> Times {
        if matches!(self.keys.value, RawKeys::Secret(_)) {
            for (key, at) in [
                ("refresh", &self.refresh),
                ("stale", &self.stale),
                ("refresh_cooldown", &self.refresh_cooldown),
            ] {
                if let Some(at) = at {
                    let what = format!("`{key}` means nothing beside `secret`");
                    problems.error(at.place, what, "remove it: a secret is not fetched");
                }
            }
        }
        let default = match self.keys.value {
            RawKeys::File(_) => DEFAULT_REFRESH_FILE,
            _ => DEFAULT_REFRESH,
        };
        let refresh = self.refresh.clone().unwrap_or(At::nowhere(default));
        let stale = self.stale.clone().unwrap_or(At::nowhere(DEFAULT_STALE));
        let cooldown = self.refresh_cooldown.clone().unwrap_or(At::nowhere(DEFAULT_COOLDOWN));
        let times = Times {
            refresh: problems.in_range("refresh", &refresh, Time::secs(1)..=Time::secs(86_400)).0,
            stale: problems.in_range("stale", &stale, Time::secs(60)..=Time::secs(30 * 86_400)).0,
            cooldown: problems.in_range("refresh_cooldown", &cooldown, Time::secs(1)..=Time::secs(3600)).0,
            timeout: FILE_TIMEOUT,
        };
        if times.stale < times.refresh {
            let what =
                "`stale` is shorter than `refresh`: keys would be too old before they are fetched again";
            problems.error(stale.place, what, "make it longer, or `refresh` shorter");
        }
        times
    }

    fn algorithms(&self, problems: &mut Problems) -> Vec<Algorithm> {
        let shared = matches!(self.keys.value, RawKeys::Secret(_));
        for wrong in self.algorithms.iter().filter(|algorithm| algorithm.is_hmac() != shared) {
            let (what, help) = match shared {
                true => ("is for key pairs, and the key is a secret", "take HS256, HS384 or HS512"),
                false => {
                    ("is for shared secrets, and the keys are public", "take RS256, ES256 or another one")
                }
            };
            problems.error(wrong.place, format!("`{:?}` {what}", wrong.value), help);
        }
        match (self.algorithms.is_empty(), shared) {
            (false, _) => self.algorithms.iter().map(|algorithm| algorithm.value).collect(),
            (true, true) => Algorithm::HMAC.to_vec(),
            (true, false) => Algorithm::ASYMMETRIC.to_vec(),
        }
    }
}

fn check_keys(
    raw: RawKeys,
    place: Where,
    issuer: &At<String>,
    fetch: RawFetch,
    max_keys: usize,
    problems: &mut Problems,
) -> Option<KeysConfig> {
    match raw {
        RawKeys::Discovery => {
            let fetch = fetch.check(place, problems)?;
            let document = document_of(issuer);
            let document = At { value: document, place: issuer.place };
            Some(KeysConfig::Discovery(fetch.endpoint(&document, problems)?, fetch))
        }
        RawKeys::JwksUrl(url) => {
            let fetch = fetch.check(place, problems)?;
            Some(KeysConfig::Url(fetch.endpoint(&At { value: url, place }, problems)?, fetch))
        }
        RawKeys::File(path) => {
            check_file(&path, place, max_keys, problems);
            Some(KeysConfig::File(path))
        }
        RawKeys::Secret(secret) => {
            let secret = At { value: secret, place };
            RawSecret::check(secret, "the secret of tokens", MIN_SECRET, problems).map(KeysConfig::Secret)
        }
    }
}

fn check_file(path: &Path, place: Where, max_keys: usize, problems: &mut Problems) {
    match read_file(path, Stamp::NONE, max_keys) {
        Ok(Some((keys, _))) if keys.is_empty() => {
            let what = format!("{} holds no key that can verify a token", path.display());
            problems.error(place, what, "write the issuer's public keys to it: RSA, P-256, P-384 or Ed25519");
        }
        Ok(_) => {}
        Err(error) => {
            let help = "write a JWK set to it, or public keys in PEM";
            problems.error(place, format!("the keys cannot be read: {error}"), help);
        }
    }
}
