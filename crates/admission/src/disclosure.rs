//! What upstreams are told of who was admitted: headers, and a token signed by us.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use wicketgate_config::{At, Place, Problems, Table, Time};

use super::identity::Identity;
use super::secret::{RawSecret, Secret};

/// What upstreams are told of who was admitted. Whatever clients send under these names, on any route, is removed, and so
/// are all names that begin with `X-Wicketgate-`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawIdentityHeaders {
    /// The header for the subject, or `off`. The default is `X-Wicketgate-Subject`. In this and the other values what is no
    /// printable ASCII character, and `%` itself, is percent-encoded as UTF-8.
    pub subject: Option<At<String>>,
    /// The header for the name of the method that vouches. Default: none.
    pub method: Option<At<String>>,
    /// Claims, each with the header for it: `{email: X-Email}`. Items of a list are joined by commas (their own commas are
    /// encoded), objects are JSON; there is no header for a claim that is not there.
    pub claims: Table<At<String>>,
    /// A signed token (JWT) with `iss`, `aud`, `sub`, `iat`, `exp`, `method`, and under `claims` what the client's credential
    /// claims. For upstreams that shall believe nobody but the gateway.
    pub token: Option<At<RawIdentityToken>>,
}

/// A token of ours for upstreams.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIdentityToken {
    /// The header that it stands in. The default is `X-Wicketgate-Token`.
    #[serde(default)]
    pub header: Option<At<String>>,
    /// The private key that signs, in PKCS#8 PEM: P-256 makes ES256, Ed25519 makes EdDSA.
    pub key: At<RawSecret>,
    /// What it says in `kid`. Default: nothing.
    #[serde(default)]
    pub key_id: Option<String>,
    /// What it says in `iss`.
    pub issuer: String,
    /// What it says in `aud`.
    pub audience: String,
    /// How long it is good, 1s to 1h; never longer than the client's credential. The default is 1m.
    #[serde(default)]
    pub lifetime: Option<At<Time>>,
}

/// What upstreams are told of who was admitted, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disclosure {
    subject: Option<HeaderName>,
    method: Option<HeaderName>,
    claims: Vec<(String, HeaderName)>,
    token: Option<Signer>,
}

#[derive(Clone, Debug)]
struct Signer {
    header: HeaderName,
    issuer: String,
    audience: String,
    lifetime: Duration,
    head: Header,
    key: Arc<EncodingKey>,
    /// What the key was made of.
    pem: Secret,
}

impl PartialEq for Signer {
    fn eq(&self, other: &Self) -> bool {
        let told = |signer: &Self| {
            let Self { header, issuer, audience, lifetime, head, pem, .. } = signer;
            (header.clone(), issuer.clone(), audience.clone(), *lifetime, head.kid.clone(), pem.clone())
        };
        told(self) == told(other)
    }
}

/// What is told cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity's token cannot be signed")]
pub struct Unsigned;

/// What every header of ours may begin with.
const FAMILY: &str = "x-wicketgate-";
const SUBJECT: HeaderName = HeaderName::from_static("x-wicketgate-subject");
const TOKEN: &str = "X-Wicketgate-Token";
const DEFAULT_LIFETIME: Time = Time::secs(60);

impl RawIdentityHeaders {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Disclosure {
        let mut names = Names { problems, taken: Vec::new() };
        let subject = match self.subject {
            Some(off) if *off == "off" => None,
            Some(name) => names.take(&name),
            None => Some(SUBJECT),
        };
        let method = self.method.and_then(|name| names.take(&name));
        let mut claims = Vec::new();
        for (claim, name) in self.claims.0 {
            claims.extend(names.take(&name).map(|name| (claim.value, name)));
        }
        let token = self.token.and_then(|raw| raw.value.check(raw.place, &mut names));
        Disclosure { subject, method, claims, token }
    }
}

impl RawIdentityToken {
    fn check(self, place: Place, names: &mut Names<'_>) -> Option<Signer> {
        let header = names.take(&self.header.unwrap_or(At { value: TOKEN.to_owned(), place }))?;
        let problems = &mut *names.problems;
        let lifetime = self.lifetime.unwrap_or(At::nowhere(DEFAULT_LIFETIME));
        let lifetime = problems.in_range("lifetime", &lifetime, Time::secs(1)..=Time::secs(3600)).0;
        let key_place = self.key.place;
        let pem = RawSecret::check(self.key, "the key of identity tokens", 64, problems)?;
        let bytes = pem.reveal().as_bytes();
        let ec = EncodingKey::from_ec_pem(bytes).map(|key| (Algorithm::ES256, key));
        let keys = [ec, EncodingKey::from_ed_pem(bytes).map(|key| (Algorithm::EdDSA, key))];
        // What signs once will sign again: a P-384 key is read as well, and makes no ES256.
        let works = |(algorithm, key): &(Algorithm, EncodingKey)| {
            jsonwebtoken::encode(&Header::new(*algorithm), &json!({}), key).is_ok()
        };
        let Some((algorithm, key)) = keys.into_iter().flatten().find(works) else {
            let help = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
            problems.error(key_place, "this is no PKCS#8 PEM of a P-256 or Ed25519 key", help);
            return None;
        };
        let mut head = Header::new(algorithm);
        head.kid = self.key_id;
        let (issuer, audience) = (self.issuer, self.audience);
        Some(Signer { header, issuer, audience, lifetime, head, key: Arc::new(key), pem })
    }
}

/// Names of headers, each for one thing.
struct Names<'a> {
    problems: &'a mut Problems,
    taken: Vec<HeaderName>,
}

/// Headers that frame the message or belong to one connection, or by which others are told apart.
const FORBIDDEN: [&str; 12] = [
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "origin",
];

impl Names<'_> {
    fn take(&mut self, name: &At<String>) -> Option<HeaderName> {
        let parsed = match HeaderName::from_bytes(name.as_bytes()) {
            Ok(parsed) => parsed,
            Err(_) => {
                let what = format!("`{}` is no name of a header", name.value);
                self.problems.error(name.place, what, "a name has letters, digits and `-`");
                return None;
            }
        };
        let text = parsed.as_str();
        let is_other = text.starts_with("sec-") || text.starts_with("x-forwarded-");
        if is_other || FORBIDDEN.contains(&text) {
            let what = format!("the header `{text}` says something else");
            self.problems.error(name.place, what, "take a name of its own, as in X-User");
            return None;
        }
        if self.taken.contains(&parsed) {
            let what = format!("the header `{text}` is to say two things");
            self.problems.error(name.place, what, "give each a name of its own");
            return None;
        }
        self.taken.push(parsed.clone());
        Some(parsed)
    }
}

impl Disclosure {
    /// The default of a route that asks who its clients are.
    pub fn of_subject() -> Self {
        Self { subject: Some(SUBJECT), ..Self::default() }
    }

    /// The names of its headers.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let claims = self.claims.iter().map(|(_, name)| name);
        let token = self.token.as_ref().map(|signer| &signer.header);
        self.subject.iter().chain(&self.method).chain(claims).chain(token)
    }

    /// Tells who was admitted.
    ///
    /// # Errors
    /// The token cannot be signed; then nothing was told.
    pub fn tell(&self, identity: &Identity, headers: &mut HeaderMap) -> Result<(), Unsigned> {
        let token = match &self.token {
            Some(signer) => Some((&signer.header, signer.sign(identity, SystemTime::now())?)),
            None => None,
        };
        let subject = self.subject.iter().map(|name| (name, encoded(&identity.subject, "%")));
        let method = self.method.iter().map(|name| (name, encoded(&identity.method, "%")));
        let claims = self.claims.iter().filter_map(|(claim, name)| {
            let value = identity.claims.get(claim).filter(|value| !value.is_null())?;
            Some((name, plain(value)))
        });
        for (name, text) in subject.chain(method).chain(claims).chain(token) {
            if let Ok(mut value) = HeaderValue::try_from(text) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// Whether a header's name is kept for us, whatever characters it is spelled with.
pub fn is_ours(name: &HeaderName) -> bool {
    let fold = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    let name = name.as_str().bytes();
    name.len() >= FAMILY.len() && name.map(fold).zip(FAMILY.bytes()).all(|(byte, own)| byte == own)
}

impl Signer {
    fn sign(&self, identity: &Identity, now: SystemTime) -> Result<String, Unsigned> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = seconds(now).saturating_add(self.lifetime.as_secs());
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": &*identity.subject,
            "iat": seconds(now),
            "exp": identity.expires.map_or(until, |expires| until.min(seconds(expires))),
            "method": &*identity.method,
            "claims": &*identity.claims,
        });
        jsonwebtoken::encode(&self.head, &claims, &self.key).map_err(|_| Unsigned)
    }
}

/// A claim as the value of a header.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => encoded(text, "%"),
        Value::Array(items) => {
            let item = |item: &Value| match item {
                Value::String(text) => encoded(text, "%,"),
                other => encoded(&other.to_string(), "%,"),
            };
            items.iter().map(item).collect::<Vec<_>>().join(",")
        }
        other => encoded(&other.to_string(), "%"),
    }
}

/// Printable ASCII stays, but for these characters; so do spaces inside. Everything else is percent-encoded.
fn encoded(text: &str, but: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let stays = match byte {
            b' ' => at != 0 && at != last,
            _ => byte.is_ascii_graphic() && !but.as_bytes().contains(&byte),
        };
        match stays {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    fn identity(claims: Value) -> Identity {
        let Value::Object(claims) = claims else { panic!("an object") };
        Identity {
            method: "keys".into(),
            subject: "ålice\r\nX-Admin: 1".into(),
            token_id: None,
            issued: None,
            expires: None,
            claims: Arc::new(claims),
        }
    }

    fn check(yaml: &str) -> (Disclosure, Vec<String>) {
        let raw: RawIdentityHeaders = wicketgate_config::part("test.yaml", yaml).unwrap();
        let mut problems = Problems::default();
        let disclosure = raw.check(&mut problems);
        (disclosure, problems.iter().map(|problem| problem.what.clone()).collect())
    }

    #[test]
    fn values_are_encoded_and_claims_that_are_not_there_are_not_told() {
        let (disclosure, problems) = check(
            "{method: X-Method, claims: {email: X-Email, groups: X-Groups, n: X-N, o: X-O, none: X-None, null: X-Null}}",
        );
        assert_eq!(problems, Vec::<String>::new());
        let claims =
            json!({"email": " a@b%c ", "groups": ["a,b", "c", 7], "n": 5, "o": {"k": "v"}, "null": null});
        let mut headers = HeaderMap::new();
        disclosure.tell(&identity(claims), &mut headers).unwrap();
        let mut told: Vec<_> = headers.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "x-email=%20a@b%25c%20",
                "x-groups=a%2Cb,c,7",
                "x-method=keys",
                "x-n=5",
                "x-o={\"k\":\"v\"}",
                "x-wicketgate-subject=%C3%A5lice%0D%0AX-Admin: 1",
            ]
        );
        assert_eq!(disclosure.names().count(), 8);
    }

    #[test]
    fn the_token_is_signed_and_lives_no_longer_than_the_credential() {
        let key = rcgen::KeyPair::generate().unwrap();
        let raw = RawIdentityToken {
            header: None,
            key: At::nowhere(RawSecret::Value(Secret::new(key.serialize_pem()))),
            key_id: Some("k1".into()),
            issuer: "gw".into(),
            audience: "chat".into(),
            lifetime: None,
        };
        let raw = RawIdentityHeaders { token: Some(At::nowhere(raw)), ..RawIdentityHeaders::default() };
        let disclosure = raw.check(&mut Problems::default());
        let soon = SystemTime::now() + Duration::from_secs(5);
        let identity = Identity { expires: Some(soon), ..identity(json!({"a": 1})) };
        let mut headers = HeaderMap::new();
        disclosure.tell(&identity, &mut headers).unwrap();
        let token = headers["x-wicketgate-token"].to_str().unwrap();
        let public = DecodingKey::from_ec_pem(key.public_key_pem().as_bytes()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&["chat"]);
        rules.set_issuer(&["gw"]);
        let read = jsonwebtoken::decode::<Value>(token, &public, &rules).unwrap();
        assert_eq!(read.header.kid.as_deref(), Some("k1"));
        assert_eq!(read.claims["sub"], &*identity.subject);
        assert_eq!(read.claims["claims"]["a"], 1);
        let exp = read.claims["exp"].as_u64().unwrap();
        assert!(exp <= soon.duration_since(UNIX_EPOCH).unwrap().as_secs());
    }

    #[test]
    fn names_that_say_something_else_are_refused() {
        for yaml in [
            "{subject: Host}",
            "{subject: X-Forwarded-For}",
            "{method: Sec-WebSocket-Key}",
            "{subject: 'a b'}",
            "{subject: X-A, method: x-a}",
            "{claims: {a: X-A, b: X-A}}",
            "{token: {key: {value: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}, issuer: a, audience: b}}",
        ] {
            assert_eq!(check(yaml).1.len(), 1, "{yaml}");
        }
        let ours = |name: &str| is_ours(&HeaderName::from_bytes(name.as_bytes()).unwrap());
        assert!(ours("X-Wicketgate-Subject") && ours("x_wicketgate.anything"));
        assert!(!ours("x-wicketgate") && !ours("x-wicketgates-subject"));
        assert_eq!(check("{subject: off}").0.names().count(), 0);
    }
}
