//! Tokens of a real OpenID provider.

#![allow(clippy::unwrap_used)]
//! Both kinds of tokens of a real OpenID provider: rotation under load, down, slow, revoked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wicketgate_config::{Problems, part};
use wicketgate_testkit::peers::oidc::{Delay, OidcProvider, OldKeys, TokenForm, TokenRequest};

use super::introspection::{Introspection, RawIntrospection};
use super::jwt::{Jwt, RawJwt};
use super::{Denied, Identity};
use crate::secret::Secret;

fn jwt(provider: &OidcProvider) -> Arc<Jwt> {
    let text = format!(
        "issuer: {}\naudience: chat\nkeys: discovery\nrefresh: 1s\nrefresh_cooldown: 1s\nfetch: {{timeout: 1s}}\n",
        provider.issuer()
    );
    let raw: RawJwt = part("jwt.yaml", &text).unwrap();
    Arc::new(Jwt::start("people".into(), raw.check(&mut Problems::default()).unwrap()))
}

async fn token(provider: &OidcProvider, form: TokenForm) -> Secret {
    Secret::new(provider.token(TokenRequest { form, ..TokenRequest::default() }).await.unwrap())
}

/// As soon as it succeeds.
async fn eventually(jwt: &Jwt, token: &Secret) -> Identity {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match jwt.identify(token).await {
            Ok(identity) => return identity,
            Err(denied) => assert!(Instant::now() < deadline, "{denied}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_rotate_under_load_and_known_ones_serve_without_the_provider() {
    let provider = OidcProvider::start().await.unwrap();
    let jwt = jwt(&provider);
    let old = token(&provider, TokenForm::Es256).await;
    let identity = jwt.identify(&old).await.unwrap();
    assert_eq!(&*identity.subject, "ada");
    jwt.identify(&token(&provider, TokenForm::Rs256).await).await.unwrap();
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (jwt, old) = (jwt.clone(), old.clone());
            tokio::spawn(async move {
                let end = Instant::now() + Duration::from_secs(3);
                while Instant::now() < end {
                    jwt.identify(&old).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    provider.rotate_keys(OldKeys::Kept).await.unwrap();
    for form in [TokenForm::Es256, TokenForm::Rs256] {
        eventually(&jwt, &token(&provider, form).await).await;
    }
    for task in load {
        task.await.unwrap();
    }
    provider.set_delay(Delay::Forever).await.unwrap();
    jwt.identify(&old).await.unwrap();
    provider.down().await.unwrap();
    jwt.identify(&old).await.unwrap();
    let cold = self::jwt(&provider);
    let start = Instant::now();
    assert!(matches!(cold.identify(&old).await.unwrap_err(), Denied::Unavailable(_)));
    assert!(start.elapsed() < Duration::from_secs(5));
    provider.set_delay(Delay::None).await.unwrap();
    provider.up().await.unwrap();
    eventually(&cold, &old).await;
    provider.rotate_keys(OldKeys::Removed).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while jwt.identify(&old).await.is_ok() {
        assert!(Instant::now() < deadline, "a key that was taken out still serves");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_opaque_token_is_good_until_it_is_revoked() {
    let provider = OidcProvider::start().await.unwrap();
    let text = format!(
        "url: {}\ncredentials: {{client: {{id: {}, secret: {{value: {}}}}}}}\naudience: chat\ncache: 0s\nfetch: {{timeout: 1s}}\n",
        provider.introspection_endpoint(),
        OidcProvider::GATEWAY,
        provider.client_secret()
    );
    let raw: RawIntrospection = part("introspection.yaml", &text).unwrap();
    let method = Introspection::start("opaque".into(), raw.check(&mut Problems::default()).unwrap());
    let token = token(&provider, TokenForm::Opaque).await;
    let identity = method.identify(&token).await.unwrap();
    assert_eq!(&*identity.subject, "ada");
    assert!(identity.expires.is_some());
    provider.down().await.unwrap();
    assert!(matches!(method.identify(&token).await.unwrap_err(), Denied::Unavailable(_)));
    provider.up().await.unwrap();
    provider.revoke(token.reveal()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match method.identify(&token).await.unwrap_err() {
            Denied::Unavailable(_) => assert!(Instant::now() < deadline, "the provider is back"),
            denied => return assert_eq!(denied, Denied::Inactive),
        }
        tokio::task::yield_now().await;
    }
}
