//! What is found with an identity: what becomes of messages and of silence behind the upgrade.

use std::time::Duration;

use serde_json::Value;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{Hop, Intermediary};
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Endpoint, Frame, RawClient, opcode};

use super::super::{BINARY, Site, echo, echoes};
use super::Examined;
use super::meddler::{Change, Habits, Meddler};

/// What is looked at with an identity, and is as it should be without anything in front.
const INSIDE: [&str; 6] =
    ["identity", "headers_stripped", "buffering", "binary_blocked", "small_frames", "unmasked"];

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_to_a_gateway_without_anything_in_front() {
    let site = Site::new();
    let _gateway = site.start().await;
    let examined = Examined::inside(&site, "alice", site.gateway.addr(), &[]);
    examined.passes();
    for id in INSIDE {
        assert_eq!(examined.finding(id)["severity"], "pass", "{}", examined.people);
    }
    let inside = &examined.json["path"]["inside"];
    assert_eq!(inside["gateway"], "spiffe://site.example/gateway/front");
    assert_eq!((&inside["longest"], &inside["lost"]), (&Value::from(1 << 20), &Value::Array(Vec::new())));
    assert_eq!(
        (&inside["saw"]["http"], &inside["saw"]["address"]),
        (&"HTTP/1.1".into(), &"127.0.0.1".into())
    );
    assert_eq!(
        (&inside["saw"]["frames"]["unmasked"], &inside["added"]),
        (&0.into(), &Value::Array(Vec::new()))
    );
    assert_eq!(inside["saw"]["frames"]["largest"], 16_384);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_looks_keeps_its_place_and_nginx_s_headers_are_shown() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let proxy = Intermediary::Nginx.start(&Hop::plain(site.gateway.addr())).await.unwrap();
    let examined = Examined::inside(&site, "office", proxy.addr(), &[]);
    examined.passes();
    assert_eq!(
        examined.json["path"]["inside"]["added"],
        serde_json::json!(["x-forwarded-for", "x-forwarded-proto"])
    );
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    assert_eq!(agent.lines_with("connected"), 1, "{}", agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_of_another_site_is_found() {
    let (site, other) = (Site::new(), Site::new());
    let _gateway = site.start().await;
    let examined = Examined::inside(&other, "alice", site.gateway.addr(), &[]);
    examined.fails("identity", None, "wicketgate ca issue");
    // Nothing more is told to whoever has not proved who it is.
    assert_eq!(examined.json["path"]["inside"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_too_old_is_told_so() {
    let site = Site::new();
    let _gateway = site.start_with("minimum_version: 9.0.0").await;
    let examined = Examined::inside(&site, "alice", site.gateway.addr(), &[]);
    examined.fails("identity", None, "wicketgate ca issue");
    assert!(examined.seen("identity").contains("older than 9.0.0"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_endpoint_gets_no_ticket() {
    let site = Site::new();
    let _gateway = site.start_with("revocations: {names: client/alice}").await;
    let examined = Examined::inside(&site, "alice", site.gateway.addr(), &[]);
    examined.fails("identity", None, "wicketgate ca issue");
    assert!(examined.seen("identity").contains("is revoked"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_messages_is_found() {
    let site = Site::new();
    let _gateway = site.start().await;
    let changes: [Change; 3] = [
        |frame| if frame.opcode == opcode::BINARY { Err(1003) } else { Ok(vec![frame]) },
        |frame| if frame.payload.len() > 4096 { Err(1009) } else { Ok(vec![frame]) },
        |frame| Ok(vec![Frame { mask: None, ..frame }]),
    ];
    let long = "a message of 4096 bytes passes, one of 8192 does not: closed with 1009";
    let want = [
        ("binary_blocked", "binary WebSocket messages", "1003"),
        ("small_frames", "16 KiB", long),
        ("unmasked", "trusted_proxies", "1002"),
    ];
    for (change, (id, change_to, seen)) in changes.into_iter().zip(want) {
        let habits = Habits { frame: Some(change), ..Habits::default() };
        let meddler = Meddler::before(site.gateway.addr(), habits).await;
        let examined = Examined::inside(&site, "alice", meddler.addr, &[]);
        examined.fails(id, None, change_to);
        assert!(examined.seen(id).contains(seen), "{}", examined.people);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_cut_on_the_way_are_no_fault() {
    let site = Site::new();
    let _gateway = site.start().await;
    let cut = |frame: Frame| {
        let Frame { fin, opcode: kind, mask, .. } = frame;
        let pieces: Vec<&[u8]> = frame.payload.chunks(1000).collect();
        let last = pieces.len().saturating_sub(1);
        let piece = |(number, payload): (usize, &&[u8])| Frame {
            fin: fin && number == last,
            mask,
            ..Frame::new(if number == 0 { kind } else { opcode::CONTINUATION }, *payload)
        };
        Ok(if pieces.is_empty() {
            vec![frame.clone()]
        } else {
            pieces.iter().enumerate().map(piece).collect()
        })
    };
    let meddler =
        Meddler::before(site.gateway.addr(), Habits { frame: Some(cut), ..Habits::default() }).await;
    let examined = Examined::inside(&site, "alice", meddler.addr, &[]);
    examined.passes();
    assert!(examined.seen("small_frames").contains("frames of 1000 bytes at most"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_may_be_taken_off_by_trusted_proxies_alone() {
    let site = Site::new();
    let trusting = format!(
        "bind: {}, trusted_proxies: {{from: [127.0.0.0/8], header: x-forwarded-for, missing: proxy}}}}]",
        site.gateway.addr()
    );
    let config = site.config("").replace(&format!("bind: {}}}]", site.gateway.addr()), &trusting);
    let _gateway = Gateway::start(BINARY, &config, Ready::port(site.gateway.addr())).await.unwrap();
    let unmask = |frame: Frame| Ok(vec![Frame { mask: None, ..frame }]);
    let habits = Habits { frame: Some(unmask), ..Habits::default() };
    let meddler = Meddler::before(site.gateway.addr(), habits).await;
    let examined = Examined::inside(&site, "alice", meddler.addr, &[]);
    examined.warns("unmasked", "unmasked, and takes them from this proxy");
    // Its clients may mask all the same.
    Examined::inside(&site, "alice", site.gateway.addr(), &[]).passes();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_lost_and_bytes_that_are_held_back_are_found() {
    let site = Site::new();
    let _gateway = site.start().await;
    let head = Some(("user-agent: wicketgate", "x-was: wicketgate"));
    let meddler = Meddler::before(site.gateway.addr(), Habits { head, ..Habits::default() }).await;
    let examined = Examined::inside(&site, "alice", meddler.addr, &[]);
    examined.warns("headers_stripped", "lost on the way: user-agent; added: x-was");
    let hold = Some(Duration::from_millis(150));
    let meddler = Meddler::before(site.gateway.addr(), Habits { hold, ..Habits::default() }).await;
    Examined::inside(&site, "alice", meddler.addr, &[])
        .warns("buffering", "small messages from the gateway are held back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idle_limit_is_measured_and_its_setting_named() {
    let site = Site::new();
    let _gateway = site.start().await;
    let hop = Hop::plain(site.gateway.addr()).idle(Duration::from_secs(2));
    for (kind, product, change) in [
        (Intermediary::Nginx, Some("nginx"), "proxy_read_timeout"),
        (Intermediary::Haproxy, None, "timeout tunnel"),
    ] {
        let proxy = kind.start(&hop).await.unwrap();
        let examined = Examined::inside(&site, "alice", proxy.addr(), &["--idle", "3s"]);
        examined.fails("idle_limit", product, change);
        let seen = examined.seen("idle_limit");
        assert!(seen.contains("closed: after more than 1.") && seen.contains("and after 2."), "{seen}");
        assert_eq!(examined.finding("lifetime_limit")["severity"], "pass", "{}", examined.people);
    }
    let examined = Examined::inside(&site, "alice", site.gateway.addr(), &["--idle", "1s"]);
    examined.passes();
    assert!(examined.seen("idle_limit").contains("every connection still answers"), "{}", examined.people);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_back_to_whoever_has_no_ticket() {
    let site = Site::new();
    let gateway = site.start().await;
    for (preamble, label) in [
        (&b"PWG\x01\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaae\x00\x00\x00\x01x"[..], "relay_ticket_forged"),
        (b"PWG\x01\xff\xff", "relay_preamble"),
        (b"POST / HTTP/1.1\r\n\r\n", "relay_preamble"),
    ] {
        let mut client = RawClient::connect(&Endpoint::plain(site.gateway.addr())).await.unwrap();
        client
            .send(
                b"GET /relay HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                  Sec-WebSocket-Protocol: wicketgate.v1\r\n\r\n",
            )
            .await
            .unwrap();
        assert_eq!(client.head().await.unwrap().status().unwrap(), 101);
        let seen = gateway.process().lines_with(label);
        client.send(&Frame::binary(preamble).masked([0; 4]).bytes()).await.unwrap();
        gateway.process().more_lines(label, seen, super::super::PATIENCE).await.unwrap();
        let answered = client.rest().await.unwrap_or_default();
        assert!(answered.is_empty(), "{label}: {}", answered.escape_ascii());
    }
    Examined::inside(&site, "alice", site.gateway.addr(), &[]).passes();
}
