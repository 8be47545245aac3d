//! A real OpenID provider, npm's `oidc-provider`, that a test commands: tokens of any life, new keys, silence.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::node;
use crate::{
    ports::Port,
    process::{Process, Ready},
    raw::{Endpoint, RawClient},
};

/// A running provider on a free port of 127.0.0.1, over plain HTTP. Dropping it ends it.
///
/// Every client name but `browser` and `console` is a service that may ask for tokens of its own name, and introspect and revoke
/// all others, with the secret of [`OidcProvider::client_secret`].
#[derive(Debug)]
pub struct OidcProvider {
    front: Port,
    control: Port,
    secret: String,
    process: Process,
}

/// What an access token is to say, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRequest {
    /// `sub`, and `client_id` where the token is a service's.
    pub subject: String,
    /// `aud`.
    pub audience: String,
    /// How it is written.
    pub form: TokenForm,
    /// From `iat` to `exp`, in whole seconds, at least one.
    pub lifetime: Duration,
    /// `scope`: words with spaces between them, or empty.
    pub scope: String,
    /// More claims, in the token itself or in the answer to its introspection.
    pub claims: Value,
}

/// How an access token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenForm {
    /// A JWT signed by RSA.
    Rs256,
    /// A JWT signed on P-256.
    Es256,
    /// A random word, which only introspection explains.
    Opaque,
}

/// What becomes of the keys that signed until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKeys {
    /// They stay in the key set: their tokens remain good.
    Kept,
    /// They are taken out.
    Removed,
}

/// How long the provider thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// Not at all.
    None,
    /// So long, for requests from now on.
    For(Duration),
    /// Requests from now on are taken and not answered.
    Forever,
}

impl Default for TokenRequest {
    /// Ada's, for `chat`, by ES256, of ten minutes.
    fn default() -> Self {
        Self {
            subject: "ada".into(),
            audience: "chat".into(),
            form: TokenForm::Es256,
            lifetime: Duration::from_secs(600),
            scope: String::new(),
            claims: json!({}),
        }
    }
}

impl TokenRequest {
    /// The provider's own words for it.
    fn wanted(&self) -> Value {
        let alg = match self.form {
            TokenForm::Rs256 => json!("RS256"),
            TokenForm::Es256 => json!("ES256"),
            TokenForm::Opaque => Value::Null,
        };
        let Self { subject, audience, scope, claims, .. } = self;
        let seconds = self.lifetime.as_secs();
        json!({"subject": subject, "audience": audience, "alg": alg, "seconds": seconds, "scope": scope, "claims": claims})
    }
}

impl OidcProvider {
    /// The public client that takes authorization codes with PKCE, see [`OidcProvider::allow_redirects`].
    pub const BROWSER: &str = "browser";
    /// A client that takes authorization codes with PKCE and the secret, see [`OidcProvider::allow_redirects`].
    pub const CONSOLE: &str = "console";
    /// A client for who introspects tokens.
    pub const GATEWAY: &str = "gateway";

    /// Starts it and waits until it answers.
    pub async fn start() -> Result<Self> {
        let (front, control) = (Port::free()?, Port::free()?);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/peers/oidc/provider.js");
        let mut command = node::script(&script, None)?;
        command.env("ISSUER_PORT", front.addr().port().to_string());
        command.env("CONTROL_PORT", control.addr().port().to_string());
        let ready = Ready::Ports(vec![front.addr(), control.addr()]);
        let process = Process::spawn(command, ready).await?;
        let mut provider = Self { front, control, secret: String::new(), process };
        let secret = provider.command("secret", json!({})).await?;
        provider.secret = secret.as_str().context("no secret")?.to_owned();
        Ok(provider)
    }

    /// Its issuer, `http://127.0.0.1:PORT`. Discovery is at the well-known place below it.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Where it listens while it is up.
    pub fn addr(&self) -> SocketAddr {
        self.front.addr()
    }

    /// Where its keys are.
    pub fn jwks_uri(&self) -> String {
        self.issuer() + "/jwks"
    }

    /// Where tokens are introspected (RFC 7662), by HTTP Basic authentication.
    pub fn introspection_endpoint(&self) -> String {
        self.issuer() + "/token/introspection"
    }

    /// The secret of every client but the browser's, made for this provider.
    pub fn client_secret(&self) -> &str {
        &self.secret
    }

    /// The running program.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// An access token by the client credentials grant; also while the provider is down or slow, and never counted.
    pub async fn token(&self, request: TokenRequest) -> Result<String> {
        let answer = self.command("token", request.wanted()).await?;
        answer["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token in {answer}"))
    }

    /// The `resource` to name in an authorization request, so that the code gives such a token. The subject is who logs in.
    pub async fn resource(&self, request: &TokenRequest) -> Result<String> {
        let answer = self.command("resource", request.wanted()).await?;
        answer.as_str().map(str::to_owned).context("no resource")
    }

    /// Makes an opaque token inactive.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        self.command("revoke", json!({"token": token})).await.map(drop)
    }

    /// Has the claim `groups` of somebody hold these, where the scope `groups` is asked for.
    pub async fn set_groups(&self, account: &str, all: &[&str]) -> Result<()> {
        self.command("groups", json!({"account": account, "all": all})).await.map(drop)
    }

    /// Where the clients that take codes may be sent back to: these URIs exactly.
    pub async fn allow_redirects(&self, uris: &[&str]) -> Result<()> {
        self.command("redirects", json!({"uris": uris})).await.map(drop)
    }

    /// Signs with new keys, of both algorithms, from now on.
    pub async fn rotate_keys(&self, old: OldKeys) -> Result<()> {
        self.command("rotate", json!({"keep": old == OldKeys::Kept})).await.map(drop)
    }

    /// Answers so late from now on.
    pub async fn set_delay(&self, delay: Delay) -> Result<()> {
        let ms = match delay {
            Delay::None => json!(0),
            Delay::For(time) => json!(u64::try_from(time.as_millis())?),
            Delay::Forever => Value::Null,
        };
        self.command("delay", json!({"ms": ms})).await.map(drop)
    }

    /// Listens no more and drops every connection. The port stays kept.
    pub async fn down(&self) -> Result<()> {
        self.command("down", json!({})).await.map(drop)
    }

    /// Listens again, on the same port.
    pub async fn up(&self) -> Result<()> {
        self.command("up", json!({})).await.map(drop)
    }

    /// How many requests an endpoint has had, answered or not.
    ///
    /// Endpoints: `discovery`, `jwks`, `introspection`, `revocation`, `authorization`, `token`, `userinfo`, `other`.
    pub async fn requests(&self, endpoint: &str) -> Result<u64> {
        let counts = self.command("requests", json!({})).await?;
        Ok(counts[endpoint].as_u64().unwrap_or(0))
    }

    async fn command(&self, name: &str, body: Value) -> Result<Value> {
        let body = body.to_string();
        let mut client = RawClient::connect(&Endpoint::plain(self.control.addr())).await?;
        let head = format!(
            "POST /command/{name} HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        client.send(format!("{head}{body}").as_bytes()).await?;
        let (head, body) = client.response().await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(head.status()? == 200, "{name}: {text}; {}", self.process.output());
        Ok(serde_json::from_str(&text)?)
    }
}
