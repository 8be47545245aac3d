//! The console from outside: its gate under attack, its API, and its pages in a browser.

mod api;
mod attacks;
mod command;
mod example;
mod messages;
mod openapi;
mod openid;
mod pages;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Endpoint, Head, RawClient};

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
/// The password of every user here, and its hash as `wicketgate console user` makes it.
const PASSWORD: &str = "correct horse battery";
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$mE9v9imTRaYi2u8Aa76HpA$Hws5a8iENBqJRQWOBH8BJE2DC7rIm3gRQKC+pEIqdsg";
/// The secret of the one-time passwords of `tia`.
const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// The files that the example names.
pub(crate) const EXAMPLE: [(&str, &str); 4] = [
    ("ann.password", HASH),
    ("ann.totp", TOTP),
    ("dashboard.token", "dashboard-0123456789abcdef0123456789abcdef"),
    ("openid.secret", "a secret that a provider has made"),
];
/// What the longest tokens of each scope begin with.
const TOKEN_TAIL: &str = "-0123456789abcdef0123456789abcdef";

/// A gateway with a console, and a backend that echoes.
struct Site {
    gateway: Gateway,
    config: String,
    console: Port,
    front: Port,
    _backend: EchoBackend,
}

impl Site {
    /// With `more` in the section `console`.
    async fn start(more: &str) -> Self {
        Self::start_with(more, str::to_owned).await
    }

    /// With `more` in the section `console`, and the configuration changed.
    async fn start_with(more: &str, change: impl FnOnce(&str) -> String) -> Self {
        let (console, front) = (Port::free().unwrap(), Port::free().unwrap());
        let backend = EchoBackend::start().await.unwrap();
        let config = change(SITE)
            .replace("FRONT", &front.addr().to_string())
            .replace("CONSOLE", &console.addr().to_string())
            .replace("BACKEND", &backend.addr().unwrap().to_string())
            .replace("MORE", more)
            .replace("HASH", HASH)
            .replace("TOTP", TOTP)
            .replace("TAIL", TOKEN_TAIL);
        let ready = Ready::Ports(vec![front.addr(), console.addr()]);
        let rules = beside(console.addr(), ".conf");
        std::fs::write(&rules, RULES).unwrap();
        let config = config
            .replace("STORE", &beside(console.addr(), ".db").display().to_string())
            .replace("RULES", &rules.display().to_string());
        let gateway = Gateway::start(BINARY, &config, ready).await.unwrap();
        Self { gateway, config, console, front, _backend: backend }
    }

    fn address(&self) -> SocketAddr {
        self.console.addr()
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A request, as it is written, and its answer.
    async fn raw(&self, request: &[u8]) -> (Head, String) {
        let mut client = RawClient::connect(&Endpoint::plain(self.address())).await.unwrap();
        // The console may have answered before all of it was written.
        client.send(request).await.ok();
        let (head, body) = client.response().await.unwrap();
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    /// A request with these header lines.
    async fn ask(&self, method: &str, path: &str, lines: &[String], body: &str) -> (Head, String) {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            self.address(),
            body.len()
        );
        self.raw(request.as_bytes()).await
    }

    /// A request with the token of a scope; its answer as JSON.
    async fn api(&self, scope: &str, method: &str, path: &str) -> (u16, Value) {
        let token = format!("Authorization: Bearer {scope}{TOKEN_TAIL}");
        let (head, body) = self.ask(method, path, &[token], "").await;
        (head.status().unwrap(), serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The audit's records of this name, the newest first, as soon as there are so many: they are written a little later.
    async fn audited(&self, query: &str, least: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, mut answer) = self.api("read", "GET", &format!("/api/v1/audit?event={query}")).await;
            assert_eq!(status, 200, "{answer}");
            let records: Vec<Value> = serde_json::from_value(answer["records"].take()).unwrap();
            if records.len() >= least {
                return records;
            }
            assert!(Instant::now() < deadline, "{query}: {records:?}");
        }
    }

    /// What the console's own page sends.
    async fn sign_in(&self, name: &str, password: &str, code: &str, more: &[String]) -> (Head, String) {
        let form = format!("name={name}&password={}&code={code}", password.replace(' ', "+"));
        let mut lines = vec![FORM.to_owned(), format!("Origin: {}", self.origin())];
        lines.extend_from_slice(more);
        self.ask("POST", "/sign-in", &lines, &form).await
    }

    /// Somebody who is signed in.
    async fn signed_in(&self, name: &str) -> Browser {
        let (head, body) = self.sign_in(name, PASSWORD, "", &[]).await;
        assert_eq!(head.status().unwrap(), 303, "{body}");
        let set = head.field("set-cookie").unwrap();
        let cookie = format!("Cookie: {}", set.split(';').next().unwrap());
        let (_, page) = self.ask("GET", "/", std::slice::from_ref(&cookie), "").await;
        let (_, rest) = page.split_once("<meta name=\"csrf\" content=\"").expect("a page");
        Browser { cookie, csrf: rest.split('"').next().unwrap().to_owned() }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for end in [".db", ".db-wal", ".db-shm", ".conf"] {
            let _ = std::fs::remove_file(beside(self.address(), end));
        }
    }
}

/// A file of the site with a console at this address.
fn beside(console: SocketAddr, end: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wicketgate-console-{}{end}", console.port()))
}

/// What a browser holds of somebody who is signed in.
struct Browser {
    cookie: String,
    csrf: String,
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// What the route `asked` asks about requests.
const RULES: &str =
    r#"SecRule ARGS "@contains <script" "id:100,phase:1,deny,t:none,msg:'A script',tag:'attack-xss'""#;

const SITE: &str = r#"
listeners: [{name: main, bind: "FRONT"}]
upstreams: [{name: chat, targets: ["ws://BACKEND"]}]
policies:
- {name: chat, format: text, mode: observe, to_upstream: [{guard: {}}]}
- {name: fields, format: json, mode: observe, to_upstream: [{guard: {}}]}
routes:
- {name: chat, match: {path: /chat}, upstream: chat, policy: chat}
- {name: fields, match: {path: /fields}, upstream: chat, policy: fields}
- {name: plain, match: {path: /plain}, upstream: chat, websocket: {mode: messages}}
- {name: asked, match: {path: /asked}, upstream: chat, admission: {crs: {rules: RULES}}}
- {name: rest, upstream: chat}
audit: {store: {path: STORE, commit_interval: 0s}}
console:
  bind: "CONSOLE"
  users:
  - {name: ann, role: admin, password: {value: "HASH"}}
  - {name: olga, role: operator, password: {value: "HASH"}}
  - {name: vera, role: viewer, password: {value: "HASH"}}
  - {name: tia, role: viewer, password: {value: "HASH"}, totp: {value: TOTP}}
  tokens:
  - {name: reader, scope: read, token: {value: "readTAIL"}}
  - {name: doer, scope: operate, token: {value: "operateTAIL"}}
  - {name: chief, scope: admin, token: {value: "adminTAIL"}}
  MORE
"#;
