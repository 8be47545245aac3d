//! What claims have to say, whoever vouches for them: a signature or an introspection endpoint.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wicketgate_config::{OneOrMany, Problems, Table};

use super::{Claims, Denied};

/// What claims have to say.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRules {
    /// What `iss` has to be; `None` where it is not asked for.
    pub issuer: Option<String>,
    /// One of these has to be in `aud`; empty where it is not asked for.
    pub audience: Vec<String>,
    /// All of these have to be in `scope` or `scp`.
    pub scopes: Vec<String>,
    /// Claims that are asked for besides.
    pub required: Vec<RequiredClaim>,
    /// The claim that names the subject.
    pub subject: Box<str>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// The longest time from `iat` to `exp`; `None` where it is not asked for.
    pub max_lifetime: Option<Duration>,
    /// Whether `exp` has to be there.
    pub needs_expiry: bool,
}

/// A claim that has to be there, with one of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredClaim {
    name: Box<str>,
    /// Empty for any.
    values: Vec<String>,
}

/// What good claims say.
#[derive(Debug, PartialEq)]
pub struct Judged {
    /// Who it is.
    pub subject: Arc<str>,
    /// When they were issued.
    pub issued: Option<SystemTime>,
    /// Until when they are good, leeway included.
    pub expires: Option<SystemTime>,
}

/// The value that stands for any.
const ANY: &str = "*";
/// Longer subjects and token ids are refused or replaced: they stand in logs, headers and tables.
const MAX_NAME: usize = 256;
/// The year 9999: what lies behind is no date, and arithmetic with what lies before cannot overflow.
const MAX_DATE: f64 = 253_402_300_799.0;

impl RequiredClaim {
    /// A claim, by its name or a JSON pointer to it, that has to have one of these values; with none of them, any.
    pub fn new(name: &str, values: Vec<String>) -> Self {
        Self { name: name.into(), values }
    }

    /// Reads a mapping from claims to their values; what is wrong goes to `problems`.
    pub fn check(table: Table<OneOrMany<String>>, problems: &mut Problems) -> Vec<Self> {
        let check = |(name, OneOrMany(mut values)): (wicketgate_config::At<String>, OneOrMany<String>)| {
            if values.is_empty() {
                let what = format!("the claim `{}` may have none of no values", name.value);
                problems.error(name.place, what, "give a value, a list of them, or '*' for any");
            }
            if values.iter().any(|value| value == ANY) {
                values.clear();
            }
            Self { name: name.value.into(), values }
        };
        table.0.into_iter().map(check).collect()
    }

    /// Whether the claims have it.
    pub fn is_met(&self, claims: &Claims) -> bool {
        match find(claims, &self.name) {
            None | Some(Value::Null) => false,
            Some(found) => self.values.is_empty() || self.values.iter().any(|wanted| says(found, wanted)),
        }
    }
}

impl ClaimRules {
    /// Judges claims, at the time `now`.
    ///
    /// # Errors
    /// The first claim that is not as it has to be.
    pub fn judge(&self, claims: &Claims, now: SystemTime) -> Result<Judged, Denied> {
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Denied::Issuer);
        }
        if !self.audience.is_empty() && !self.is_for_us(claims) {
            return Err(Denied::Audience);
        }
        let (issued, expires) = self.times(claims, now)?;
        let subject = self.subject(claims)?;
        if let Some(unmet) = self.required.iter().find(|required| !required.is_met(claims)) {
            return Err(Denied::Insufficient(unmet.name.to_string()));
        }
        if !self.scopes.iter().all(|scope| scopes(claims).any(|granted| granted == scope)) {
            return Err(Denied::Insufficient("scope".into()));
        }
        Ok(Judged { subject, issued, expires })
    }

    fn is_for_us(&self, claims: &Claims) -> bool {
        let ours =
            |audience: &Value| audience.as_str().is_some_and(|name| self.audience.iter().any(|a| a == name));
        match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(ours),
            Some(audience) => ours(audience),
            None => false,
        }
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6.
    fn times(
        &self,
        claims: &Claims,
        now: SystemTime,
    ) -> Result<(Option<SystemTime>, Option<SystemTime>), Denied> {
        let [expires, not_before, issued] =
            [date(claims, "exp")?, date(claims, "nbf")?, date(claims, "iat")?];
        if expires.is_none() && self.needs_expiry {
            return Err(Denied::Claim("exp".into()));
        }
        let expires = expires.map(|expires| (expires, expires + self.leeway));
        if expires.is_some_and(|(_, end)| now >= end) {
            return Err(Denied::Expired);
        }
        let latest = now + self.leeway;
        if not_before.is_some_and(|date| date > latest) || issued.is_some_and(|date| date > latest) {
            return Err(Denied::NotYetValid);
        }
        if let Some(most) = self.max_lifetime {
            let (expires, _) = expires.ok_or_else(|| Denied::Claim("exp".into()))?;
            let issued = issued.ok_or_else(|| Denied::Claim("iat".into()))?;
            if expires.duration_since(issued).is_ok_and(|life| life > most) {
                return Err(Denied::Claim("exp".into()));
            }
        }
        Ok((issued, expires.map(|(_, end)| end)))
    }

    fn subject(&self, claims: &Claims) -> Result<Arc<str>, Denied> {
        let subject = match find(claims, &self.subject) {
            Some(Value::String(name)) if is_name(name) => name.as_str().into(),
            Some(Value::Number(number)) if number.is_u64() => number.to_string().into(),
            _ => return Err(Denied::Claim(self.subject.to_string())),
        };
        Ok(subject)
    }
}

/// The token's own name for itself, where it has one that logs can bear.
pub fn token_id(claims: &Claims) -> Option<Arc<str>> {
    claims.get("jti").and_then(Value::as_str).filter(|name| is_name(name)).map(Arc::from)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

/// A claim by its name, or by a JSON pointer (RFC 6901) where that begins with a slash.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    let Some(path) = name.strip_prefix('/') else { return claims.get(name) };
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let found = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(found), |rest| found.pointer(&format!("/{rest}")))
}

/// Whether a claim is `wanted`, or holds it in a list.
fn says(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Bool(yes) => wanted == if *yes { "true" } else { "false" },
        Value::Number(number) => number.to_string() == wanted,
        Value::Array(items) => items.iter().any(|item| !item.is_array() && says(item, wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

/// RFC 8693 section 4.2: words in one text; some providers write a list, or call it `scp`.
fn scopes(claims: &Claims) -> impl Iterator<Item = &str> {
    let found = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name));
    let texts = found.flat_map(|found| match found {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    });
    texts.filter_map(Value::as_str).flat_map(|text| text.split(' '))
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction.
fn date(claims: &Claims, name: &str) -> Result<Option<SystemTime>, Denied> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    match value.as_f64() {
        Some(seconds) if (0.0..=MAX_DATE).contains(&seconds) => {
            Ok(Some(UNIX_EPOCH + Duration::from_secs_f64(seconds)))
        }
        _ => Err(Denied::Claim(name.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn rules() -> ClaimRules {
        ClaimRules {
            issuer: Some("https://id.example".into()),
            audience: vec!["chat".into(), "calls".into()],
            scopes: Vec::new(),
            required: Vec::new(),
            subject: "sub".into(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            needs_expiry: true,
        }
    }

    /// Good claims with these changes; `null` takes one out.
    fn claims(changes: Value) -> Claims {
        let good =
            json!({"iss": "https://id.example", "aud": "chat", "sub": "ann", "exp": NOW + 60, "iat": NOW});
        let mut claims = good.as_object().unwrap().clone();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.remove(name)),
                value => drop(claims.insert(name.clone(), value.clone())),
            }
        }
        claims
    }

    fn judged(rules: &ClaimRules, changes: Value) -> Result<Judged, Denied> {
        rules.judge(&claims(changes), UNIX_EPOCH + Duration::from_secs(NOW))
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn good_claims_are_taken() {
        let expected = Judged { subject: "ann".into(), issued: at(NOW), expires: at(NOW + 90) };
        assert_eq!(judged(&rules(), json!({})).unwrap(), expected);
        for changes in [
            json!({"aud": ["other", "calls"]}),
            json!({"exp": NOW - 29}),
            json!({"nbf": NOW + 30, "iat": NOW + 30}),
            json!({"exp": NOW as f64 + 0.5, "iat": null}),
            json!({"sub": 17}),
        ] {
            assert!(judged(&rules(), changes.clone()).is_ok(), "{changes}");
        }
    }

    #[test]
    fn each_bad_claim_has_its_word() {
        let claim = |name: &str| Denied::Claim(name.into());
        for (changes, denied) in [
            (json!({"iss": "https://id.example/"}), Denied::Issuer),
            (json!({"iss": ["https://id.example"]}), Denied::Issuer),
            (json!({"iss": null}), Denied::Issuer),
            (json!({"aud": "Chat"}), Denied::Audience),
            (json!({"aud": []}), Denied::Audience),
            (json!({"aud": {"chat": "chat"}}), Denied::Audience),
            (json!({"aud": null}), Denied::Audience),
            (json!({"exp": NOW - 30}), Denied::Expired),
            (json!({"exp": 0}), Denied::Expired),
            (json!({"exp": null}), claim("exp")),
            (json!({"exp": "1900000000"}), claim("exp")),
            (json!({"exp": -1}), claim("exp")),
            (json!({"exp": 1e300}), claim("exp")),
            (json!({"exp": true}), claim("exp")),
            (json!({"nbf": NOW + 31}), Denied::NotYetValid),
            (json!({"nbf": "soon"}), claim("nbf")),
            (json!({"iat": NOW + 31}), Denied::NotYetValid),
            (json!({"sub": null}), claim("sub")),
            (json!({"sub": ""}), claim("sub")),
            (json!({"sub": "a\nb"}), claim("sub")),
            (json!({"sub": "a".repeat(257)}), claim("sub")),
            (json!({"sub": ["ann"]}), claim("sub")),
        ] {
            assert_eq!(judged(&rules(), changes.clone()).unwrap_err(), denied, "{changes}");
        }
    }

    #[test]
    fn a_life_may_be_too_long() {
        let rules = ClaimRules { max_lifetime: Some(Duration::from_secs(60)), ..rules() };
        assert!(judged(&rules, json!({})).is_ok());
        assert_eq!(judged(&rules, json!({"exp": NOW + 61})).unwrap_err(), Denied::Claim("exp".into()));
        assert_eq!(judged(&rules, json!({"iat": null})).unwrap_err(), Denied::Claim("iat".into()));
    }

    #[test]
    fn required_claims_and_scopes_are_asked_for() {
        let required = |name: &str, values: &[&str]| RequiredClaim {
            name: name.into(),
            values: values.iter().map(|&value| value.into()).collect(),
        };
        let rules = ClaimRules {
            scopes: vec!["read".into(), "chat".into()],
            required: vec![
                required("tenant", &["a", "b"]),
                required("/realm/ro~1les", &["true"]),
                required("email", &[]),
            ],
            ..rules()
        };
        let good =
            json!({"scope": "chat read", "tenant": ["x", "b"], "realm": {"ro/les": true}, "email": "e"});
        assert_eq!(judged(&rules, good.clone()).map(drop), Ok(()));
        for (name, value, told) in [
            ("scope", json!("chats read"), "scope"),
            ("scope", json!(null), "scope"),
            ("tenant", json!("c"), "tenant"),
            ("tenant", json!([["a"]]), "tenant"),
            ("realm", json!({"roles": true}), "/realm/ro~1les"),
            ("email", json!(null), "email"),
        ] {
            let mut changes = good.clone();
            changes[name] = value;
            let denied = judged(&rules, changes.clone()).unwrap_err();
            assert_eq!(denied, Denied::Insufficient(told.into()), "{changes}");
        }
        let listed = json!({"scope": null, "scp": ["read", "chat"], "tenant": "a", "realm": {"ro/les": "true"}, "email": 1});
        assert!(judged(&rules, listed).is_ok());
    }
}
