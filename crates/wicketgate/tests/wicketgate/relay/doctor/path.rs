//! What is found without an identity: on the way to the upgrade's answer.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{Hop, Intermediary};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Answer, RecordingBackend};
use wicketgate_testkit::tls::Authority;

use super::super::{BINARY, Site, text};
use super::Examined;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_anything_in_front_passes() {
    let site = Site::new();
    let _gateway = site.start().await;
    let examined = Examined::plain(site.gateway.addr());
    examined.passes();
    assert_eq!(examined.seen("dns"), "127.0.0.1");
    assert!(examined.seen("websocket_off").starts_with("101 "), "{}", examined.people);
    assert_eq!(examined.json["path"]["upgrade"]["status"], 101);
    assert_eq!(examined.json["path"]["plain"]["status"], 426);
    assert_eq!(examined.json["products"], Value::Array(Vec::new()));
    assert!(examined.people.lines().all(|line| !line.starts_with("warn")), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_as_it_should_be_passes_and_shows_who_ends_tls() {
    let (site, authority) = (Site::new(), Authority::new().unwrap());
    let _gateway = site.start().await;
    let hop = Hop::plain(site.gateway.addr()).tls(&authority.localhost().unwrap());
    let proxy = Intermediary::Nginx.start(&hop).await.unwrap();
    let url = format!("https://{}/relay", proxy.addr());
    let ca = authority.ca_file();
    let examined = Examined::of(&url, &["--ca", ca.to_str().unwrap()]);
    examined.passes();
    let certificate = &examined.json["path"]["certificate"];
    assert_eq!(certificate["issuer"], "CN=Wicketgate test root");
    assert_eq!(certificate["alpn"], "http/1.1");
    assert_eq!((&certificate["trusted"], &examined.json["path"]["raw_tls"]), (&true.into(), &false.into()));
    assert_eq!(examined.json["products"][0]["id"], "nginx");
    assert!(examined.people.contains("CN=Wicketgate test root"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_that_reaches_the_gateway_unopened_is_told() {
    let (site, authority) = (Site::new(), Authority::new().unwrap());
    let (own, port) = (authority.localhost().unwrap(), Port::free().unwrap());
    let listener = format!(
        "listeners: [{{name: public, bind: {}, tls: {{certificates: [{{cert: {}, key: {}}}]}}}}, {{",
        port.addr(),
        own.certificate_file.display(),
        own.key_file.display()
    );
    let config = site.config("").replace("listeners: [{", &listener);
    let _gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
    let url = format!("https://{}/relay", port.addr());
    let examined = Examined::of(&url, &["--ca", authority.ca_file().to_str().unwrap()]);
    examined.passes();
    assert_eq!(examined.json["path"]["raw_tls"], true, "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_trusts_is_named_and_the_rest_is_looked_at_all_the_same() {
    let (site, authority) = (Site::new(), Authority::new().unwrap());
    let _gateway = site.start().await;
    let other = authority.issue(&["elsewhere.example"]).unwrap();
    let proxy = Intermediary::Nginx.start(&Hop::plain(site.gateway.addr()).tls(&other)).await.unwrap();
    let url = format!("https://{}/relay", proxy.addr());
    for arguments in [&[][..], &["--ca", authority.ca_file().to_str().unwrap()]] {
        let examined = Examined::of(&url, arguments);
        examined.fails("certificate", Some("nginx"), "ssl_certificate");
        assert!(examined.seen("certificate").contains("CN=elsewhere.example"), "{}", examined.people);
        assert_eq!(examined.finding("websocket_off")["severity"], "pass");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_that_does_not_pass_the_upgrade_on_is_told_how() {
    let site = Site::new();
    let _gateway = site.start().await;
    let hop = Hop::plain(site.gateway.addr())
        .edit("proxy_set_header Upgrade $http_upgrade;", "")
        .edit("proxy_set_header Connection $connection_upgrade;", "");
    let proxy = Intermediary::Nginx.start(&hop).await.unwrap();
    let examined = Examined::plain(proxy.addr());
    examined.fails("websocket_off", Some("nginx"), "proxy_set_header Upgrade $http_upgrade");
    // What is left of the handshake is none.
    assert!(examined.seen("websocket_off").starts_with("400 "), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_answers_is_found() {
    let site = Site::new();
    let _gateway = site.start().await;
    let hop = Hop::plain(site.gateway.addr())
        .edit("  server {\n", "  proxy_cache_path cache keys_zone=kept:1m;\n  server {\n")
        .edit(
            "proxy_http_version 1.1;",
            "proxy_http_version 1.1; proxy_cache kept; proxy_cache_valid any 1m; add_header X-Cache-Status $upstream_cache_status always;",
        );
    let proxy = Intermediary::Nginx.start(&hop).await.unwrap();
    let examined = Examined::plain(proxy.addr());
    examined.fails("cached", Some("nginx"), "proxy_cache off");
    assert!(examined.seen("cached").contains("x-cache-status: HIT"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_in_the_gateway_s_place_is_told_apart() {
    let form = "<html><form action=/login><input type=\"password\"></form></html>";
    let moved =
        b"HTTP/1.1 302 Found\r\nLocation: https://idp.example.com/login?x\r\nContent-Length: 0\r\n\r\n"
            .to_vec();
    let old = b"HTTP/1.0 200 OK\r\n\r\n<html>hello".to_vec();
    for (answer, id, change) in [
        (Answer::response("200 OK", form), "login_page", "Except this path from the login"),
        (Answer::Bytes(moved), "login_page", "Except this path from the login"),
        (Answer::response("200 OK", "<html>It works!</html>"), "not_a_gateway", "relay: on"),
        (Answer::response("403 Forbidden", "no"), "blocked", "Except this path from the rule"),
        (Answer::BytesThenEnd(old), "http_version", "HTTP/1.1"),
        (Answer::Echo, "not_a_gateway", "relay: on"),
        (Answer::BytesThenEnd(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), "not_a_gateway", "relay: on"),
    ] {
        let backend = RecordingBackend::answering(move |_| answer.clone()).await.unwrap();
        Examined::plain(backend.addr().unwrap()).fails(id, None, change);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_are_bounded_and_shown_clean() {
    let endless =
        format!("HTTP/1.1 200 OK\r\nServer: \u{9b}31m\r\nX: {}\r\n\r\n", "x".repeat(20_000)).into_bytes();
    let endless = [endless, vec![b'<'; 4 << 20]].concat();
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes();
    for (answer, longest) in [(endless, 20_000), (huge, 5_000)] {
        let backend = RecordingBackend::answering(move |_| Answer::Bytes(answer.clone())).await.unwrap();
        let examined = Examined::plain(backend.addr().unwrap());
        assert_eq!(examined.code, 2);
        assert_eq!(examined.finding("not_a_gateway")["severity"], "fail", "{}", examined.people);
        for shown in [&examined.people, &examined.json.to_string()] {
            assert!(shown.len() < longest, "{} bytes", shown.len());
            let plain = |character: char| character == '\n' || !character.is_control();
            assert!(shown.chars().all(plain), "{shown:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_a_finding_too() {
    let port = Port::free().unwrap();
    Examined::plain(port.addr()).fails("tcp", None, "Let this machine connect");
    Examined::of("https://nowhere.invalid/relay", &[]).fails("dns", None, "address in the DNS");
}

#[test]
fn arguments_that_cannot_be_used_are_told() {
    let missing = PathBuf::from("/nowhere/ca.pem");
    for (arguments, want) in [
        (vec!["http://remote.example.com/relay"], "plain http"),
        (vec!["https://localhost/relay", "--ca", missing.to_str().unwrap()], "holds no usable authority"),
        (vec!["https://localhost/relay", "--timeout", "10h"], "timeout"),
    ] {
        let output = Command::new(BINARY).arg("doctor").args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(want), "{}", text(&output));
    }
}
