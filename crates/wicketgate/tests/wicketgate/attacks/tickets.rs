//! Tickets used twice, bent, on another route, by another page, or without a right to any.

use wicketgate_testkit::raw::{Ended, Head, RawClient, Upgrade};

use super::api_keys::{Keys, assert_no_secret, read_again};
use super::{LISTENER, Stage, UPSTREAM};

/// A gateway with an open route for the honest, and two for holders of keys and tickets.
async fn stage(keys: &Keys, settings: &str) -> Stage {
    let route = |name| {
        format!(
            "- {{name: {name}, upstream: backend, match: {{path: /{name}}}, \
             admission: {{authentication: {{any: [keys, ticket]}}}}}}\n"
        )
    };
    let config = format!(
        "{LISTENER}{UPSTREAM}authentication:\n{}- {{name: ticket, ticket: {{{settings}}}}}\nlog: {{level: debug}}\n\
         routes:\n- {{name: open, upstream: backend, match: {{path: /open}}}}\n\
         - {{name: keyed, upstream: backend, match: {{path: /keyed}}, admission: {{authentication: {{any: [keys]}}}}}}\n{}{}",
        keys.method(),
        route("chat"),
        route("other"),
    );
    Stage::start(&config).await
}

fn wish(target: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{fields}\r\n").into_bytes()
}

/// Asks for a ticket for `/chat`.
async fn ask(stage: &Stage, fields: &[(&str, &str)]) -> (Head, Vec<u8>) {
    let mut client = stage.client().await;
    client.send(&wish("/.wicketgate/ticket?path=/chat", fields)).await.unwrap();
    client.response().await.unwrap()
}

async fn ticket(stage: &Stage, key: &str) -> String {
    let (head, body) = ask(stage, &[("X-Api-Key", key), ("Origin", "http://localhost")]).await;
    assert_eq!(head.status().unwrap(), 200, "{}", head.text());
    assert_eq!(head.all("cache-control"), ["no-store"]);
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["expires_in"], 30);
    answer["ticket"].as_str().unwrap().to_owned()
}

async fn opens(stage: &Stage, target: &str) {
    let mut client = RawClient::open(&stage.listener(0), target).await.unwrap();
    client.echoes("hello").await.unwrap();
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
}

#[tokio::test]
async fn a_ticket_opens_its_route_once() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys, "").await;
    let ticket = ticket(&stage, &key).await;
    let proof = stage.proof("/open");
    let with = |path: &str| Upgrade::new(&format!("{path}?x=1&ticket={ticket}"));
    // A ticket on another route, or on no WebSocket, is not used up by it.
    proof.request(&with("/other"), 401).await.unwrap();
    proof.request(&with("/keyed"), 401).await.unwrap();
    let plain = format!("GET /chat?ticket={ticket} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    proof.bytes(plain.as_bytes(), 401).await.unwrap();
    opens(&stage, &format!("/chat?x=1&ticket={ticket}")).await;
    let heads = stage.heads();
    let used = heads.last().unwrap();
    assert_eq!(used.target(), "/chat?x=1", "the ticket goes no further");
    proof.request(&with("/chat"), 401).await.unwrap();
    stage.gateway.log("the credential was used before").await.unwrap();
    assert_no_secret(&stage, &key);
    assert!(!stage.gateway.process().output().contains(&ticket[..20]), "tickets stand in no log");
}

#[tokio::test]
async fn two_handshakes_at_once_use_a_ticket_once() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys, "").await;
    let ticket = ticket(&stage, &key).await;
    let upgrade = Upgrade::new(&format!("/chat?ticket={ticket}")).bytes();
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(stage.client().await);
    }
    for client in &mut clients {
        client.send(&upgrade).await.unwrap();
    }
    let mut statuses = Vec::new();
    for client in &mut clients {
        statuses.push(client.head().await.unwrap().status().unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (101, &[401; 15][..]));
    stage.proof("/open").honest().await.unwrap();
}

#[tokio::test]
async fn what_is_no_ticket_opens_nothing() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys, "").await;
    let ticket = ticket(&stage, &key).await;
    let proof = stage.proof("/open");
    let bent = format!("{}{}", &ticket[..60], if &ticket[60..61] == "A" { "B" } else { "A" }) + &ticket[61..];
    for query in [
        "ticket=".to_owned(),
        "ticket=wgt_".to_owned(),
        format!("ticket={bent}"),
        format!("ticket={}", &ticket[..ticket.len() - 4]),
        format!("ticket={}", &ticket[4..]),
        format!("ticket={key}"),
        format!("ticket={ticket}&ticket={ticket}"),
        format!("ticket={ticket}&%74icket={ticket}"),
        format!("ticket=wgt_{}", "A".repeat(12_000)),
    ] {
        let attack = Upgrade::new(&format!("/chat?{query}"));
        proof.request(&attack, 401).await.unwrap_or_else(|error| panic!("{query}: {error:#}"));
    }
    // A gateway that starts anew has a new key.
    let other = self::stage(&keys, "").await;
    let attack = Upgrade::new(&format!("/chat?ticket={ticket}"));
    other.proof("/open").request(&attack, 401).await.unwrap();
    opens(&stage, &format!("/chat?ticket={ticket}")).await;
}

#[tokio::test]
async fn nobody_else_gets_a_ticket() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys, "max_per_subject: 2").await;
    let proof = stage.proof("/open");
    let with_key = ("X-Api-Key", key.as_str());
    let have = ticket(&stage, &key).await;
    for (target, fields, status) in [
        ("/.wicketgate/ticket?path=/chat", &[][..], 401),
        ("/.wicketgate/ticket?path=/chat", &[("X-Api-Key", "wgk_x")], 401),
        ("/.wicketgate/ticket?path=/chat", &[with_key, ("Origin", "https://evil.example")], 403),
        ("/.wicketgate/ticket?path=/chat", &[with_key, ("Origin", "null")], 403),
        ("/.wicketgate/ticket?path=/chat", &[with_key, ("Origin", "https://localhost")], 403),
        ("/.wicketgate/ticket?path=/open", &[with_key], 404),
        ("/.wicketgate/ticket?path=/keyed", &[with_key], 404),
        ("/.wicketgate/ticket?path=/none", &[with_key], 404),
        ("/.wicketgate/ticket?path=/open/%252e%252e/%252e%252e/x", &[with_key], 400),
        ("/.wicketgate/ticket?path=chat", &[with_key], 400),
        ("/.wicketgate/ticket?path=/chat&path=/open", &[with_key], 400),
        ("/.wicketgate/ticket", &[with_key], 400),
        // A ticket gives no ticket.
        (&format!("/.wicketgate/ticket?path=/chat&ticket={have}"), &[], 401),
    ] {
        let proven = proof.bytes(&wish(target, fields), status).await;
        proven.unwrap_or_else(|error| panic!("{target} {fields:?}: {error:#}"));
    }
    let get = "GET /.wicketgate/ticket?path=/chat HTTP/1.1\r\nHost: localhost\r\n\r\n";
    proof.bytes(get.as_bytes(), 405).await.unwrap();
    proof.request(&Upgrade::new("/.wicketgate/ticket?path=/chat"), 405).await.unwrap();
    ticket(&stage, &key).await;
    let (head, _) = ask(&stage, &[with_key]).await;
    assert_eq!(head.status().unwrap(), 429, "two of a subject are out, and no more");
    opens(&stage, &format!("/chat?ticket={have}")).await;
}

#[tokio::test]
async fn a_ticket_is_worth_no_more_than_its_key() {
    let keys = Keys::new();
    let key = keys.command(&["create", "--subject", "alice"]);
    let stage = stage(&keys, "").await;
    let ticket = ticket(&stage, &key).await;
    let seen = stage.gateway.process().lines_with("API keys read");
    keys.command(&["revoke", &key[4..20]]);
    read_again(&stage, seen).await;
    let attack = Upgrade::new(&format!("/chat?ticket={ticket}"));
    stage.proof("/open").request(&attack, 401).await.unwrap();
    stage.gateway.log("the credential was revoked").await.unwrap();
}
