//! Tokens of every bad kind: each is answered with 401, reaches no backend and no log, and good ones go on to be taken.

use serde_json::json;
use wicketgate_testkit::issuer::{Issuer, Mood, SigningKey, now, sign_hs256, unsigned};
use wicketgate_testkit::raw::{Head, Recorded, Upgrade};

use super::{LISTENER, Stage, UPSTREAM};

/// A route for tokens of this issuer, where they may stand in every place; more keys of the method after that.
fn guarded(issuer: &Issuer, more: &str) -> String {
    let url = issuer.url();
    format!(
        "{LISTENER}{UPSTREAM}authentication:\n\
         - name: people\n\
         \x20 jwt:\n\
         \x20   issuer: {url}\n\
         \x20   audience: chat\n\
         \x20   keys: {{jwks_url: {url}/jwks}}\n\
         \x20   from: [header: Authorization, cookie: session, query: token, subprotocol: bearer]\n\
         {more}\
         routes: [{{name: all, upstream: backend, admission: {{authentication: {{any: [people]}}}}}}]\n"
    )
}

fn bearer(target: &str, token: &str) -> Upgrade {
    Upgrade::new(target).with("Authorization", &format!("Bearer {token}"))
}

/// The answer to a request that is refused.
async fn refused(stage: &Stage, request: &Upgrade) -> Head {
    let mut client = stage.client().await;
    client.send(&request.bytes()).await.unwrap();
    client.head().await.unwrap()
}

/// No part of a token that could be used stands in the log.
fn assert_unlogged(stage: &Stage, tokens: &[String]) {
    let log = stage.gateway.process().output();
    for token in tokens {
        let secret = token.rsplit('.').find(|part| !part.is_empty()).unwrap();
        assert!(!log.contains(secret), "the log has {secret}: {log}");
    }
}

#[tokio::test]
async fn forged_tokens_are_answered_with_401() {
    let (key, rsa, stranger) =
        (SigningKey::es256("e").unwrap(), SigningKey::rs256("r").unwrap(), SigningKey::es256("e").unwrap());
    let issuer = Issuer::start(&[&key, &rsa]).await.unwrap();
    let good = issuer.claims("ann", "chat");
    let stage = Stage::start(&guarded(&issuer, "")).await;
    let honest = key.sign(&good).unwrap();
    let proof = stage.proof("/").with_credential("Authorization", &format!("Bearer {honest}"));
    let with = |name: &str, value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(&claims).unwrap()
    };
    let public = rsa.public_pem.as_bytes();
    let tokens = vec![
        stranger.sign(&good).unwrap(),
        unsigned(&json!({"alg": "none"}), &good),
        sign_hs256(public, &json!({"alg": "HS256", "kid": "r"}), &good).unwrap(),
        sign_hs256(public, &json!({"alg": "RS256", "kid": "r"}), &good).unwrap(),
        stranger.sign_with(&json!({"alg": "ES256", "kid": "s", "jwk": stranger.jwk()}), &good).unwrap(),
        key.sign_with(&json!({"alg": "ES256", "kid": "e", "crit": ["x"]}), &good).unwrap(),
        with("exp", json!(now() - 60)),
        with("nbf", json!(now() + 600)),
        with("aud", json!("calls")),
        with("iss", json!("https://id.example")),
        with("pad", json!("x".repeat(9000))),
        "opaque-word".to_owned(),
    ];
    for token in &tokens {
        proof.request(&bearer("/attack", token), 401).await.unwrap();
        let head = refused(&stage, &bearer("/attack", token)).await;
        assert_eq!(head.all("www-authenticate"), ["Bearer error=\"invalid_token\""]);
    }
    proof.request(&Upgrade::new("/attack"), 401).await.unwrap();
    assert_eq!(refused(&stage, &Upgrade::new("/attack")).await.all("www-authenticate"), ["Bearer"]);
    let twice = bearer("/attack", &honest).with("Authorization", &format!("Bearer {honest}"));
    proof.request(&twice, 401).await.unwrap();
    let two_places = bearer(&format!("/attack?token={honest}"), &honest);
    proof.request(&two_places, 401).await.unwrap();
    assert_unlogged(&stage, &[tokens, vec![honest]].concat());
}

#[tokio::test]
async fn a_token_goes_no_further_than_the_gateway() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let stage = Stage::start(&guarded(&issuer, "")).await;
    let token = key.sign(&issuer.claims("ann", "chat")).unwrap();
    for (number, request) in [
        bearer("/0?a=1", &token),
        Upgrade::new("/1?a=1").with("Cookie", &format!("theme=dark; session={token}")),
        Upgrade::new(&format!("/2?token={token}&a=1")),
        Upgrade::new("/3?a=1").with("Sec-WebSocket-Protocol", &format!("bearer, {token}, chat.v1")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = stage.client().await;
        client.send(&request.bytes()).await.unwrap();
        let head = client.head().await.unwrap();
        assert_eq!(head.status().unwrap(), 101, "{}", head.text());
        assert!(!head.text().contains(&token));
        let (_, recorded) = stage.backend.requested(&format!("/{number}?a=1")).await.unwrap();
        let text = recorded.heads[0].text();
        let signature = token.rsplit('.').next().unwrap();
        assert!(!text.contains(signature) && !text.to_lowercase().contains("bearer"), "{text}");
        if number == 1 {
            assert_eq!(recorded.heads[0].all("cookie"), ["theme=dark"]);
        }
        if number == 3 {
            assert_eq!(recorded.heads[0].all("sec-websocket-protocol"), ["chat.v1"]);
        }
    }
    assert_unlogged(&stage, &[token]);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_issuer() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let stage = Stage::start(&guarded(&issuer, "\x20   refresh_cooldown: 1h\n")).await;
    let claims = issuer.claims("ann", "chat");
    let honest = format!("Bearer {}", key.sign(&claims).unwrap());
    let proof = stage.proof("/").with_credential("Authorization", &honest);
    proof.honest().await.unwrap();
    for number in 0..100 {
        let header = json!({"alg": "ES256", "kid": format!("k{number}")});
        let token = key.sign_with(&header, &claims).unwrap();
        assert_eq!(refused(&stage, &bearer("/attack", &token)).await.status().unwrap(), 401);
    }
    proof.honest().await.unwrap();
    assert_eq!(issuer.requests("/jwks"), 1);
    assert!(stage.heads().iter().all(|head| !head.target().starts_with("/attack")));
}

#[tokio::test]
async fn an_issuer_that_is_silent_or_down_holds_nobody_up() {
    let key = SigningKey::es256("e").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    issuer.is(Mood::Silent);
    let stage = Stage::start(&guarded(&issuer, "\x20   fetch: {timeout: 1s}\n")).await;
    let token = key.sign(&issuer.claims("ann", "chat")).unwrap();
    let head = refused(&stage, &bearer("/attack", &token)).await;
    assert_eq!(head.status().unwrap(), 503);
    assert!(head.field("retry-after").is_some() && head.field("www-authenticate").is_none());
    issuer.is(Mood::Well);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while refused(&stage, &bearer("/back", &token)).await.status().unwrap() != 101 {
        assert!(tokio::time::Instant::now() < deadline, "the issuer is back, and its tokens are not taken");
    }
    issuer.is(Mood::Failing);
    let proof = stage.proof("/").with_credential("Authorization", &format!("Bearer {token}"));
    proof.honest().await.unwrap();
    assert_unlogged(&stage, &[token]);
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_forwarded_only_by_its_word() {
    let issuer = Issuer::start(&[]).await.unwrap();
    let url = issuer.url();
    let config = format!(
        "{LISTENER}{UPSTREAM}authentication:\n\
         - name: opaque\n\
         \x20 introspection:\n\
         \x20   url: {url}/introspect\n\
         \x20   credentials: {{client: {{id: gate, secret: {{value: s3cret-of-the-gate}}}}}}\n\
         \x20   scopes: chat\n\
         routes:\n\
         - {{name: kept, match: {{path: /kept}}, upstream: backend, admission: {{authentication: {{any: [opaque]}}}}}}\n\
         - name: given\n\
         \x20 match: {{path: /given}}\n\
         \x20 upstream: backend\n\
         \x20 admission: {{authentication: {{any: [opaque], forward_credentials: on}}}}\n"
    );
    let stage = Stage::start(&config).await;
    issuer.introspects(json!({"active": true, "sub": "ann", "scope": "chat", "exp": now() + 300}));
    for (path, forwarded) in [("/kept", false), ("/given", true)] {
        let mut client = stage.client().await;
        client.upgrade(&bearer(path, "w0rd-of-honour")).await.unwrap();
        client.close(1000).await.unwrap();
        let ended = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(path);
        let (_, recorded) = stage.backend.until("the end of the session", ended).await.unwrap();
        assert_eq!(recorded.heads[0].text().contains("w0rd-of-honour"), forwarded);
    }
    assert_eq!(issuer.requests("/introspect"), 1, "the second answer was known");
    issuer.introspects(json!({"active": false}));
    let proof = stage.proof("/kept").with_credential("Authorization", "Bearer w0rd-of-honour");
    proof.request(&bearer("/kept", "revoked-w0rd"), 401).await.unwrap();
    issuer.is(Mood::Failing);
    proof.request(&bearer("/kept", "another-w0rd"), 503).await.unwrap();
    let log = stage.gateway.process().output();
    for secret in ["w0rd-of-honour", "revoked-w0rd", "another-w0rd", "s3cret-of-the-gate"] {
        assert!(!log.contains(secret), "{log}");
    }
}
