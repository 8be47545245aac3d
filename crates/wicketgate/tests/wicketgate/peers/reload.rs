//! Reload, handover and drain with 500 sessions at work: none is lost that need not be.

use std::time::Duration;

use tokio::sync::watch;
use wicketgate_testkit::{
    dir::Dir,
    gateway::Gateway,
    ports::Port,
    process::Ready,
    raw::{EchoBackend, Ended, Endpoint, RawClient, Upgrade},
};

use super::{
    Front,
    load::{Fate, Load},
};

const SESSIONS: usize = 500;
const RELOADED: &str = "configuration reloaded";

/// Two routes to one backend, `/keep` and, where asked for, `/gone`.
fn config(front: &Front, backend: &EchoBackend, with_gone: bool, more: &str) -> String {
    let gone = "  - {name: gone, match: {path: /gone}, upstream: backend}\n";
    let gone = if with_gone { gone } else { "" };
    front.config(&format!(
        "upstreams: [{{name: backend, targets: [\"ws://{}\"]}}]
routes:
  - {{name: keep, match: {{path: /keep}}, upstream: backend{more}}}
{gone}drain: {{timeout: 2s}}
log: {{access: off}}
",
        backend.addr().unwrap()
    ))
}

async fn started(front: &Front, backend: &EchoBackend) -> Gateway {
    wicketgate_testkit::process::raise_open_files().unwrap();
    Gateway::start(super::BINARY, &config(front, backend, true, ""), front.ready()).await.unwrap()
}

/// By signal and by change of the file; a limit that changes counts for sessions that are open.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_outlive_reloads_and_take_their_new_limits() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = started(&front, &backend).await;
    let load = Load::start(&front.ws(), "/keep", SESSIONS).await;
    let mut talkative = RawClient::open(&front.ws(), "/keep").await.unwrap();
    talkative.echoes(&"x".repeat(2_000)).await.unwrap();
    load.round().await;

    let limited = |size| format!(", websocket: {{limits: {{message_size: {size}}}}}");
    gateway.reload(&config(&front, &backend, true, &limited("1500B")), RELOADED).await.unwrap();
    load.round().await;
    talkative.echoes(&"x".repeat(1_400)).await.unwrap();

    let seen = gateway.process().lines_with(RELOADED);
    gateway.write_config(&config(&front, &backend, true, &limited("1KiB"))).unwrap();
    gateway.process().more_lines(RELOADED, seen, Duration::from_secs(10)).await.unwrap();
    load.round().await;
    talkative.send_text(&"x".repeat(1_400)).await.unwrap();
    assert_eq!(talkative.ended().await.unwrap(), Ended::Closed(Some(1009)));

    load.finish().await.all(SESSIONS, Fate::Finished);
}

/// A setting that a running process cannot follow is named, once for each reload that asks for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_restart_is_named() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = started(&front, &backend).await;
    let restarts = || gateway.process().lines_with("changes only at a restart");
    gateway.reload(&config(&front, &backend, false, ""), RELOADED).await.unwrap();
    assert_eq!(restarts(), 0);
    let asked = config(&front, &backend, true, "") + "runtime: {threads: 17}\nlimits: {connections: 9}\n";
    let asked = asked.replacen("    bind:", "    backlog: 77\n    bind:", 1);
    gateway.reload(&asked, RELOADED).await.unwrap();
    for setting in ["runtime.threads", "limits.connections", "backlog"] {
        assert!(gateway.process().lines_with(&format!("\"{setting}\"")) > 0, "{setting} is not named");
    }
    assert_eq!(restarts(), 3);
    Load::start(&front.ws(), "/keep", 1).await.finish().await.all(1, Fate::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_changes_nothing() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = started(&front, &backend).await;
    let mut load = Load::start(&front.wss(), "/keep", SESSIONS).await;
    for broken in ["routes: [", "", "listeners: []\nroutes: []\n"] {
        gateway.reload(broken, "configuration not reloaded").await.unwrap();
        load.round().await;
    }
    load.open(&front.ws(), "/gone").await;
    load.finish().await.all(SESSIONS + 1, Fate::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_gone_ends_its_sessions_alone() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = started(&front, &backend).await;
    let keep = Load::start(&front.ws(), "/keep", SESSIONS / 2).await;
    let gone = Load::start(&front.ws(), "/gone", SESSIONS / 2).await;
    gateway.reload(&config(&front, &backend, false, ""), RELOADED).await.unwrap();
    let fates = gone.ended().await;
    fates.all(SESSIONS / 2, Fate::Closed(1012));
    // 250 moments at random in 1.6 seconds.
    assert!(fates.spread() > Duration::from_millis(1_000), "{:?}", fates.spread());
    keep.round().await;
    keep.finish().await.all(SESSIONS / 2, Fate::Finished);
    assert!(RawClient::open(&front.ws(), "/gone").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_every_session_with_1012() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = started(&front, &backend).await;
    let load = Load::start(&front.ws(), "/keep", SESSIONS).await;
    let drained = tokio::spawn(gateway.drain(Duration::from_secs(10)));
    let fates = load.ended().await;
    fates.all(SESSIONS, Fate::Closed(1012));
    assert!(fates.spread() > Duration::from_millis(1_000), "{:?}", fates.spread());
    let (status, output) = drained.await.unwrap().unwrap();
    assert!(status.success() && output.contains("drained"), "{output}");
}

/// The old process keeps its sessions while the new one serves; connections made all the while are served by either.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_takes_over_and_no_session_is_lost() {
    let (front, backend, folder) = (Front::new(), EchoBackend::start().await.unwrap(), Dir::new().unwrap());
    let admin = Port::free().unwrap();
    let config = config(&front, &backend, true, "").replace("{timeout: 2s}", "{timeout: 40s}");
    let config = format!(
        "{config}runtime: {{handover: {}}}\nadmin: {{bind: {}}}\n",
        folder.join("handover").display(),
        admin.addr()
    );
    wicketgate_testkit::process::raise_open_files().unwrap();
    let gateway = Gateway::start(super::BINARY, &config, front.ready()).await.unwrap();
    let load = Load::start(&front.ws(), "/keep", SESSIONS).await;
    // Connected to the old process, asking the new configuration nothing yet.
    let mut early = RawClient::connect(&front.ws()).await.unwrap();
    load.round().await;

    let (enough, stop) = watch::channel(false);
    let visits = tokio::spawn(visit(front.ws(), front.wss(), stop));
    let successor = gateway.successor(Ready::Line("taken over".into())).await.unwrap();
    gateway.log("a new process serves now").await.unwrap();
    gateway.log("draining").await.unwrap();
    early.upgrade(&Upgrade::new("/keep")).await.unwrap();
    early.echoes("late, but served").await.unwrap();
    load.round().await;
    let fresh = Load::start(&front.ws(), "/keep", 50).await;
    enough.send_replace(true);
    assert!(visits.await.unwrap() > 10);

    let mut operator = RawClient::connect(&Endpoint::plain(admin.addr())).await.unwrap();
    operator.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(operator.response().await.unwrap().0.status().unwrap(), 200);

    assert_eq!(early.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    load.finish().await.all(SESSIONS, Fate::Finished);
    // Nothing is left to wait for, long before the drain time is over.
    gateway.log("drained").await.unwrap();
    drop(gateway);
    fresh.round().await;
    fresh.finish().await.all(50, Fate::Finished);
    drop(successor);
}

/// Connects, echoes and closes over and over; how often it could, which is always.
pub(super) async fn visit(ws: Endpoint, wss: Endpoint, stop: watch::Receiver<bool>) -> usize {
    let mut visits = 0;
    while !*stop.borrow() {
        for endpoint in [&ws, &wss] {
            let mut client = RawClient::open(endpoint, "/keep").await.unwrap();
            client.echoes("visit").await.unwrap();
            assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
            visits += 1;
        }
    }
    visits
}
