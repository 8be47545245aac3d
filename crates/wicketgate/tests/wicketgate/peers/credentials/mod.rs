//! A real OpenID provider beside the gateway: its keys change under load, it is down, it is slow; nobody honest is refused
//! and nothing hangs.

mod expiry;
mod keys;
mod many;
mod opaque;

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use wicketgate_testkit::{
    gateway::Gateway,
    peers::oidc::{OidcProvider, TokenForm, TokenRequest},
    ports::Port,
    process::{Process, Ready, raise_open_files},
    raw::{EchoBackend, Ended, Endpoint, RawClient, Upgrade},
};

/// Clients that open one session after the other.
const OPENERS: usize = 4;
/// How long the provider may take, as configured.
const FETCH: Duration = Duration::from_secs(1);
/// What a busy machine may add to a deadline.
const MARGIN: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(20);

/// Tokens that explain themselves at /, and tokens that are asked about at /opaque.
const CONFIG: &str = r#"
listeners: [{name: local, bind: "FRONT"}]
authentication:
  - name: signed
    jwt:
      issuer: ISSUER
      audience: chat
      keys: discovery
      typ: at+jwt
      leeway: 0s
      refresh_cooldown: 1s
      fetch: {timeout: 1s}
  - name: opaque
    introspection:
      url: INTROSPECTION
      credentials: {client: {id: CLIENT, secret: {value: "${SECRET}"}}}
      audience: chat
      leeway: 0s
      recheck: 1s
      fetch: {timeout: 1s}
upstreams: [{name: backend, targets: ["ws://BACKEND"]}]
routes:
  - name: signed
    upstream: backend
    admission: {authentication: {any: [signed]}}
  - name: opaque
    match: {path: /opaque}
    upstream: backend
    admission: {authentication: {any: [opaque]}}
  - name: going
    match: {path: /going}
    upstream: backend
    admission: {authentication: {any: [signed]}}
admin: {bind: "ADMIN", token: {value: "${SECRET}"}}
log: {access: off}
"#;

/// A provider, a backend and the gateway between.
struct Site {
    provider: OidcProvider,
    front: Port,
    gateway: Gateway,
    config: String,
    _admin: Port,
    _backend: EchoBackend,
}

impl Site {
    async fn start() -> Self {
        Self::beside(OidcProvider::start().await.unwrap()).await
    }

    async fn beside(provider: OidcProvider) -> Self {
        raise_open_files().unwrap();
        let (front, backend) = (Port::free().unwrap(), EchoBackend::start().await.unwrap());
        let admin = Port::free().unwrap();
        let config = CONFIG
            .replace("ADMIN", &admin.addr().to_string())
            .replace("FRONT", &front.addr().to_string())
            .replace("ISSUER", &provider.issuer())
            .replace("INTROSPECTION", &provider.introspection_endpoint())
            .replace("CLIENT", OidcProvider::GATEWAY)
            .replace("BACKEND", &backend.addr().unwrap().to_string());
        let secret = provider.client_secret().to_owned();
        let adjust = |command: &mut Command| {
            command.env("SECRET", secret);
        };
        let ready = Ready::port(front.addr());
        let gateway = Gateway::start_with(super::BINARY, &config, ready, adjust).await.unwrap();
        Self { provider, front, gateway, config, _admin: admin, _backend: backend }
    }

    /// New tokens of both algorithms.
    async fn tokens(&self) -> Vec<String> {
        let lifetime = TokenRequest::default().lifetime;
        vec![self.token(TokenForm::Es256, lifetime).await, self.token(TokenForm::Rs256, lifetime).await]
    }

    async fn token(&self, form: TokenForm, lifetime: Duration) -> String {
        self.provider.token(TokenRequest { form, lifetime, ..TokenRequest::default() }).await.unwrap()
    }

    /// A command of the operator's; what it printed.
    async fn operate(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(super::BINARY);
        command.current_dir(self.gateway.dir().path()).env("SECRET", self.provider.client_secret());
        command.args(arguments);
        let process = Process::spawn(command, Ready::Started).await.unwrap();
        let (status, output) = process.finish(PATIENCE).await.unwrap();
        assert!(status.success(), "{arguments:?}: {output}");
        output
    }

    /// A session, or the status of the refusal.
    async fn open(&self, token: &str) -> Result<RawClient, u16> {
        open(&Endpoint::plain(self.front.addr()), token).await
    }

    /// Opens and closes sessions by all of these tokens for so long; none may be refused.
    async fn busy(&self, tokens: &[String], time: Duration) {
        let until = Instant::now() + time;
        let mut openers = JoinSet::new();
        for opener in 0..OPENERS {
            let (endpoint, tokens) = (Endpoint::plain(self.front.addr()), tokens.to_vec());
            openers.spawn(async move {
                for at in opener.. {
                    let token = at % tokens.len();
                    let opened = open(&endpoint, &tokens[token]).await;
                    let mut client =
                        opened.unwrap_or_else(|status| panic!("token {token} of {}: {status}", tokens.len()));
                    client.echoes("hello").await.unwrap();
                    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
                    // Each token at least once.
                    if Instant::now() >= until && at >= opener + tokens.len() {
                        return;
                    }
                }
            });
        }
        timeout(time + PATIENCE, openers.join_all()).await.expect("an opener hangs");
    }

    /// Asks until the token is taken.
    async fn until_taken(&self, token: &str) {
        let asks = async { while self.open(token).await.is_err() {} };
        timeout(PATIENCE, asks).await.unwrap_or_else(|_| panic!("{}", self.gateway.process().output()));
    }

    /// Sends so many requests with this token at once; their answers, none of which may be a session.
    async fn flood(&self, token: &str, count: usize) -> Flood {
        let mut requests = JoinSet::new();
        for _ in 0..count {
            let (endpoint, token) = (Endpoint::plain(self.front.addr()), token.to_owned());
            requests.spawn(async move { open(&endpoint, &token).await.map(drop).unwrap_err() });
        }
        Flood { requests, since: Instant::now() }
    }

    async fn requests(&self, endpoint: &str) -> u64 {
        self.provider.requests(endpoint).await.unwrap()
    }
}

/// Requests that wait for their answers.
struct Flood {
    requests: JoinSet<u16>,
    since: Instant,
}

impl Flood {
    /// How many got which status. The last one has to come before a question to the provider may have taken too long.
    async fn answers(mut self) -> BTreeMap<u16, usize> {
        let mut answers = BTreeMap::new();
        while let Some(status) =
            timeout(FETCH + MARGIN, self.requests.join_next()).await.expect("a request hangs")
        {
            *answers.entry(status.unwrap()).or_default() += 1;
        }
        assert!(self.since.elapsed() < FETCH + MARGIN, "{:?}", self.since.elapsed());
        answers
    }
}

async fn open(endpoint: &Endpoint, token: &str) -> Result<RawClient, u16> {
    open_at(endpoint, if token.contains('.') { "/" } else { "/opaque" }, token).await
}

async fn open_at(endpoint: &Endpoint, target: &str, token: &str) -> Result<RawClient, u16> {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    let request = Upgrade::new(target).with("Authorization", &format!("Bearer {token}"));
    client.send(&request.bytes()).await.unwrap();
    match client.head().await.unwrap().status().unwrap() {
        101 => Ok(client),
        status => Err(status),
    }
}
