//! Live messages: who may look on, what is covered, what is dropped, and that traffic never waits.

use std::time::{Duration, Instant};

use serde_json::Value;
use wicketgate_testkit::raw::{Endpoint, RawClient};

use super::{Site, TOKEN_TAIL};

const SOON: Duration = Duration::from_secs(30);

/// Somebody who looks on.
struct Onlooker {
    client: RawClient,
    text: String,
}

impl Onlooker {
    async fn begin(site: &Site, query: &str) -> Self {
        let mut client = RawClient::connect(&Endpoint::plain(site.address())).await.unwrap();
        let request = format!(
            "GET /api/v1/messages?{query} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer operate{TOKEN_TAIL}\r\n\r\n",
            site.address()
        );
        client.send(request.as_bytes()).await.unwrap();
        let head = client.head().await.unwrap();
        assert_eq!(head.field("content-type").as_deref(), Some("text/event-stream"), "{}", head.text());
        Self { client, text: String::new() }
    }

    /// The data of the next event of this name.
    async fn next(&mut self, name: &str) -> String {
        let deadline = Instant::now() + SOON;
        let start = format!("event: {name}\ndata: ");
        loop {
            if let Some((_, rest)) = self.text.split_once(&start)
                && let Some((data, rest)) = rest.split_once("\n\n")
            {
                let (data, rest) = (data.to_owned(), rest.to_owned());
                self.text = rest;
                return data;
            }
            assert!(Instant::now() < deadline, "no {name}: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&self.client.exactly(1).await.unwrap()));
        }
    }

    /// The messages that come next, at least so many.
    async fn messages(&mut self, least: usize) -> Vec<Value> {
        let mut all = Vec::new();
        while all.len() < least {
            let mut seen: Value = serde_json::from_str(&self.next("messages").await).unwrap();
            all.extend(serde_json::from_value::<Vec<Value>>(seen["messages"].take()).unwrap());
        }
        all
    }
}

#[tokio::test]
async fn messages_are_seen_as_they_come_and_their_secrets_are_not() {
    let site = Site::start("").await;
    let endpoint = Endpoint::plain(site.front.addr());
    let mut fields = RawClient::open(&endpoint, "/fields").await.unwrap();
    let mut chat = RawClient::open(&endpoint, "/chat").await.unwrap();
    let mut all = Onlooker::begin(&site, "route=fields").await;
    let mut down = Onlooker::begin(&site, "route=fields&direction=to_client&text=HELLO").await;
    chat.echoes("another route's").await.unwrap();
    let attack = r#"{"note":"<img src=x onerror=alert(1)>","password":"hunter2","card":"4111111111111111"}"#;
    fields.echoes(attack).await.unwrap();
    let seen = all.messages(2).await;
    assert_eq!((&seen[0]["direction"], &seen[1]["direction"]), (&"to_upstream".into(), &"to_client".into()));
    for message in &seen {
        let text = message["text"].as_str().unwrap();
        assert_eq!(
            text,
            r#"{"note":"<img src=x onerror=alert(1)>","password":"*******","card":"****************"}"#
        );
        assert_eq!(message["covered"], serde_json::json!(["password", "card"]));
        assert_eq!(
            (&message["verdict"], message["size"].as_u64()),
            (&"forwarded".into(), Some(attack.len() as u64))
        );
    }
    // Neither the route's other messages nor a secret is found by a text.
    fields.echoes(r#"{"text":"hello"}"#).await.unwrap();
    let found = down.messages(1).await;
    assert_eq!((found.len(), &found[0]["text"]), (1, &r#"{"text":"hello"}"#.into()));
    let mut guess = Onlooker::begin(&site, "route=fields&text=hunter2").await;
    fields.echoes(r#"{"password":"hunter2"}"#).await.unwrap();
    let told: Value = serde_json::from_str(&guess.next("messages").await).unwrap();
    assert_eq!(told["messages"], serde_json::json!([]), "{told}");
    assert!(told["others"].as_u64().is_some_and(|others| others > 0), "{told}");
    // Who looked on at what is known.
    let watched = site.audited("message.watched", 3).await;
    let who =
        ["listener", "subject", "client", "selector", "value"].map(|name| watched[0][name].as_str().unwrap());
    assert_eq!(who, ["console", "doer", "127.0.0.1", "route", "fields"]);
}

#[tokio::test]
async fn who_may_not_look_on_does_not() {
    let site = Site::start("messages: {watchers: 1, longest: 10s}").await;
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    for (scope, path, status) in [
        ("read", "/api/v1/messages?route=chat", 403),
        ("operate", "/api/v1/messages", 400),
        ("operate", "/api/v1/messages?route=chat&kind=json", 400),
        ("operate", "/api/v1/messages?route=chat&session=x", 400),
        ("operate", "/api/v1/messages?route=nowhere", 404),
        ("operate", "/api/v1/messages?session=99999", 404),
        ("operate", "/api/v1/messages?route=rest", 409),
    ] {
        let (told, problem) = site.api(scope, "GET", path).await;
        assert_eq!(told, status, "{path}: {problem}");
    }
    let vera = site.signed_in("vera").await;
    let (head, page) = site.ask("GET", "/messages?route=chat", std::slice::from_ref(&vera.cookie), "").await;
    assert!(head.status().unwrap() == 403 && !page.contains("data-tail"), "{page}");
    assert!(site.audited("message.watched", 0).await.is_empty());
    // One is enough, and makes room when it goes.
    let mut first = Onlooker::begin(&site, "route=chat").await;
    assert_eq!(site.api("operate", "GET", "/api/v1/messages?route=chat").await.0, 503);
    client.echoes("hello").await.unwrap();
    assert_eq!(first.messages(2).await.len(), 2);
    assert_eq!(first.next("end").await, "the time for looking on is over");
    let mut second = Onlooker::begin(&site, "route=chat").await;
    client.echoes("again").await.unwrap();
    assert_eq!(second.messages(2).await[0]["text"], "again");
    // Whose token goes sees nothing more.
    let without: Vec<&str> = site.config.lines().filter(|line| !line.contains("name: doer")).collect();
    site.gateway.reload(&without.join("\n"), "configuration reloaded").await.unwrap();
    assert_eq!(second.next("end").await, "you are signed out");
    client.echoes("traffic goes on").await.unwrap();
}

#[tokio::test]
async fn nobody_looks_on_where_that_is_off() {
    let site = Site::start("messages: {watchers: 0}").await;
    let (status, problem) = site.api("admin", "GET", "/api/v1/messages?route=chat").await;
    assert!(status == 403 && problem["detail"].as_str().unwrap().contains("watchers"), "{problem}");
}

#[tokio::test]
async fn a_flood_is_dropped_and_counted_and_never_waits() {
    let site = Site::start("messages: {per_second: 4, largest: 64}").await;
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    let mut onlooker = Onlooker::begin(&site, "route=chat").await;
    client.echoes(&"large ".repeat(20)).await.unwrap();
    for number in 0..500 {
        client.echoes(&format!("message {number}")).await.unwrap();
    }
    let (mut shown, mut dropped) = (0, 0);
    while shown + dropped < 1002 {
        let told: Value = serde_json::from_str(&onlooker.next("messages").await).unwrap();
        shown += told["messages"].as_array().unwrap().len() as u64;
        dropped += told["dropped"].as_u64().unwrap();
        assert!(told["messages"].as_array().unwrap().len() <= 1, "{told}");
    }
    assert!(dropped >= 2 && shown >= 1, "{shown} {dropped}");
    // A configuration that calls more fields secret covers them at once.
    let secret = site.config.replace("{guard: {}}", "{redact: {paths: [note]}}, {guard: {}}");
    let mut fields = RawClient::open(&Endpoint::plain(site.front.addr()), "/fields").await.unwrap();
    let mut looks = Onlooker::begin(&site, "route=fields&direction=to_upstream").await;
    fields.echoes(r#"{"note":"shy"}"#).await.unwrap();
    assert_eq!(looks.messages(1).await[0]["text"], r#"{"note":"shy"}"#);
    let secret = secret.replace(
        "{name: chat, format: text, mode: observe, to_upstream: [{redact: {paths: [note]}}, ",
        "{name: chat, format: text, mode: observe, to_upstream: [",
    );
    site.gateway.reload(&secret, "configuration reloaded").await.unwrap();
    fields.send_text(r#"{"note":"shy"}"#).await.unwrap();
    fields.message().await.unwrap();
    assert_eq!(looks.messages(1).await[0]["text"], r#"{"note":"***"}"#);
}
