//! The audit from outside: nothing goes on without its record where that is guaranteed, payload keys, and bad stores.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::time::Duration;

use tokio::time::timeout;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient};

use crate::cli::wicketgate;

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

async fn ready(admin: &Port) -> u16 {
    let mut probe = RawClient::connect(&Endpoint::plain(admin.addr())).await.unwrap();
    probe.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    probe.response().await.unwrap().0.status().unwrap()
}

#[tokio::test]
async fn no_session_opens_without_its_record_and_all_open_when_the_disk_is_back() {
    let backend = EchoBackend::start().await.unwrap();
    let (port, admin, dir) = (Port::free().unwrap(), Port::free().unwrap(), Dir::new().unwrap());
    let (store, away) = (dir.join("audit.db"), dir.join("away.db"));
    let config = format!(
        "listeners: [{{name: l, bind: \"{}\"}}]\nupstreams: [{{name: u, targets: [\"ws://{}\"]}}]\n\
         routes: [{{name: r, upstream: u}}]\nadmin: {{bind: \"{}\"}}\nlog: {{audit: off}}\n\
         audit: {{store: {{path: {}, mode: guaranteed}}}}\n",
        port.addr(),
        backend.addr().unwrap(),
        admin.addr(),
        store.display()
    );
    let gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
    let endpoint = Endpoint::plain(port.addr());
    let mut before = RawClient::open(&endpoint, "/").await.unwrap();
    assert_eq!(ready(&admin).await, 200);
    // As good as a disk that fails: the file cannot be written where it should be.
    fs::rename(&store, &away).unwrap();
    fs::create_dir(&store).unwrap();
    let mut held = Box::pin(RawClient::open(&endpoint, "/"));
    assert!(timeout(Duration::from_millis(500), &mut held).await.is_err(), "it waits");
    assert_eq!(ready(&admin).await, 503);
    gateway.log("the audit store cannot be written").await.unwrap();
    before.echoes("a session that is open goes on").await.unwrap();
    fs::remove_dir(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    let mut after = timeout(Duration::from_secs(15), held).await.unwrap().unwrap();
    after.echoes("hello").await.unwrap();
    assert_eq!(ready(&admin).await, 200);
    drop((before, after));
    assert!(gateway.drain(Duration::from_secs(20)).await.unwrap().0.success());
    let (code, shown, _) = wicketgate(dir.path(), &["audit", "query", "--store", "audit.db"]);
    assert_eq!(code, 0);
    assert_eq!(shown.lines().filter(|line| line.contains("admission.admitted")).count(), 2, "{shown}");
    assert_eq!(shown.lines().filter(|line| line.contains("session.closed")).count(), 2, "{shown}");
    assert_eq!(wicketgate(dir.path(), &["audit", "verify", "--store", "audit.db"]).0, 0);
}

#[test]
fn a_pair_of_keys_is_made_once() {
    let dir = Dir::new().unwrap();
    let (code, public, said) = wicketgate(dir.path(), &["audit", "key", "auditor"]);
    assert_eq!(code, 0, "{said}");
    let identity = fs::read_to_string(dir.join("auditor")).unwrap();
    assert!(public.starts_with("wicketgate-audit-public-1:") && identity.contains(public.trim()), "{public}");
    assert!(!format!("{public}{said}").contains("secret"), "{said}");
    let (code, _, said) = wicketgate(dir.path(), &["audit", "key", "auditor"]);
    assert!(code == 1 && said.contains("is there already"), "{said}");
    let config = format!(
        "listeners: [{{bind: 127.0.0.1:0}}]\nroutes: [{{name: a, respond: {{status: 204}}}}]\n\
         audit: {{store: {{path: ./audit.db, payload_key: \"{}\"}}}}\n",
        public.trim()
    );
    dir.write("wicketgate.yaml", config).unwrap();
    let (code, _, said) = wicketgate(dir.path(), &["check"]);
    assert_eq!((code, said.as_str()), (0, ""));
}

#[test]
fn what_is_no_store_is_said_with_what_to_do() {
    let dir = Dir::new().unwrap();
    dir.write("text", "a text of some length, so that it is no empty file; ".repeat(100)).unwrap();
    for (arguments, code, said) in [
        (&["audit", "verify", "--store", "none"][..], 2, "there is no such file; check the path"),
        (&["audit", "verify", "--store", "text"], 2, "it is no audit store; give the path of"),
        (&["audit", "query", "--store", "text"], 1, "it is no audit store"),
        (&["audit", "verify", "--export", "none"], 2, "cannot read none"),
        (&["audit", "verify", "--export", "text"], 1, ""),
        (&["audit", "query"], 1, "say where the store is: --store FILE"),
        (&["audit", "query", "--store", "text", "--since", "noon"], 2, "write a moment as"),
        (&["audit", "verify", "--store", "text", "--anchor", "7"], 2, "SEQUENCE:HASH"),
    ] {
        let (ended, _, told) = wicketgate(dir.path(), arguments);
        assert!(ended == code && told.contains(said), "{arguments:?}: {ended} {told}");
    }
}
