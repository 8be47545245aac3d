//! Whoever asks the console for what is not theirs: refused, nothing changed, and the next honest operator is served.

use wicketgate_testkit::raw::{Endpoint, RawClient};

use super::{FORM, PASSWORD, Site, TOKEN_TAIL, TOTP};

/// An honest operator is served.
async fn serves(site: &Site) {
    let (status, overview) = site.api("read", "GET", "/api/v1/overview").await;
    assert!(status == 200 && overview["routes"][0]["route"] == "chat", "{overview}");
}

#[tokio::test]
async fn nothing_is_told_to_whoever_is_unknown() {
    let site = Site::start("").await;
    for path in ["/", "/sessions", "/sessions/0", "/audit", "/configuration", "/findings"] {
        let (head, body) = site.ask("GET", path, &[], "").await;
        assert_eq!(
            (head.status().unwrap(), head.field("location").as_deref()),
            (303, Some("/sign-in")),
            "{body}"
        );
    }
    for lines in [
        vec![],
        vec!["Authorization: Bearer wrong-0123456789abcdef0123456789abcdef".to_owned()],
        vec![format!("Authorization: bearer read{TOKEN_TAIL}")],
        vec![format!("Authorization: Bearer read{TOKEN_TAIL}"); 2],
        vec!["Cookie: __Host-wicketgate=".to_owned()],
        vec!["Cookie: __Host-wicketgate=../../etc/passwd".to_owned()],
    ] {
        for path in ["/api/v1/overview", "/api/v1/sessions", "/api/v1/configuration", "/api/v1/live"] {
            let (head, body) = site.ask("GET", path, &lines, "").await;
            assert_eq!(head.status().unwrap(), 401, "{lines:?} {path}: {body}");
            assert!(head.field("content-type").unwrap().contains("problem+json"));
        }
    }
    // A token in the query is none, and stands in no log.
    let (head, _) = site.ask("GET", &format!("/api/v1/overview?token=read{TOKEN_TAIL}"), &[], "").await;
    assert_eq!(head.status().unwrap(), 401);
    let (head, _) = site.ask("GET", "/sign-in", &[], "").await;
    let policy = head.field("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(head.field("cache-control").as_deref(), Some("no-store"));
    serves(&site).await;
    assert!(!site.gateway.process().output().contains(TOKEN_TAIL));
}

#[tokio::test]
async fn no_other_page_can_ask_for_a_change() {
    let site = Site::start("").await;
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    let olga = site.signed_in("olga").await;
    let (origin, csrf) = (format!("Origin: {}", site.origin()), format!("csrf={}&route=chat", olga.csrf));
    let (cookie, form) = (olga.cookie.clone(), FORM.to_owned());
    for (lines, body) in [
        (vec![cookie.clone(), form.clone(), origin.clone()], "route=chat"),
        (vec![cookie.clone(), form.clone(), origin.clone()], "csrf=&route=chat"),
        (vec![cookie.clone(), form.clone(), origin.clone()], "csrf=x&route=chat"),
        (vec![cookie.clone(), form.clone()], &csrf),
        (vec![cookie.clone(), form.clone(), "Origin: https://evil.example".into()], &csrf),
        (vec![cookie.clone(), form.clone(), "Origin: null".into()], &csrf),
        (vec![cookie.clone(), form.clone(), origin.clone(), "Sec-Fetch-Site: cross-site".into()], &csrf),
    ] {
        let (head, _) = site.ask("POST", "/sessions/kick", &lines, body).await;
        assert_eq!(head.status().unwrap(), 403, "{lines:?} {body}");
    }
    let shown = format!("X-CSRF-Token: {}", olga.csrf);
    for lines in
        [vec![cookie.clone()], vec![cookie.clone(), origin.clone()], vec![cookie.clone(), shown.clone()]]
    {
        let (head, _) = site.ask("DELETE", "/api/v1/sessions?route=chat", &lines, "").await;
        assert_eq!(head.status().unwrap(), 403, "{lines:?}");
    }
    // Nor can a page elsewhere sign its visitor in.
    for origin in ["Origin: https://evil.example", "X-Other: 1"] {
        let body = format!("name=olga&password={}", PASSWORD.replace(' ', "+"));
        let (head, _) = site.ask("POST", "/sign-in", &[form.clone(), origin.into()], &body).await;
        assert_eq!((head.status().unwrap(), head.field("set-cookie")), (403, None));
    }
    client.echoes("nobody ended this").await.unwrap();
    assert!(site.audited("session.kicked", 0).await.is_empty());
    // What the page itself asks for is done.
    let (head, _) = site.ask("DELETE", "/api/v1/sessions?route=chat", &[cookie, origin, shown], "").await;
    assert_eq!(head.status().unwrap(), 200);
    client.ended().await.unwrap();
    let kicked = site.audited("session.kicked", 1).await;
    assert_eq!((&kicked[0]["subject"], &kicked[0]["client"]), (&"olga".into(), &"127.0.0.1".into()));
    serves(&site).await;
}

#[tokio::test]
async fn a_session_begins_with_an_id_that_nobody_chose() {
    let site = Site::start("").await;
    let vera = site.signed_in("vera").await;
    let planted = "Cookie: __Host-wicketgate=planted".to_owned();
    let (head, _) = site.sign_in("ann", PASSWORD, "", std::slice::from_ref(&planted)).await;
    let set = head.field("set-cookie").unwrap();
    for part in ["__Host-wicketgate=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(part) && !set.contains("planted") && !set.contains("Domain"), "{set}");
    }
    assert_eq!(site.ask("GET", "/", &[planted], "").await.0.status().unwrap(), 303);
    // Who was signed in in this browser is not any more.
    assert_eq!(site.ask("GET", "/", std::slice::from_ref(&vera.cookie), "").await.0.status().unwrap(), 200);
    site.sign_in("ann", PASSWORD, "", std::slice::from_ref(&vera.cookie)).await;
    assert_eq!(site.ask("GET", "/", &[vera.cookie], "").await.0.status().unwrap(), 303);
    // Who signs out is out, wherever the cookie went.
    let ann = site.signed_in("ann").await;
    let lines = [ann.cookie.clone(), FORM.to_owned(), format!("Origin: {}", site.origin())];
    let (head, _) = site.ask("POST", "/sign-out", &lines, &format!("csrf={}", ann.csrf)).await;
    assert!(head.field("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(site.ask("GET", "/", &[ann.cookie], "").await.0.status().unwrap(), 303);
    serves(&site).await;
}

#[tokio::test]
async fn guessing_is_slow_and_tells_nothing() {
    let site = Site::start("sign_in: {per_address: 6, per_user: 4}").await;
    let (_, unknown) = site.sign_in("nobody", "hunter2 hunter2", "", &[]).await;
    let (head, known) = site.sign_in("ann", "hunter2 hunter2", "", &[]).await;
    assert_eq!((head.status().unwrap(), head.field("set-cookie")), (403, None));
    assert_eq!(unknown, known, "whether there is such a user, nobody is told");
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(site.sign_in("ann", "hunter2 hunter2", "", &[]).await.0.status().unwrap());
    }
    assert_eq!(statuses[..3], [403, 403, 403]);
    assert!(statuses[3..].iter().all(|status| *status == 429), "{statuses:?}");
    // Not even with the right password, for a while; others are served.
    assert_eq!(site.sign_in("ann", PASSWORD, "", &[]).await.0.status().unwrap(), 429);
    let refused = site.audited("console.refused", 9).await;
    assert!(refused.iter().any(|record| record["reason"] == "rate"), "{refused:?}");
    let text = serde_json::to_string(&refused).unwrap() + &site.gateway.process().output();
    assert!(!text.contains("hunter2") && !text.contains("nobody"), "{text}");
    serves(&site).await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_serves_once() {
    let site = Site::start("").await;
    let secret = totp_rs::Secret::Encoded(TOTP.into()).to_bytes().unwrap();
    let codes = totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, secret).unwrap();
    for wrong in ["", "000000x", "12345"] {
        assert_eq!(site.sign_in("tia", PASSWORD, wrong, &[]).await.0.status().unwrap(), 403);
    }
    let code = codes.generate_current().unwrap();
    assert_eq!(site.sign_in("tia", "wrong", &code, &[]).await.0.status().unwrap(), 403);
    assert_eq!(site.sign_in("tia", PASSWORD, &code, &[]).await.0.status().unwrap(), 303);
    assert_eq!(site.sign_in("tia", PASSWORD, &code, &[]).await.0.status().unwrap(), 403);
    serves(&site).await;
}

#[tokio::test]
async fn each_may_what_the_role_holds() {
    let site = Site::start("").await;
    let post = ["/api/v1/configuration/check", "/api/v1/configuration/reload"];
    for (scope, kick, admin) in [("read", 403, 403), ("operate", 200, 403), ("admin", 200, 200)] {
        assert_eq!(site.api(scope, "GET", "/api/v1/sessions").await.0, 200);
        assert_eq!(site.api(scope, "DELETE", "/api/v1/sessions?route=none").await.0, kick, "{scope}");
        assert_eq!(site.api(scope, "GET", "/api/v1/configuration").await.0, admin, "{scope}");
        for path in post {
            assert_eq!(site.api(scope, "POST", path).await.0, admin, "{scope} {path}");
        }
    }
    let origin = format!("Origin: {}", site.origin());
    for (user, kick, admin) in [("vera", 403, 403), ("olga", 303, 403), ("ann", 303, 200)] {
        let browser = site.signed_in(user).await;
        let lines = [browser.cookie.clone(), FORM.to_owned(), origin.clone()];
        let body = format!("csrf={}&route=none", browser.csrf);
        let (head, _) = site.ask("POST", "/sessions/kick", &lines, &body).await;
        assert_eq!(head.status().unwrap(), kick, "{user}");
        let (head, page) = site.ask("GET", "/configuration", &lines[..1], "").await;
        assert_eq!(head.status().unwrap(), admin, "{user}");
        assert_eq!(
            page.contains("href=\"/configuration\""),
            admin == 200,
            "what nobody may see is not offered"
        );
        assert!(!page.contains("argon2id") && !page.contains(TOKEN_TAIL));
    }
    serves(&site).await;
}

#[tokio::test]
async fn a_user_who_is_removed_is_out_at_once() {
    let site = Site::start("").await;
    let vera = site.signed_in("vera").await;
    let without =
        site.config.lines().filter(|line| !line.contains("name: vera") && !line.contains("name: reader"));
    let without: Vec<&str> = without.collect();
    site.gateway.reload(&without.join("\n"), "configuration reloaded").await.unwrap();
    assert_eq!(site.ask("GET", "/", &[vera.cookie], "").await.0.status().unwrap(), 303);
    assert_eq!(site.api("read", "GET", "/api/v1/overview").await.0, 401);
    assert_eq!(site.sign_in("vera", PASSWORD, "", &[]).await.0.status().unwrap(), 403);
    assert_eq!(site.api("admin", "GET", "/api/v1/overview").await.0, 200);
}

#[tokio::test]
async fn what_is_too_large_or_leads_elsewhere_is_refused() {
    let site = Site::start("").await;
    let host = site.address();
    let long = "a".repeat(20_000);
    let (head, _) = site.raw(format!("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
    assert!([414, 431].contains(&head.status().unwrap()), "{}", head.text());
    let (head, _) = site.raw(format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {long}\r\n\r\n").as_bytes()).await;
    assert_eq!(head.status().unwrap(), 431);
    let many: String = (0..100).map(|n| format!("X-{n}: 1\r\n")).collect();
    let (head, _) = site.raw(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{many}\r\n").as_bytes()).await;
    assert_eq!(head.status().unwrap(), 431);
    let token = format!("Authorization: Bearer admin{TOKEN_TAIL}");
    let large = format!("{{\"subject\": \"{}\"}}", "a".repeat(70_000));
    let lines = [token.clone(), "Content-Type: application/json".to_owned()];
    assert_eq!(site.ask("POST", "/api/v1/revocations", &lines, &large).await.0.status().unwrap(), 413);
    let form = format!("name={}&password=x", "a".repeat(70_000));
    let lines = [FORM.to_owned(), format!("Origin: {}", site.origin())];
    assert_eq!(site.ask("POST", "/sign-in", &lines, &form).await.0.status().unwrap(), 413);
    for path in [
        "/assets/../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/console.css%00.html",
        "//etc/passwd",
    ] {
        let (head, body) = site.ask("GET", path, std::slice::from_ref(&token), "").await;
        assert!(head.status().unwrap() == 404 && !body.contains("root:"), "{path}: {body}");
    }
    // A name of somebody else's that leads here: its pages get nothing.
    for other in ["evil.example", "evil.example:80", ""] {
        let request = format!("GET /api/v1/me HTTP/1.1\r\nHost: {other}\r\n{token}\r\n\r\n");
        assert_eq!(site.raw(request.as_bytes()).await.0.status().unwrap(), 421, "{other}");
    }
    assert_eq!(site.raw(b"GET / HTTP/1.0\r\n\r\n").await.0.status().unwrap(), 421);
    serves(&site).await;
}
