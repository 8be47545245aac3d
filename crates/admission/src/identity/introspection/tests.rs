//! What introspection makes of answers, good and bad, and how often it asks.

#![allow(clippy::unwrap_used)]
//! Opaque tokens, and servers of every mood.

use serde_json::json;
use wicketgate_config::{Problems, part};
use wicketgate_testkit::issuer::{Issuer, Mood, now};

use super::*;

fn start(more: &str, issuer: &Issuer) -> Introspection {
    let text = format!(
        "url: {}/introspect\ncredentials: {{client: {{id: gate, secret: {{value: s3cret}}}}}}\n{more}",
        issuer.url()
    );
    let raw: RawIntrospection = part("introspection.yaml", &text).unwrap();
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    assert!(!problems.has_errors(), "{:?}", problems.iter().collect::<Vec<_>>());
    Introspection::start("opaque".into(), config.unwrap())
}

async fn issuer() -> Issuer {
    let issuer = Issuer::start(&[]).await.unwrap();
    issuer.introspects(json!({"active": true, "sub": "ann", "scope": "chat read", "exp": now() + 300}));
    issuer
}

fn asked(issuer: &Issuer) -> usize {
    issuer.requests("/introspect")
}

#[tokio::test]
async fn many_requests_with_one_token_are_one_question() {
    let issuer = issuer().await;
    let method = Arc::new(start("scopes: chat\n", &issuer));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let method = method.clone();
        tasks.spawn(async move { method.identify(&Secret::new("opaque-1")).await });
    }
    while let Some(identity) = tasks.join_next().await {
        let identity = identity.unwrap().unwrap();
        assert_eq!((&*identity.subject, &*identity.method), ("ann", "opaque"));
        assert_eq!(identity.token_id.as_ref().map(|id| id.len()), Some(24));
        assert!(!identity.claims.contains_key("active") && method.still_accepts(&identity));
    }
    assert_eq!(asked(&issuer), 1);
    let head = &issuer.heads()[0];
    assert_eq!(head.field("authorization").as_deref(), Some("Basic Z2F0ZTpzM2NyZXQ="));
    assert!(
        issuer.received().ends_with("token=opaque-1&token_type_hint=access_token"),
        "{}",
        issuer.received()
    );
}

#[tokio::test]
async fn what_is_not_active_is_refused_and_not_asked_about_again() {
    let issuer = issuer().await;
    let method = start("audience: chat\n", &issuer);
    for (number, (answer, denied)) in [
        (json!({"active": false}), Denied::Inactive),
        (json!({"sub": "ann", "aud": "chat"}), Denied::Inactive),
        (json!({"active": "true", "sub": "ann", "aud": "chat"}), Denied::Inactive),
        (json!({"active": true, "sub": "ann"}), Denied::Audience),
        (json!({"active": true, "aud": "chat"}), Denied::Claim("sub".into())),
        (json!({"active": true, "sub": "ann", "aud": "chat", "exp": now() - 60}), Denied::Expired),
        (json!({"active": true, "sub": "ann", "aud": "chat", "nbf": now() + 60}), Denied::NotYetValid),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.introspects(answer.clone());
        let token = Secret::new(format!("token-{number}"));
        for _ in 0..3 {
            assert_eq!(method.identify(&token).await.unwrap_err(), denied, "{answer}");
        }
        assert_eq!(asked(&issuer), number + 1);
    }
    for wrong in ["two words", "a\nb", "é", &"x".repeat(9000)] {
        let denied = method.identify(&Secret::new(wrong)).await.unwrap_err();
        assert!(matches!(denied, Denied::Malformed(_)));
    }
    assert_eq!(asked(&issuer), 7);
}

#[tokio::test]
async fn a_recheck_asks_anew_and_what_it_learns_counts_for_all() {
    let issuer = issuer().await;
    let method = start("", &issuer);
    let token = Secret::new("opaque-1");
    method.identify(&token).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(FRESH).await;
    tokio::time::resume();
    issuer.introspects(json!({"active": false}));
    method.identify(&token).await.unwrap();
    issuer.is(Mood::Failing);
    assert!(matches!(method.recheck(&token).await.unwrap_err(), Denied::Unavailable(_)));
    method.identify(&token).await.unwrap();
    issuer.is(Mood::Well);
    tokio::time::pause();
    tokio::time::advance(FRESH.max(FAILURE)).await;
    tokio::time::resume();
    assert_eq!(method.recheck(&token).await.unwrap_err(), Denied::Inactive);
    assert_eq!(method.identify(&token).await.unwrap_err(), Denied::Inactive);
    assert_eq!(method.recheck(&token).await.unwrap_err(), Denied::Inactive, "fresh enough");
    assert_eq!(asked(&issuer), 3);
}

#[tokio::test]
async fn nothing_hangs_on_a_server_that_is_down() {
    let issuer = issuer().await;
    for (mood, told) in [
        (Mood::Failing, "status 500"),
        (Mood::Babbling("[]".into()), "not a JSON object"),
        (Mood::Babbling("x".repeat(20_000)), "more than"),
        (Mood::Silent, "no answer"),
    ] {
        issuer.is(mood);
        let method = Arc::new(start("fetch: {timeout: 200ms}\nmax_concurrent: 1\n", &issuer));
        let start = std::time::Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let method = method.clone();
            tasks.spawn(async move { method.identify(&Secret::new(format!("t{}", number % 2))).await });
        }
        while let Some(denied) = tasks.join_next().await {
            let denied = denied.unwrap().unwrap_err();
            let is_told = |why: &String| why.contains(told) || why.contains("no answer");
            assert!(matches!(&denied, Denied::Unavailable(why) if is_told(why)), "{denied}");
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn an_answer_serves_for_its_time_and_the_table_is_bounded() {
    let issuer = issuer().await;
    let method = start("max_cached: 100\ncache: 1m\ncache_denials: 1h\n", &issuer);
    let good = Secret::new("good");
    method.identify(&good).await.unwrap();
    issuer.introspects(json!({"active": false}));
    for number in 0..250 {
        method.identify(&Secret::new(format!("made-up-{number}"))).await.unwrap_err();
    }
    assert_eq!(method.table.len(), 101, "a hundred of the others, and the good one");
    assert_eq!(asked(&issuer), 251);
    method.identify(&good).await.unwrap();
    assert_eq!(asked(&issuer), 251, "made-up tokens push out no good ones");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let again = async || assert_eq!(method.identify(&good).await.unwrap_err(), Denied::Inactive);
    tokio::join!(again(), again(), again());
    assert_eq!(asked(&issuer), 252, "one question, also where an older answer is known");
}

#[test]
fn credentials_are_asked_for_and_stand_in_no_debug_output() {
    let raw = "url: http://127.0.0.1:1/i\ncredentials: {bearer: {value: topsecret}}\n";
    let raw: RawIntrospection = part("introspection.yaml", raw).unwrap();
    let config = raw.check(&mut Problems::default()).unwrap();
    assert_eq!(config.authorization.reveal(), "Bearer topsecret");
    assert!(!format!("{config:?}").contains("topsecret"));
    assert!(part::<RawIntrospection>("introspection.yaml", "url: http://127.0.0.1:1/i\n").is_err());
}
