//! The API: what it tells of a gateway at work, and what it changes.

use serde_json::json;
use wicketgate_testkit::raw::{Ended, Endpoint, RawClient};

use super::{Site, TOKEN_TAIL};

#[tokio::test]
async fn what_rules_find_in_requests_is_told_with_an_exclusion() {
    let site = Site::start("").await;
    let mut client = RawClient::connect(&Endpoint::plain(site.front.addr())).await.unwrap();
    client.send(b"GET /asked?q=%3Cscript%3E&r=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().0.status().unwrap(), 403);
    let (_, found) = site.api("read", "GET", "/api/v1/findings?client=127.0.0.1&class=xss").await;
    let [finding] = found["findings"].as_array().unwrap().as_slice() else { panic!("{found}") };
    let told = ["session", "route", "step", "rule", "path", "action"].map(|name| &finding[name]);
    let expected = [
        json!(null),
        json!("asked"),
        json!("admission.crs"),
        json!("100"),
        json!("ARGS:q"),
        json!("refused"),
    ];
    assert_eq!(told, expected.each_ref(), "{found}");
    let one = format!("/api/v1/findings/{}", finding["number"]);
    let (_, one) = site.api("read", "GET", &one).await;
    let text = "routes:\n  - name: \"asked\"\n    admission:\n      crs:\n        exclude:\n          \
                - {rules: [100], targets: [\"ARGS:q\"]}\n";
    assert_eq!(
        (&one["exclusion"]["text"], &one["exclusion"]["broad"]),
        (&json!(text), &json!(false)),
        "{one}"
    );
    let (_, none) = site.api("read", "GET", "/api/v1/findings?client=192.0.2.1").await;
    assert_eq!(none["findings"], json!([]));
}

#[tokio::test]
async fn sessions_and_findings_are_told_and_ended() {
    let site = Site::start("").await;
    let endpoint = Endpoint::plain(site.front.addr());
    let mut client = RawClient::open(&endpoint, "/chat").await.unwrap();
    let mut other = RawClient::open(&endpoint, "/other").await.unwrap();
    client.echoes("<img src=x onerror=alert(1)>").await.unwrap();
    let (_, list) = site.api("read", "GET", "/api/v1/sessions?route=chat").await;
    assert_eq!((&list["total"], &list["sessions"][0]["client"]), (&json!(1), &json!("127.0.0.1")));
    let number = list["sessions"][0]["session"].as_u64().unwrap();
    let (_, one) = site.api("read", "GET", &format!("/api/v1/sessions/{number}")).await;
    assert_eq!(
        (&one["path"], &one["listener"], &one["secure"]),
        (&json!("/chat"), &json!("main"), &json!(false))
    );
    let (_, found) = site.api("read", "GET", &format!("/api/v1/findings?session={number}&limit=5")).await;
    let finding = &found["findings"][0];
    assert_eq!((&finding["class"], &finding["observed"]), (&json!("xss"), &json!(true)), "{found}");
    let one = format!("/api/v1/findings/{}", finding["number"]);
    let (_, one) = site.api("read", "GET", &one).await;
    let text = one["exclusion"]["text"].as_str().unwrap();
    assert!(text.starts_with("policies:\n  - name: \"chat\"\n    to_upstream:\n"), "{one}");
    assert!(text.contains("- guard:\n          exclude:\n            - {paths: [\"$\"], rules: ["), "{one}");
    assert_eq!(one["exclusion"]["broad"], true, "{one}");
    assert_eq!(site.api("read", "GET", "/api/v1/findings/999999").await.0, 404);
    let (_, overview) = site.api("read", "GET", "/api/v1/overview").await;
    let took = &overview["routes"][0];
    assert!(
        took["handshake"]["count"] == 1 && took["handshake"]["p99"].as_f64().unwrap() < 10.0,
        "{overview}"
    );
    assert!(took["judging"]["count"].as_u64().unwrap() >= 1, "{overview}");
    let (_, report) = site.api("operate", "POST", "/api/v1/doctor").await;
    let target = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == "target").unwrap();
    assert_eq!(
        (&target["severity"], &target["seen"]),
        (&json!("pass"), &json!("targets that take connections: 1"))
    );
    assert_eq!(site.api("read", "POST", "/api/v1/doctor").await.0, 403);
    assert_eq!(
        (&overview["sessions"], &overview["routes"][0]["sessions"]),
        (&json!(2), &json!(1)),
        "{overview}"
    );
    for bad in [
        "/api/v1/sessions?nothing=1",
        "/api/v1/sessions/x",
        "/api/v1/findings?limit=x",
        "/api/v1/audit?since=now",
    ] {
        assert_eq!(site.api("read", "GET", bad).await.0, 400, "{bad}");
    }
    assert_eq!(site.api("operate", "DELETE", "/api/v1/sessions").await.0, 400, "it says which");
    let (status, ended) = site.api("operate", "DELETE", "/api/v1/sessions?route=chat").await;
    assert_eq!((status, ended), (200, json!({"ended": 1})));
    assert!(matches!(client.ended().await.unwrap(), Ended::Closed(_)));
    other.echoes("this one goes on").await.unwrap();
    let kicked = site.audited("session.kicked", 1).await;
    let record = &kicked[0];
    let who = ["listener", "subject", "method", "token_id", "client", "value"]
        .map(|name| record[name].as_str().unwrap());
    assert_eq!(who, ["console", "doer", "token", "doer", "127.0.0.1", "chat"]);
    let (_, verified) = site.api("read", "POST", "/api/v1/audit/verify").await;
    assert_eq!(verified["holds"], true, "{verified}");
}

#[tokio::test]
async fn what_is_there_is_told() {
    let site = Site::start("").await;
    let (_, routes) = site.api("read", "GET", "/api/v1/routes").await;
    assert_eq!(
        (&routes["routes"][0]["policy"], &routes["routes"][0]["paths"]),
        (&json!("chat"), &json!(["/chat"]))
    );
    let (_, upstreams) = site.api("read", "GET", "/api/v1/upstreams").await;
    assert_eq!(upstreams["upstreams"][0]["targets"][0]["healthy"], true);
    for path in ["/api/v1/relay/endpoints", "/api/v1/relay/sessions"] {
        assert_eq!(site.api("read", "GET", path).await.1["total"], 0);
    }
    assert_eq!(site.api("operate", "DELETE", "/api/v1/relay?agent=a").await.1, json!({"ended": 0}));
    assert_eq!(site.api("operate", "DELETE", "/api/v1/relay").await.0, 400);
    assert_eq!(site.api("read", "GET", "/api/v1/certificates").await.1, json!({"certificates": []}));
    let lines =
        [format!("Authorization: Bearer operate{TOKEN_TAIL}"), "Content-Type: application/json".to_owned()];
    let (head, body) = site.ask("POST", "/api/v1/revocations", &lines, "{\"subject\": \"mallory\"}").await;
    assert!(head.status().unwrap() == 200 && body.contains("\"kept\":false"), "{body}");
    assert_eq!(
        site.ask("POST", "/api/v1/revocations", &lines, "{\"who\": 1}").await.0.status().unwrap(),
        400
    );
    assert_eq!(site.ask("POST", "/api/v1/revocations", &lines, "{}").await.0.status().unwrap(), 409);
    let (_, list) = site.api("read", "GET", "/api/v1/revocations").await;
    assert_eq!(list["revocations"], json!([{"subject": "mallory"}]));
}

#[tokio::test]
async fn the_configuration_is_shown_checked_and_followed() {
    let site = Site::start("").await;
    let (_, shown) = site.api("admin", "GET", "/api/v1/configuration").await;
    let text = shown["files"][0]["text"].as_str().unwrap();
    assert!(text.contains("name: ann") && text.contains("\"***\""), "{text}");
    assert!(!text.contains("argon2id") && !text.contains(TOKEN_TAIL), "{text}");
    let (_, checked) = site.api("admin", "POST", "/api/v1/configuration/check").await;
    assert_eq!(checked["usable"], true, "{checked}");
    let (_, reloaded) = site.api("admin", "POST", "/api/v1/configuration/reload").await;
    assert_eq!(reloaded["followed"], true, "{reloaded}");
    let records = site.audited("configuration.reloaded&subject=chief", 1).await;
    assert_eq!(records[0]["outcome"], "done", "{records:?}");
    let (_, changes) = site.api("admin", "GET", "/api/v1/configuration/changes").await;
    assert_eq!((&changes["changed"], &changes["files"]), (&json!(false), &json!([])), "{changes}");
    site.gateway.write_config("listeners: nothing").unwrap();
    let (_, changes) = site.api("admin", "GET", "/api/v1/configuration/changes").await;
    let lines = changes["files"][0]["lines"].as_str().unwrap();
    assert!(lines.contains("+listeners: nothing\n") && lines.contains("-  - name: main\n"), "{changes}");
    assert!(!lines.contains("argon2id") && !lines.contains(TOKEN_TAIL), "{changes}");
    let removed = json!({"section": "routes", "name": "chat", "what": "removed"});
    assert!(changes["parts"].as_array().unwrap().contains(&removed), "{changes}");
    let (_, checked) = site.api("admin", "POST", "/api/v1/configuration/check").await;
    assert!(
        checked["usable"] == false && checked["problems"][0].as_str().unwrap().contains("wicketgate.yaml:1:"),
        "{checked}"
    );
    let (_, reloaded) = site.api("admin", "POST", "/api/v1/configuration/reload").await;
    assert_eq!(reloaded["followed"], false, "{reloaded}");
    // What was followed before still is.
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    client.echoes("hello").await.unwrap();
}

#[tokio::test]
async fn figures_come_as_they_change() {
    let site = Site::start("").await;
    let mut live = RawClient::connect(&Endpoint::plain(site.address())).await.unwrap();
    let request = format!(
        "GET /api/v1/live HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer read{TOKEN_TAIL}\r\n\r\n",
        site.address()
    );
    live.send(request.as_bytes()).await.unwrap();
    let head = live.head().await.unwrap();
    assert_eq!(head.field("content-type").as_deref(), Some("text/event-stream"));
    let mut text = String::new();
    while !text.contains("\"sessions\":") {
        text.push_str(&String::from_utf8_lossy(&live.exactly(1).await.unwrap()));
    }
    assert!(text.contains("event: sample"), "{text}");
}
