//! Tokens that prove nothing, and keys that change, are late, or are not there.

#![allow(clippy::unwrap_used)]
//! Tokens of every bad kind, and issuers of every bad mood.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wicketgate_config::{Problems, part};
use wicketgate_testkit::issuer::{Issuer, Mood, SigningKey, now, sign_hs256, unsigned};

use super::*;

/// The method that this text configures, in which `ISSUER` is the issuer's URL.
fn config(text: &str, issuer: &Issuer) -> JwtConfig {
    let raw: RawJwt = part("jwt.yaml", &text.replace("ISSUER", issuer.url())).unwrap();
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    assert!(!problems.has_errors(), "{:?}", problems.iter().collect::<Vec<_>>());
    config.unwrap()
}

fn start(text: &str, issuer: &Issuer) -> Jwt {
    Jwt::start("people".into(), config(text, issuer))
}

const URL: &str = "issuer: ISSUER\naudience: chat\nkeys: {jwks_url: ISSUER/jwks}\n";

async fn identify(jwt: &Jwt, token: &str) -> Result<Identity, Denied> {
    jwt.identify(&Secret::new(token)).await
}

/// Good claims with these instead.
fn claims(issuer: &Issuer, changes: Value) -> Value {
    let mut claims = issuer.claims("ann", "chat");
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn a_good_token_is_an_identity() {
    let keys =
        [SigningKey::es256("e").unwrap(), SigningKey::rs256("r").unwrap(), SigningKey::ed25519("d").unwrap()];
    let issuer = Issuer::start(&keys.iter().collect::<Vec<_>>()).await.unwrap();
    for text in [URL, "issuer: ISSUER\naudience: [calls, chat]\nkeys: discovery\n"] {
        let jwt = start(text, &issuer);
        for key in &keys {
            let token = key.sign(&issuer.claims("ann", "chat")).unwrap();
            let identity = identify(&jwt, &token).await.unwrap();
            assert_eq!((&*identity.method, &*identity.subject), ("people", "ann"));
            assert_eq!(identity.token_id.as_deref(), Some("t-ann"));
            let left = identity.expires.unwrap().duration_since(SystemTime::now()).unwrap();
            assert!((325..=330).contains(&left.as_secs()), "leeway included: {left:?}");
            assert!(jwt.still_accepts(&identity));
        }
    }
    assert_eq!(issuer.requests("/jwks"), 2, "one fetch a method");
}

#[tokio::test]
async fn every_forged_token_has_its_word() {
    let (key, rsa, stranger) =
        (SigningKey::es256("e").unwrap(), SigningKey::rs256("r").unwrap(), SigningKey::es256("e").unwrap());
    let issuer = Issuer::start(&[&key, &rsa]).await.unwrap();
    let jwt = start(URL, &issuer);
    let good = issuer.claims("ann", "chat");
    let honest = key.sign(&good).unwrap();
    let (signed, signature) = honest.rsplit_once('.').unwrap();
    let other = key.sign(&claims(&issuer, json!({"sub": "root"}))).unwrap();
    let public = rsa.public_pem.as_bytes();
    let sign = |changes| key.sign(&claims(&issuer, changes)).unwrap();
    let headed = |header: Value| key.sign_with(&header, &good).unwrap();
    let malformed = |denied: &Denied| matches!(denied, Denied::Malformed(_));
    for (what, token, denied) in [
        ("signed by a stranger", stranger.sign(&good).unwrap(), Denied::Signature),
        ("another payload", format!("{}.{signature}", other.rsplit_once('.').unwrap().0), Denied::Signature),
        ("no signature", format!("{signed}."), Denied::Signature),
        ("alg none", unsigned(&json!({"alg": "none"}), &good), Denied::Algorithm),
        ("alg NONE, signed", headed(json!({"alg": "NONE", "kid": "e"})), Denied::Algorithm),
        (
            "the public key as a secret",
            sign_hs256(public, &json!({"alg": "HS256", "kid": "r"}), &good).unwrap(),
            Denied::Algorithm,
        ),
        (
            "the same and no kid",
            sign_hs256(public, &json!({"alg": "HS256"}), &good).unwrap(),
            Denied::Algorithm,
        ),
        (
            "the same that says RS256",
            sign_hs256(public, &json!({"alg": "RS256", "kid": "r"}), &good).unwrap(),
            Denied::Signature,
        ),
        ("another key's algorithm", headed(json!({"alg": "RS256", "kid": "e"})), Denied::Algorithm),
        (
            "the key's family, not its algorithm",
            rsa.sign_with(&json!({"alg": "PS256", "kid": "r"}), &good).unwrap(),
            Denied::Algorithm,
        ),
        ("no such key", headed(json!({"alg": "ES256", "kid": "f"})), Denied::UnknownKey),
        (
            "its own key",
            stranger
                .sign_with(
                    &json!({"alg": "ES256", "kid": "x", "jwk": stranger.jwk(), "jku": issuer.url()}),
                    &good,
                )
                .unwrap(),
            Denied::UnknownKey,
        ),
        ("expired", sign(json!({"exp": now() - 31})), Denied::Expired),
        ("not yet valid", sign(json!({"nbf": now() + 60})), Denied::NotYetValid),
        ("issued tomorrow", sign(json!({"iat": now() + 86_400, "exp": now() + 90_000})), Denied::NotYetValid),
        ("another audience", sign(json!({"aud": "calls"})), Denied::Audience),
        ("another issuer", sign(json!({"iss": "https://id.example"})), Denied::Issuer),
        ("no expiry", sign(json!({"exp": null})), Denied::Claim("exp".into())),
    ] {
        assert_eq!(identify(&jwt, &token).await.unwrap_err(), denied, "{what}");
    }
    for (what, token) in [
        ("critical header", headed(json!({"alg": "ES256", "kid": "e", "crit": ["exp"], "exp": 1}))),
        ("huge", sign(json!({"pad": "x".repeat(9000)}))),
        ("no token", "opaque".into()),
        ("encrypted", "a.b.c.d.e".into()),
        ("padded", format!("{}=.{}", signed.split_once('.').unwrap().0, honest.split_once('.').unwrap().1)),
    ] {
        let denied = identify(&jwt, &token).await.unwrap_err();
        assert!(malformed(&denied), "{what}: {denied}");
    }
    identify(&jwt, &honest).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_refresh() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let jwt = Arc::new(start(&format!("{URL}refresh_cooldown: 1h\n"), &issuer));
    let good = issuer.claims("ann", "chat");
    let honest = key.sign(&good).unwrap();
    identify(&jwt, &honest).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let header = json!({"alg": "ES256", "kid": format!("k{number}")});
        let (jwt, token) = (jwt.clone(), key.sign_with(&header, &good).unwrap());
        tasks.spawn(async move { identify(&jwt, &token).await.unwrap_err() });
    }
    while let Some(denied) = tasks.join_next().await {
        assert_eq!(denied.unwrap(), Denied::UnknownKey);
    }
    assert_eq!(issuer.requests("/jwks"), 1, "the cooldown counts from the last fetch");
    identify(&jwt, &honest).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_asks_for_it() {
    let (old, new) = (SigningKey::es256("old").unwrap(), SigningKey::es256("new").unwrap());
    let issuer = Issuer::start(&[&old]).await.unwrap();
    let jwt = Arc::new(start(&format!("{URL}refresh_cooldown: 1s\n"), &issuer));
    let sign = |key: &SigningKey| key.sign(&issuer.claims("ann", "chat")).unwrap();
    identify(&jwt, &sign(&old)).await.unwrap();
    issuer.publish(vec![old.jwk(), new.jwk()]);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let asked: Vec<_> = (0..50)
            .map(|_| {
                let (jwt, token) = (jwt.clone(), sign(&new));
                tokio::spawn(async move { identify(&jwt, &token).await })
            })
            .collect();
        let mut taken = 0;
        for task in asked {
            taken += usize::from(task.await.unwrap().is_ok());
        }
        if taken == 50 {
            break;
        }
        assert!(Instant::now() < deadline, "the new key is not taken");
    }
    assert_eq!(issuer.requests("/jwks"), 2);
    issuer.publish(vec![new.jwk()]);
    identify(&jwt, &sign(&old)).await.unwrap();
}

#[tokio::test]
async fn known_keys_serve_while_the_issuer_is_down() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let jwt = start(&format!("{URL}refresh: 1s\nrefresh_cooldown: 1s\nfetch: {{timeout: 10s}}\n"), &issuer);
    let token = key.sign(&issuer.claims("ann", "chat")).unwrap();
    identify(&jwt, &token).await.unwrap();
    for mood in [
        Mood::Failing,
        Mood::Babbling("{".into()),
        Mood::Babbling("x".repeat(1 << 20)),
        // The last one: its fetch goes on for as long as it may.
        Mood::Silent,
    ] {
        issuer.is(mood.clone());
        let seen = issuer.requests("/jwks");
        let deadline = Instant::now() + Duration::from_secs(10);
        while issuer.requests("/jwks") == seen {
            assert!(Instant::now() < deadline, "not asked again");
            let start = Instant::now();
            identify(&jwt, &token).await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(5), "waited, though a key serves: {mood:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn without_any_key_requests_end_in_time() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let token = key.sign(&issuer.claims("ann", "chat")).unwrap();
    for (mood, told) in [
        (Mood::Silent, "no answer"),
        (Mood::Failing, "status 500"),
        (Mood::Babbling("[]".into()), "no JWK set"),
        (Mood::Babbling("x".repeat(1 << 20)), "more than"),
    ] {
        issuer.is(mood);
        let jwt = start(&format!("{URL}fetch: {{timeout: 200ms}}\n"), &issuer);
        let start = Instant::now();
        let denied = identify(&jwt, &token).await.unwrap_err();
        assert!(matches!(&denied, Denied::Unavailable(why) if why.contains(told)), "{denied}");
        assert_eq!(denied.status(), 503);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    issuer.is(Mood::Well);
    let jwt = start(URL, &issuer);
    identify(&jwt, &token).await.unwrap();
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let jwt = start("issuer: ISSUER/\naudience: chat\nkeys: discovery\n", &issuer);
    let named_so = claims(&issuer, json!({"iss": format!("{}/", issuer.url())}));
    let denied = identify(&jwt, &key.sign(&named_so).unwrap()).await.unwrap_err();
    assert!(matches!(&denied, Denied::Unavailable(why) if why.contains("another issuer")), "{denied}");
    assert_eq!(issuer.requests("/jwks"), 0);
}

#[tokio::test]
async fn keys_in_a_file_are_read_again_when_they_change() {
    let keys =
        [SigningKey::es256("a").unwrap(), SigningKey::ed25519("b").unwrap(), SigningKey::rs256("c").unwrap()];
    let issuer = Issuer::start(&[]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let write = |text: String| {
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
    };
    write(keys[0].public_pem.clone());
    let jwt = start(
        &format!("issuer: ISSUER\naudience: chat\nkeys: {{file: {}}}\nrefresh: 1s\n", path.display()),
        &issuer,
    );
    let claims = issuer.claims("ann", "chat");
    let takes = async |key: &SigningKey| identify(&jwt, &key.sign(&claims).unwrap()).await.is_ok();
    assert!(takes(&keys[0]).await && !takes(&keys[1]).await);
    let until = async |key: &SigningKey| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !takes(key).await {
            assert!(Instant::now() < deadline, "{} is not taken", key.id);
            tokio::task::yield_now().await;
        }
    };
    write(format!("{}{}", keys[1].public_pem, keys[2].public_pem));
    until(&keys[1]).await;
    assert!(takes(&keys[2]).await && !takes(&keys[0]).await);
    write(
        json!({"keys": [keys[0].jwk(), {"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-256"}]})
            .to_string(),
    );
    until(&keys[0]).await;
    assert!(!takes(&keys[1]).await);
    write("broken".into());
    assert!(takes(&keys[0]).await);
}

#[tokio::test]
async fn a_shared_secret_takes_hmac_alone() {
    let issuer = Issuer::start(&[]).await.unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    let jwt =
        start(&format!("issuer: ISSUER\naudience: chat\nkeys: {{secret: {{value: {secret}}}}}\n"), &issuer);
    let claims = issuer.claims("ann", "chat");
    let token = sign_hs256(secret.as_bytes(), &json!({"alg": "HS256"}), &claims).unwrap();
    identify(&jwt, &token).await.unwrap();
    let wrong = sign_hs256(b"0123456789abcdef0123456789abcdeX", &json!({"alg": "HS256"}), &claims).unwrap();
    assert_eq!(identify(&jwt, &wrong).await.unwrap_err(), Denied::Signature);
    let ours = SigningKey::es256("e").unwrap().sign(&claims).unwrap();
    assert_eq!(identify(&jwt, &ours).await.unwrap_err(), Denied::Algorithm);
}

#[tokio::test]
async fn a_token_without_an_id_has_a_name_that_its_bearer_cannot_change() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let jwt = start(&format!("{URL}typ: JWT\n"), &issuer);
    let nameless = claims(&issuer, json!({"jti": null}));
    // ECDSA signs with a nonce: two signatures of the same token differ.
    let [first, second] = [key.sign(&nameless).unwrap(), key.sign(&nameless).unwrap()];
    assert_ne!(first, second);
    let [first, second] = [identify(&jwt, &first).await.unwrap(), identify(&jwt, &second).await.unwrap()];
    assert_eq!(first.token_id, second.token_id);
    let untyped = key.sign_with(&json!({"alg": "ES256", "kid": "e"}), &nameless).unwrap();
    assert_eq!(identify(&jwt, &untyped).await.unwrap_err(), Denied::Claim("typ".into()));
}

#[tokio::test]
async fn an_identity_is_judged_anew_by_other_rules() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let jwt = start(URL, &issuer);
    let identity = identify(&jwt, &key.sign(&issuer.claims("ann", "chat")).unwrap()).await.unwrap();
    let same = start(&format!("{URL}leeway: 1m\n"), &issuer);
    assert!(same.still_accepts(&identity));
    for other in [
        "issuer: https://id.example\naudience: chat\nkeys: {jwks_url: ISSUER/jwks}\n",
        "issuer: ISSUER\naudience: calls\nkeys: {jwks_url: ISSUER/jwks}\n",
        &format!("{URL}claims: {{role: admin}}\n"),
        &format!("{URL}scopes: chat\n"),
        &format!("{URL}max_lifetime: 1m\n"),
        &format!("{URL}subject: jti\n"),
    ] {
        assert!(!start(other, &issuer).still_accepts(&identity), "{other}");
    }
}

#[tokio::test]
async fn what_is_wrong_in_the_configuration_is_told() {
    let issuer = Issuer::start(&[]).await.unwrap();
    for (text, told) in [
        ("issuer: a\nkeys: {jwks_url: ISSUER/jwks}\n", "any audience"),
        ("issuer: a\naudience: b\nkeys: {jwks_url: http://id.example/jwks}\n", "another machine"),
        ("issuer: a\naudience: b\nkeys: discovery\n", "no absolute URL"),
        ("issuer: a\naudience: b\nkeys: {file: /nowhere/keys}\n", "cannot be read"),
        ("issuer: a\naudience: b\nkeys: {secret: {value: short}}\n", "shorter than 32"),
        (
            "issuer: a\naudience: b\nkeys: {jwks_url: ISSUER/jwks}\nalgorithms: [HS256]\n",
            "is for shared secrets",
        ),
        (
            "issuer: a\naudience: b\nkeys: {secret: {value: 0123456789abcdef0123456789abcdef}}\nalgorithms: [RS256]\n",
            "is for key pairs",
        ),
        (
            "issuer: a\naudience: b\nkeys: {secret: {value: 0123456789abcdef0123456789abcdef}}\nrefresh: 1m\n",
            "means nothing beside",
        ),
        ("issuer: a\naudience: b\nkeys: {jwks_url: ISSUER/jwks}\nleeway: 6m\n", "outside its bounds"),
        ("issuer: a\naudience: b\nkeys: {jwks_url: ISSUER/jwks}\nstale: 5m\n", "shorter than `refresh`"),
        (
            "issuer: a\naudience: b\nkeys: {jwks_url: ISSUER/jwks}\nmax_token_size: 1MiB\n",
            "outside its bounds",
        ),
    ] {
        let raw: RawJwt = part("jwt.yaml", &text.replace("ISSUER", issuer.url())).unwrap();
        let mut problems = Problems::default();
        raw.check(&mut problems);
        let found: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
        assert!(found.iter().any(|what| what.contains(told)), "{text}: {found:?}");
    }
}
