//! Floods of connections: what is beyond the limits waits or is closed, and the limit frees itself.

use std::time::{Duration, Instant};

use wicketgate_testkit::raw::{Ended, RawClient, Upgrade};

use super::{Stage, UPSTREAM};

fn limited(limits: &str) -> String {
    format!(
        "listeners: [{{bind: LISTEN, limits: {{{limits}}}}}]\n{UPSTREAM}routes: [{{name: all, upstream: backend}}]\n"
    )
}

#[tokio::test]
async fn beyond_a_listeners_limit_a_connection_waits() {
    let stage = Stage::start(&limited("connections: 2")).await;
    let mut first = RawClient::open(&stage.listener(0), "/first").await.unwrap();
    let mut second = RawClient::open(&stage.listener(0), "/second").await.unwrap();
    let mut third = stage.client().await;
    let upgrade = Upgrade::new("/third");
    third.send(&upgrade.bytes()).await.unwrap();
    // Meanwhile the others are served, and the third is not.
    for _ in 0..20 {
        first.echoes("first").await.unwrap();
        second.echoes("second").await.unwrap();
    }
    assert_eq!(stage.heads().len(), 2);
    assert_eq!(first.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    upgrade.check(&third.head().await.unwrap()).unwrap();
    third.echoes("third").await.unwrap();
}

#[tokio::test]
async fn the_limit_of_all_listeners_together_holds_too() {
    let config = format!("{}limits: {{connections: 1}}\n", limited("connections: 100"));
    let stage = Stage::start(&config).await;
    let mut first = RawClient::open(&stage.listener(0), "/first").await.unwrap();
    let mut second = stage.client().await;
    let upgrade = Upgrade::new("/second");
    second.send(&upgrade.bytes()).await.unwrap();
    for _ in 0..20 {
        first.echoes("first").await.unwrap();
    }
    assert_eq!(stage.heads().len(), 1);
    first.close(1000).await.unwrap();
    upgrade.check(&second.head().await.unwrap()).unwrap();
}

#[tokio::test]
async fn beyond_an_addresss_limit_connections_are_closed_at_once() {
    let stage = Stage::start(&limited("per_address: 2")).await;
    let mut first = RawClient::open(&stage.listener(0), "/first").await.unwrap();
    let mut second = RawClient::open(&stage.listener(0), "/second").await.unwrap();
    for _ in 0..50 {
        let mut more = stage.client().await;
        more.send(&Upgrade::new("/attack").bytes()).await.ok();
        assert_eq!(more.rest().await.unwrap(), b"");
    }
    first.echoes("first").await.unwrap();
    second.echoes("second").await.unwrap();
    assert_eq!(stage.heads().len(), 2);
    assert_eq!(first.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    // The place is free once the gateway has seen the end as well.
    let start = Instant::now();
    let mut next = loop {
        match RawClient::open(&stage.listener(0), "/next").await {
            Ok(client) => break client,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(5), "{error:#}"),
        }
    };
    next.echoes("next").await.unwrap();
}

/// A connection that is opened and dropped, again and again, leaves nothing behind.
#[tokio::test]
async fn a_storm_of_connections_leaves_nothing_behind() {
    let stage = Stage::start(&limited("connections: 20")).await;
    for round in 0..200 {
        let mut client = stage.client().await;
        match round % 3 {
            0 => {}
            1 => client.send(b"GET / HT").await.unwrap(),
            _ => client.send(&Upgrade::new("/storm").bytes()).await.unwrap(),
        }
    }
    for _ in 0..30 {
        stage.proof("/").honest().await.unwrap();
    }
}
