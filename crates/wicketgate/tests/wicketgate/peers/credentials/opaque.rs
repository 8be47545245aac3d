//! Opaque tokens: the provider is asked once about each, and again while sessions by them are open.

use std::{collections::BTreeMap, time::Duration};

use wicketgate_testkit::peers::oidc::{Delay, TokenForm, TokenRequest};

use super::{
    super::load::{Fate, Load},
    Site,
};

const LIFETIME: Duration = Duration::from_secs(600);
/// Sessions by each token.
const SESSIONS: usize = 20;
/// Requests at once with one unknown token.
const FLOOD: usize = 50;

async fn opaque(site: &Site, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(site.token(TokenForm::Opaque, LIFETIME).await);
    }
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_are_one_question() {
    let site = Site::start().await;
    let tokens = opaque(&site, 5).await;
    site.busy(&tokens, Duration::from_millis(300)).await;
    assert_eq!(site.requests("introspection").await, 5);
    assert_eq!(site.open("made-up").await.err(), Some(401));
    let elsewhere =
        TokenRequest { form: TokenForm::Opaque, audience: "mail".into(), ..TokenRequest::default() };
    let elsewhere = site.provider.token(elsewhere).await.unwrap();
    assert_eq!(site.open(&elsewhere).await.err(), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_serve_while_the_provider_is_down_or_silent() {
    let site = Site::start().await;
    let (known, unknown) = (opaque(&site, 2).await, opaque(&site, 2).await);
    site.busy(&known, Duration::ZERO).await;

    site.provider.down().await.unwrap();
    site.busy(&known, Duration::ZERO).await;
    assert_eq!(site.flood(&unknown[0], FLOOD).await.answers().await, BTreeMap::from([(503, FLOOD)]));
    site.provider.up().await.unwrap();
    site.until_taken(&unknown[0]).await;

    let before = site.requests("introspection").await;
    site.provider.set_delay(Delay::Forever).await.unwrap();
    let flood = site.flood(&unknown[1], FLOOD).await;
    site.busy(&known, Duration::ZERO).await;
    assert_eq!(flood.answers().await, BTreeMap::from([(503, FLOOD)]));
    let asked = site.requests("introspection").await - before;
    assert!((1..=3).contains(&asked), "{asked} questions about one token");
    site.provider.set_delay(Delay::None).await.unwrap();
    site.until_taken(&unknown[1]).await;
}

/// While the provider is silent its sessions live; once it says that a token is not active, that token's end.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_with_their_revoked_token_and_no_others() {
    let site = Site::start().await;
    let tokens = opaque(&site, 2).await;
    let (mut revoked, mut kept) = (Load::none(), Load::none());
    for _ in 0..SESSIONS {
        revoked.join(site.open(&tokens[0]).await.unwrap()).await;
        kept.join(site.open(&tokens[1]).await.unwrap()).await;
    }
    site.provider.down().await.unwrap();
    site.provider.revoke(&tokens[0]).await.unwrap();
    site.busy(&tokens[1..], Duration::from_millis(1500)).await;
    revoked.round().await;
    site.provider.up().await.unwrap();
    revoked.ended().await.all(SESSIONS, Fate::Closed(1008));
    kept.round().await;
    kept.finish().await.all(SESSIONS, Fate::Finished);
    assert_eq!(site.open(&tokens[0]).await.err(), Some(401));
}
