//! Tokens that are signed: the provider's keys change, and cannot be had.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use wicketgate_testkit::peers::oidc::{Delay, OidcProvider, OldKeys};

use super::{
    super::load::{Fate, Load},
    FETCH, MARGIN, Site,
};

/// Sessions that stay open throughout.
const SESSIONS: usize = 100;
/// Requests at once with tokens of an unknown key.
const FLOOD: usize = 50;
/// Between two fetches that tokens of unknown keys ask for, as configured.
const COOLDOWN: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_under_load_and_nobody_is_refused() {
    let site = Site::start().await;
    let mut tokens = site.tokens().await;
    let mut load = Load::none();
    for at in 0..SESSIONS {
        load.join(site.open(&tokens[at % tokens.len()]).await.unwrap()).await;
    }
    for _ in 0..3 {
        site.busy(&tokens, COOLDOWN).await;
        site.provider.rotate_keys(OldKeys::Kept).await.unwrap();
        tokens.extend(site.tokens().await);
        site.busy(&tokens, Duration::ZERO).await;
        load.round().await;
    }
    assert_eq!(site.requests("jwks").await, 4, "one at the start and one for each change");

    // Keys that the provider takes back serve until the next fetch, which a token of the new ones brings about.
    site.busy(&tokens, COOLDOWN).await;
    site.provider.rotate_keys(OldKeys::Removed).await.unwrap();
    let fresh = site.tokens().await;
    site.busy(&fresh, Duration::ZERO).await;
    for old in &tokens {
        assert_eq!(site.open(old).await.err(), Some(401));
    }
    load.round().await;
    load.finish().await.all(SESSIONS, Fate::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_down_its_keys_serve() {
    let site = Site::start().await;
    let known = site.tokens().await;
    site.busy(&known, COOLDOWN).await;
    site.provider.down().await.unwrap();
    site.busy(&site.tokens().await, Duration::ZERO).await;
    site.provider.rotate_keys(OldKeys::Kept).await.unwrap();
    let unknown = site.tokens().await;
    assert_eq!(site.open(&unknown[0]).await.err(), Some(401));
    site.busy(&known, Duration::ZERO).await;
    site.provider.up().await.unwrap();
    site.until_taken(&unknown[0]).await;
    site.busy(&unknown, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_starts_late_is_waited_for_by_nobody() {
    let provider = OidcProvider::start().await.unwrap();
    provider.down().await.unwrap();
    let site = Site::beside(provider).await;
    let tokens = site.tokens().await;
    let asked = Instant::now();
    assert_eq!(site.open(&tokens[0]).await.err(), Some(503));
    assert!(asked.elapsed() < FETCH + MARGIN);
    site.provider.up().await.unwrap();
    site.until_taken(&tokens[0]).await;
    site.busy(&tokens, Duration::ZERO).await;
}

/// Tokens of an unknown key come in numbers while the provider takes requests and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_holds_nobody_up() {
    let site = Site::start().await;
    let known = site.tokens().await;
    site.busy(&known, COOLDOWN).await;
    site.provider.rotate_keys(OldKeys::Kept).await.unwrap();
    let unknown = site.tokens().await;
    site.provider.set_delay(Delay::Forever).await.unwrap();
    let before = site.requests("discovery").await;

    let flood = site.flood(&unknown[0], FLOOD).await;
    site.busy(&known, Duration::ZERO).await;
    assert_eq!(flood.answers().await, BTreeMap::from([(401, FLOOD)]));
    let asked = site.requests("discovery").await - before;
    assert!((1..=3).contains(&asked), "{asked} requests for {FLOOD} tokens");

    site.provider.set_delay(Delay::For(FETCH / 4)).await.unwrap();
    site.until_taken(&unknown[0]).await;
    site.busy(&unknown, Duration::ZERO).await;
}
