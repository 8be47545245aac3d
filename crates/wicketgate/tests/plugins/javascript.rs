//! The example in JavaScript, built as the guide says, judges as the one in Rust does: by the same cases, and on real traffic.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use wicketgate_plugin::testing;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{self, node};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Ended, Endpoint, RawClient, opcode};

use crate::stage::{BINARY, text};

/// How long the component may take to be compiled.
const COMPILED: Duration = Duration::from_secs(120);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Makes a component of the example.
fn build(component: &Path) {
    let mut command = node::interpreter(None).unwrap();
    command.arg(peers::folder().join("node/node_modules/componentize-qjs/bin/componentize-qjs"));
    command.arg("--wit").arg(root().join("crates/plugin/wit/policy.wit")).args(["--world", "policy"]);
    command.arg("--js").arg(root().join("examples/plugins/javascript/order-limit.js"));
    command.args(["--sync", "--stub-wasi", "--opt-size", "--output"]).arg(component);
    succeeds(command);
}

fn succeeds(mut command: Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn the_example_in_javascript_judges() {
    let dir = Dir::new().unwrap();
    let built = dir.join("built.wasm");
    build(&built);
    dir.write("order-limit.wasm", testing::passing()).unwrap();
    let (backend, port) = (EchoBackend::start().await.unwrap(), Port::free().unwrap());
    let config = include_str!("../../../../examples/plugins/wicketgate.yaml")
        .replace("127.0.0.1:8080", &port.addr().to_string())
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string());
    let gateway = Gateway::start_with(BINARY, &config, Ready::port(port.addr()), |command| {
        command.env("PLUGINS", dir.path());
    })
    .await
    .unwrap();
    std::fs::rename(&built, dir.join("order-limit.wasm")).unwrap();
    // A mebibyte is compiled, by a compiler that is built for tests.
    gateway.process().line("component replaced", COMPILED).await.unwrap();
    let mut client = RawClient::open(&Endpoint::plain(port.addr()), "/orders").await.unwrap();
    client.send(&text(r#"{"type" : "order", "amount":2e1, "note":"für 3 €"}"#)).await.unwrap();
    let checked = r#"{"type" : "order", "amount":2e1, "note":"für 3 €","checked":true}"#;
    assert_eq!(client.message().await.unwrap(), (opcode::TEXT, checked.as_bytes().to_vec()));
    client.echoes(r#"{"type":"order","amount":900}"#).await.unwrap();
    client.send(&text(r#"{"type":"order","amount":1001}"#)).await.unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(4409)));
    let line = gateway.log("an order of 1001, and the limit is 1000").await.unwrap();
    assert!(line.contains("order-limit"), "{line}");

    let mut cases = Command::new(BINARY);
    cases.current_dir(root().join("examples/plugins")).env("PLUGINS", dir.path());
    cases.args(["test-policy", "--route", "orders", "--cases", "orders.jsonl"]);
    succeeds(cases);
}
