//! The OpenID provider issues what a test asks for, is down and slow when told, and counts who asks it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::timeout;
use wicketgate_testkit::{
    peers::{
        chromium, node,
        oidc::{Delay, OidcProvider, OldKeys, TokenForm, TokenRequest},
    },
    process::{Process, Ready},
    raw::{EchoBackend, Endpoint, RawClient},
};

const SOON: Duration = Duration::from_secs(60);

async fn provider() -> OidcProvider {
    OidcProvider::start().await.unwrap()
}

/// What another library makes of tokens with the provider's keys: their claims, or why not.
async fn verified(provider: &OidcProvider, tokens: &[&str]) -> Vec<Value> {
    let code = format!(
        "
const {{ createRemoteJWKSet, jwtVerify }} = require('jose');
const keys = createRemoteJWKSet(new URL('{jwks}'));
(async () => {{
  for (const token of {tokens}) {{
    const read = jwtVerify(token, keys, {{ issuer: '{issuer}', audience: 'chat', typ: 'at+jwt' }});
    console.log(JSON.stringify(await read.then(
      ({{ payload, protectedHeader }}) => ({{ ...payload, alg: protectedHeader.alg, kid: protectedHeader.kid }}),
      (error) => error.code)));
  }}
}})();",
        jwks = provider.jwks_uri(),
        issuer = provider.issuer(),
        tokens = json!(tokens)
    );
    let process = Process::spawn(node::code(&code, None).unwrap(), Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert!(status.success(), "{output}");
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn introspected(provider: &OidcProvider, token: &str) -> Value {
    let credentials = STANDARD.encode(format!("{}:{}", OidcProvider::GATEWAY, provider.client_secret()));
    let body = format!("token={token}");
    let request = format!(
        "POST /token/introspection HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        provider.addr(),
        body.len()
    );
    let mut client = RawClient::connect(&Endpoint::plain(provider.addr())).await.unwrap();
    client.send(request.as_bytes()).await.unwrap();
    let (head, body) = client.response().await.unwrap();
    assert_eq!(head.status().unwrap(), 200);
    serde_json::from_slice(&body).unwrap()
}

async fn asks(provider: &OidcProvider, path: &str) -> anyhow::Result<(u16, Value)> {
    let mut client = RawClient::connect(&Endpoint::plain(provider.addr())).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", provider.addr());
    client.send(request.as_bytes()).await?;
    let (head, body) = client.response().await?;
    Ok((head.status()?, serde_json::from_slice(&body)?))
}

#[tokio::test]
async fn tokens_say_what_was_asked_for() {
    let provider = provider().await;
    let (_, discovered) = asks(&provider, "/.well-known/openid-configuration").await.unwrap();
    assert_eq!(discovered["issuer"], provider.issuer());
    assert_eq!(discovered["jwks_uri"], provider.jwks_uri());
    assert_eq!(discovered["introspection_endpoint"], provider.introspection_endpoint());

    let wanted = |form| TokenRequest {
        subject: "ben".into(),
        form,
        lifetime: Duration::from_secs(7),
        scope: "read write".into(),
        claims: json!({"roles": ["operator"], "tenant": {"id": 7}}),
        ..TokenRequest::default()
    };
    let rs256 = provider.token(wanted(TokenForm::Rs256)).await.unwrap();
    let es256 = provider.token(wanted(TokenForm::Es256)).await.unwrap();
    let opaque = provider.token(wanted(TokenForm::Opaque)).await.unwrap();
    let elsewhere = TokenRequest { audience: "mail".into(), ..TokenRequest::default() };
    let elsewhere = provider.token(elsewhere).await.unwrap();

    let read = verified(&provider, &[&rs256, &es256, &elsewhere]).await;
    assert_eq!((&read[0]["alg"], &read[1]["alg"]), (&json!("RS256"), &json!("ES256")));
    assert_eq!(read[2], "ERR_JWT_CLAIM_VALIDATION_FAILED");
    assert!(!opaque.contains('.'), "{opaque}");
    let explained = introspected(&provider, &opaque).await;
    assert_eq!(explained["active"], true);
    for claims in [&read[0], &read[1], &explained] {
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("ben"), &json!("chat")), "{claims}");
        assert_eq!(claims["scope"], "read write", "{claims}");
        assert_eq!((&claims["roles"][0], &claims["tenant"]["id"]), (&json!("operator"), &json!(7)));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 7);
    }
    provider.revoke(&opaque).await.unwrap();
    assert_eq!(introspected(&provider, &opaque).await, json!({"active": false}));
}

#[tokio::test]
async fn keys_rotate() {
    let provider = provider().await;
    let first = provider.token(TokenRequest::default()).await.unwrap();
    provider.rotate_keys(OldKeys::Kept).await.unwrap();
    let second = provider.token(TokenRequest::default()).await.unwrap();
    let read = verified(&provider, &[&first, &second]).await;
    assert_eq!((&read[0]["sub"], &read[1]["sub"]), (&json!("ada"), &json!("ada")));
    assert_ne!(read[0]["kid"], read[1]["kid"]);
    let opaque = TokenRequest { form: TokenForm::Opaque, ..TokenRequest::default() };
    let opaque = provider.token(opaque).await.unwrap();
    provider.rotate_keys(OldKeys::Removed).await.unwrap();
    let third = provider.token(TokenRequest::default()).await.unwrap();
    let read = verified(&provider, &[&first, &second, &third]).await;
    assert_eq!(read[..2], [json!("ERR_JWKS_NO_MATCHING_KEY"), json!("ERR_JWKS_NO_MATCHING_KEY")]);
    assert_eq!(read[2]["sub"], "ada");
    assert_eq!(introspected(&provider, &opaque).await["active"], true);
}

#[tokio::test]
async fn it_is_down_slow_and_counts() {
    let provider = provider().await;
    for _ in 0..3 {
        asks(&provider, "/jwks").await.unwrap();
    }
    assert_eq!(provider.requests("jwks").await.unwrap(), 3);

    let mut held = RawClient::connect(&Endpoint::plain(provider.addr())).await.unwrap();
    provider.down().await.unwrap();
    assert_eq!(held.rest().await.unwrap(), b"", "an open connection is ended");
    assert!(RawClient::connect(&Endpoint::plain(provider.addr())).await.is_err());
    provider.token(TokenRequest::default()).await.unwrap();
    provider.up().await.unwrap();
    assert_eq!(asks(&provider, "/jwks").await.unwrap().0, 200);

    let late = Duration::from_millis(300);
    provider.set_delay(Delay::For(late)).await.unwrap();
    let before = std::time::Instant::now();
    asks(&provider, "/jwks").await.unwrap();
    assert!(before.elapsed() >= late);
    provider.set_delay(Delay::Forever).await.unwrap();
    timeout(late, asks(&provider, "/jwks")).await.unwrap_err();
    provider.set_delay(Delay::None).await.unwrap();
    asks(&provider, "/jwks").await.unwrap();
    assert_eq!(provider.requests("jwks").await.unwrap(), 7);
    assert_eq!(provider.requests("token").await.unwrap(), 0, "a test's own requests do not count");
}

/// A person's way to a token: login form, code, PKCE.
#[tokio::test]
async fn a_browser_logs_in() {
    let (provider, page) = (provider().await, EchoBackend::start().await.unwrap());
    let back = format!("http://{}/back", page.addr().unwrap());
    provider.allow_redirects(&[&back]).await.unwrap();
    let resource = provider.resource(&TokenRequest::default()).await.unwrap();
    let script = format!(
        "
const {{ createHash }} = require('node:crypto');
const [issuer, back, verifier] = ['{issuer}', '{back}', 'v'.repeat(43)];
const asked = new URLSearchParams({{
  client_id: '{client}', response_type: 'code', redirect_uri: back, scope: 'openid', state: 's', login_hint: 'ben',
  resource: '{resource}', code_challenge_method: 'S256',
  code_challenge: createHash('sha256').update(verifier).digest('base64url'),
}});
await page.goto(issuer + '/auth?' + asked);
await page.click('#login');
await page.waitForURL((url) => url.href.startsWith(back));
const code = new URL(page.url()).searchParams.get('code');
const form = {{ grant_type: 'authorization_code', client_id: '{client}', code, redirect_uri: back, code_verifier: verifier }};
console.log('token ' + await page.evaluate(async ([issuer, form]) => {{
  const reply = await fetch(issuer + '/token', {{ method: 'POST', body: new URLSearchParams(form) }});
  return (await reply.json()).access_token;
}}, [issuer, form]));
",
        issuer = provider.issuer(),
        client = OidcProvider::BROWSER,
    );
    let visit = chromium::visit(&script, false, SOON).await.unwrap();
    assert!(visit.status.success(), "{}{}", visit.output, provider.process().output());
    let token = visit.output.lines().find_map(|line| line.strip_prefix("token ")).unwrap();
    let read = verified(&provider, &[token]).await;
    assert_eq!(read[0]["sub"], "ben", "{read:?}\n{}", visit.output);
}
