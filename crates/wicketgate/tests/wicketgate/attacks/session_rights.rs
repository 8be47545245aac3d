//! Sessions whose clients lose the right to them: by time, by revocation, by an operator, by a reload. Those end, and no
//! others do.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::issuer::{now, sign_hs256};
use wicketgate_testkit::raw::{Ended, Endpoint, RawClient, Upgrade};

use super::{Stage, UPSTREAM};
use crate::cli::wicketgate;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ADMIN_TOKEN: &str = "an-admin-token-of-more-than-32-characters";

/// A token of this subject that lives so many seconds.
fn token(subject: &str, id: &str, life: u64) -> String {
    let claims =
        json!({"iss": "test", "aud": "chat", "sub": subject, "jti": id, "iat": now(), "exp": now() + life});
    sign_hs256(SECRET.as_bytes(), &json!({"alg": "HS256"}), &claims).unwrap()
}

/// A gateway with a folder of its own, for what it follows and for the commands that ask it.
struct House {
    stage: Stage,
    folder: Dir,
}

const METHODS: &str = "authentication:
- name: people
  jwt: {issuer: test, audience: chat, leeway: 0s, keys: {secret: {value: 0123456789abcdef0123456789abcdef}}}
";

impl House {
    /// With these settings for admission on the one route, and this section of revocations.
    async fn new(admission: &str, revocations: &str) -> Self {
        let folder = Dir::new().unwrap();
        let stage = Stage::start(&Self::config(&folder, admission, revocations)).await;
        let config = std::fs::read_to_string(stage.gateway.config()).unwrap();
        folder.write("wicketgate.yaml", config).unwrap();
        Self { stage, folder }
    }

    fn config(folder: &Dir, admission: &str, revocations: &str) -> String {
        let folder = folder.path().display();
        format!(
            "listeners: [{{name: l, bind: LISTEN}}]\n{UPSTREAM}{METHODS}{revocations}log: {{format: json}}\n\
             admin: {{bind: 'unix:{folder}/admin.sock'}}\nroutes:\n\
             - {{name: open, match: {{path: /open}}, upstream: backend}}\n\
             - {{name: chat, match: {{path: /chat}}, upstream: backend, admission: {{authentication: {{any: [people]}}{admission}}}}}\n"
        )
    }

    async fn open(&self, token: &str) -> RawClient {
        let mut client = self.stage.client().await;
        client.upgrade(&with_token(token)).await.unwrap();
        client.echoes("hello").await.unwrap();
        client
    }

    async fn refused(&self, token: &str) {
        let before = self.stage.heads().len();
        let mut client = self.stage.client().await;
        client.send(&with_token(token).bytes()).await.unwrap();
        assert_eq!(client.head().await.unwrap().status().unwrap(), 401);
        assert_eq!(self.stage.heads().len(), before);
    }

    async fn honest(&self) {
        RawClient::open(&self.stage.listener(0), "/open").await.unwrap().echoes("honest").await.unwrap();
    }

    /// A command of the operator's; what it printed.
    fn command(&self, arguments: &[&str]) -> String {
        let (code, out, err) = wicketgate(self.folder.path(), arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    }

    fn listed(&self, picked: &[&str]) -> Vec<Value> {
        let out = self.command(&[&["sessions", "list", "--json"], picked].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn event(&self, parts: &[&str]) {
        let process = self.stage.gateway.process();
        let line = process.line(parts[0], Duration::from_secs(10)).await.unwrap();
        let found = process.output().lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line with {parts:?}, but {line}");
    }
}

fn with_token(token: &str) -> Upgrade {
    Upgrade::new("/chat").with("Authorization", &format!("Bearer {token}"))
}

async fn ends_with(client: &mut RawClient, code: u16) {
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(code)));
}

#[tokio::test]
async fn a_session_ends_when_its_token_does() {
    let house = House::new(", close_codes: {expired: 4401}", "").await;
    let mut lasting = house.open(&token("ann", "long", 3600)).await;
    let start = SystemTime::now();
    let mut short = house.open(&token("ann", "short", 2)).await;
    // A busy client is no better off.
    while let Ok(()) = short.echoes("still there").await {
        tokio::task::yield_now().await;
        assert!(start.elapsed().unwrap() < Duration::from_secs(10));
    }
    let took = start.elapsed().unwrap();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
    house.event(&["session.closed", "credential_expired", "\"token_id\":\"short\"", "4401"]).await;
    lasting.echoes("still there").await.unwrap();
    house.honest().await;
    let (_, recorded) = house
        .stage
        .backend
        .until("a close frame", |r| r.frames().iter().any(|f| f.opcode == 8))
        .await
        .unwrap();
    let close = recorded.frames().into_iter().find(|frame| frame.opcode == 8).unwrap();
    assert_eq!(close.payload, 1001_u16.to_be_bytes());
    house.refused(&token("ann", "late", 0)).await;
}

#[tokio::test]
async fn operators_see_and_end_sessions() {
    let house = House::new(", close_codes: {kicked: 4999}", "").await;
    let mut ann = [house.open(&token("ann", "a1", 3600)).await, house.open(&token("ann", "a2", 3600)).await];
    let mut bob = house.open(&token("bob", "b1", 3600)).await;
    let mut nobody = RawClient::open(&house.stage.listener(0), "/open").await.unwrap();
    assert_eq!(house.listed(&[]).len(), 4);
    let one = &house.listed(&["--token-id", "a2"])[0];
    assert_eq!((one["subject"].as_str(), one["method"].as_str()), (Some("ann"), Some("people")));
    assert_eq!((one["route"].as_str(), one["client"].as_str()), (Some("chat"), Some("127.0.0.1")));
    assert!(one["expires"].as_str().unwrap().ends_with('Z'));
    let table = house.command(&["sessions", "list", "--address", "127.0.0.0/8"]);
    assert!(table.starts_with("SESSION") && table.lines().count() == 5, "{table}");

    assert_eq!(house.command(&["sessions", "kick", "--subject", "ann"]), "2 sessions ended\n");
    for client in &mut ann {
        ends_with(client, 4999).await;
    }
    house.event(&["session.kicked", "\"selector\":\"subject\"", "\"value\":\"ann\"", "\"sessions\":2"]).await;
    let number = house.listed(&["--subject", "bob"])[0]["session"].to_string();
    bob.echoes("still there").await.unwrap();
    house.command(&["sessions", "kick", "--session", &number, "--route", "chat"]);
    ends_with(&mut bob, 4999).await;
    nobody.echoes("still there").await.unwrap();
    assert_eq!(house.command(&["sessions", "kick", "--address", "10.0.0.0/8"]), "0 sessions ended\n");
    house.command(&["sessions", "kick", "--address", "127.0.0.1"]);
    ends_with(&mut nobody, 1008).await;
    let (code, _, err) = wicketgate(house.folder.path(), &["sessions", "kick"]);
    assert!(code != 0 && err.contains("say which"), "{err}");
    house.honest().await;
}

#[tokio::test]
async fn what_is_revoked_ends_and_does_not_come_back() {
    let list = Dir::new().unwrap();
    let file = list.write("revoked", "{\"token_id\": \"old\"}\n").unwrap();
    let revocations = format!("revocations: {{file: {}}}\n", file.display());
    let house = House::new(", close_codes: {revoked: 4403}", &revocations).await;
    house.refused(&token("ann", "old", 3600)).await;
    let (stolen, other) = (token("ann", "stolen", 3600), token("ann", "other", 3600));
    let (mut thief, mut ann) = (house.open(&stolen).await, house.open(&other).await);
    let mut bob = house.open(&token("bob", "b", 3600)).await;

    let told = house.command(&["revoke", "--token-id", "stolen", "--for", "1h"]);
    assert!(told.contains("kept in the file"), "{told}");
    ends_with(&mut thief, 4403).await;
    house.event(&["credential.revoked", "\"value\":\"stolen\""]).await;
    house.refused(&stolen).await;
    ann.echoes("still there").await.unwrap();

    // By whoever writes the file.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{{\"subject\": \"ann\"}}\n")).unwrap();
    ends_with(&mut ann, 4403).await;
    house.refused(&other).await;
    house.refused(&stolen).await;
    house.event(&["admission.refused", "credential_revoked"]).await;

    // All that was issued until now: a new log-in helps.
    let bobs = token("bob", "b2", 3600);
    tokio::task::yield_now().await;
    house.command(&["revoke", "--subject", "bob", "--issued"]);
    ends_with(&mut bob, 4403).await;
    house.refused(&bobs).await;
    house.honest().await;
}

#[tokio::test]
async fn a_reload_ends_what_would_not_be_admitted_any_more() {
    let folder = Dir::new().unwrap();
    let house = House::new("", "").await;
    let mut ann = house.open(&token("ann", "a", 3600)).await;
    let mut bob = house.open(&token("bob", "b", 3600)).await;
    let mut open = RawClient::open(&house.stage.listener(0), "/open").await.unwrap();
    let running = std::fs::read_to_string(house.stage.gateway.config()).unwrap();
    let next =
        running.replace("{any: [people]}", "{any: [people]}, authorization: 'identity.subject != \"ann\"'");
    assert_ne!(running, next);
    house.stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    ends_with(&mut ann, 1012).await;
    bob.echoes("still there").await.unwrap();
    house.event(&["session.closed", "not_admitted_any_more", "\"subject\":\"ann\""]).await;
    // Another method, another audience: nobody vouches for those inside.
    let next = running.replace("audience: chat", "audience: elsewhere");
    house.stage.gateway.reload(&next, "configuration reloaded").await.unwrap();
    let ended = bob.ended().await;
    assert!(
        matches!(ended, Ok(Ended::Closed(Some(1008 | 1012)))),
        "{ended:?}: {}",
        house.stage.gateway.process().output()
    );
    open.echoes("still there").await.unwrap();
    drop(folder);
}

/// Metrics and health are for everybody, sessions and revocations for who has the token.
#[tokio::test]
async fn sessions_are_for_who_has_the_token() {
    let config = |token: &str| {
        format!(
            "listeners: [{{bind: LISTEN}}]\n{UPSTREAM}routes: [{{name: all, upstream: backend}}]\nadmin: {{bind: LISTEN{token}}}\n"
        )
    };
    let locked = Stage::start(&config("")).await;
    assert_eq!(asked(&locked.listener(1), "GET", "/sessions", "").await, 403);
    let stage = Stage::start(&config(&format!(", token: {{value: {ADMIN_TOKEN}}}"))).await;
    let admin = stage.listener(1);
    let mut client = RawClient::open(&stage.listener(0), "/").await.unwrap();
    let good = format!("Authorization: Bearer {ADMIN_TOKEN}\r\n");
    for bad in ["", "Authorization: Bearer x\r\n", "Authorization: Basic x\r\n", &format!("{good}{good}")] {
        for (method, target) in
            [("GET", "/sessions"), ("DELETE", "/sessions?route=all"), ("GET", "/revocations")]
        {
            assert_eq!(asked(&admin, method, target, bad).await, 401, "{method} {target} {bad}");
        }
    }
    client.echoes("still there").await.unwrap();
    assert_eq!(asked(&admin, "GET", "/metrics", "").await, 200);
    assert_eq!(asked(&admin, "GET", "/sessions?nonsense=1", &good).await, 400);
    assert_eq!(asked(&admin, "DELETE", "/sessions", &good).await, 400);
    assert_eq!(asked(&admin, "PUT", "/sessions", &good).await, 405);
    assert_eq!(asked(&admin, "DELETE", "/sessions?route=all", &good).await, 200);
    ends_with(&mut client, 1008).await;
    assert!(!stage.gateway.process().output().contains(ADMIN_TOKEN));
}

async fn asked(endpoint: &Endpoint, method: &str, target: &str, headers: &str) -> u16 {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    let request = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    client.send(request.as_bytes()).await.unwrap();
    client.head().await.unwrap().status().unwrap()
}
