//! An external service that says no, nothing, too much or too late: nobody comes in, and nobody else waits.

use std::time::{Duration, Instant};

use wicketgate_testkit::raw::{Answer, Head, RecordingBackend, Upgrade};

use super::{LISTENER, Stage, UPSTREAM};

/// What the service answers to a request with this `Authorization`.
fn service(head: &Head) -> Answer {
    let ok = |more: &str| {
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{more}\r\n").into_bytes())
    };
    match head.field("authorization").as_deref() {
        Some("Bearer good") => ok("X-Auth-Subject: alice\r\nX-Auth-Email: a@example.com\r\n"),
        Some("Bearer nobody") => ok(""),
        Some("Bearer empty") => ok("X-Auth-Subject: \r\n"),
        Some("Bearer two") => ok("X-Auth-Subject: alice\r\nX-Auth-Subject: admin\r\n"),
        Some("Bearer long") => ok(&format!("X-Auth-Subject: {}\r\n", "a".repeat(300))),
        Some("Bearer redirect") => {
            Answer::Bytes(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".into())
        }
        Some("Bearer error") => Answer::response("500 Internal Server Error", ""),
        Some("Bearer large") => Answer::response("200 OK", &"x".repeat(100_000)),
        Some("Bearer garbage") => Answer::BytesThenEnd(b"\x00\x01garbage\r\n\r\n".into()),
        Some("Bearer gone") => Answer::BytesThenEnd(Vec::new()),
        Some("Bearer silent") => Answer::Silence,
        Some("Bearer forbidden") => Answer::response("403 Forbidden", "s3cret reason"),
        _ => Answer::response("401 Unauthorized", ""),
    }
}

async fn stage(asked: &RecordingBackend) -> Stage {
    let config = format!(
        "{LISTENER}{UPSTREAM}log: {{level: debug}}\nauthentication:\n- name: asked\n  external:\n    url: http://{}/who\n    \
         headers: [Authorization]\n    claims: {{email: X-Auth-Email}}\n    max_questions: 2\n    fetch: {{timeout: 1s}}\nroutes:\n\
         - {{name: open, upstream: backend, match: {{path: /open}}}}\n\
         - name: asked\n  upstream: backend\n  match: {{path: /asked}}\n  admission:\n    authentication: {{any: [asked]}}\n    \
         identity_headers: {{claims: {{email: X-Email}}}}\n",
        asked.addr().unwrap()
    );
    Stage::start(&config).await
}

fn with(token: &str) -> Upgrade {
    Upgrade::new("/asked?secret=7").with("Authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_yes_is_told_and_the_credential_goes_no_further() {
    let asked = RecordingBackend::answering(service).await.unwrap();
    let stage = stage(&asked).await;
    let mut client = stage.client().await;
    let forged =
        with("good").with("X-Email", "forged").with("X-Forwarded-For", "6.6.6.6").with("Cookie", "a=b");
    client.upgrade(&forged).await.unwrap();
    let (_, recorded) = stage.backend.requested("/asked?secret=7").await.unwrap();
    let head = &recorded.heads[0];
    assert_eq!(
        (head.all("x-wicketgate-subject"), head.all("x-email")),
        (vec!["alice".into()], vec!["a@example.com".into()])
    );
    assert!(head.all("authorization").is_empty());
    let question = &asked.recorded()[0].heads[0];
    assert_eq!(question.all("x-forwarded-uri"), ["/asked"], "the query is nobody's business");
    assert_eq!(question.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(question.all("x-forwarded-method"), ["GET"]);
    assert_eq!(question.all("x-forwarded-host"), ["localhost"]);
    assert!(question.all("cookie").is_empty(), "only what is listed");
}

#[tokio::test]
async fn whatever_is_no_yes_is_refused() {
    let asked = RecordingBackend::answering(service).await.unwrap();
    let stage = stage(&asked).await;
    let proof = stage.proof("/open");
    proof.request(&Upgrade::new("/asked"), 401).await.unwrap();
    for (token, status) in [
        ("bad", 401),
        ("forbidden", 401),
        ("nobody", 401),
        ("empty", 401),
        ("two", 401),
        ("long", 401),
        ("redirect", 503),
        ("error", 503),
        ("large", 503),
        ("garbage", 503),
        ("gone", 503),
        ("silent", 503),
    ] {
        proof.request(&with(token), status).await.unwrap_or_else(|error| panic!("{token}: {error:#}"));
    }
    let written = stage.gateway.process().output();
    assert!(
        !written.contains("Bearer") && !written.contains("s3cret") && !written.contains("secret=7"),
        "{written}"
    );
}

#[tokio::test]
async fn a_slow_service_keeps_nobody_else_waiting() {
    let asked = RecordingBackend::answering(service).await.unwrap();
    let stage = stage(&asked).await;
    let start = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = stage.client().await;
        client.send(&with("silent").bytes()).await.unwrap();
        clients.push(client);
    }
    stage.proof("/open").honest().await.unwrap();
    for client in &mut clients {
        assert_eq!(client.head().await.unwrap().status().unwrap(), 503);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "each within its deadline: {:?}", start.elapsed());
    let questions: usize = asked.recorded().iter().map(|recorded| recorded.heads.len()).sum();
    assert!((2..20).contains(&questions), "{questions} questions for 20 requests");
    stage.client().await.upgrade(&with("good")).await.unwrap();
}
