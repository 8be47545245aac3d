//! A client and a server of each protocol, the gateway in between. The clients do what is allowed, and what is not: then their
//! session ends, and the next one is served.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{mosquitto, node};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};

use super::BINARY;

/// How long a client may take for all that it does.
const SOON: Duration = Duration::from_secs(120);

fn script(name: &str) -> Command {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wicketgate/packs/scripts").join(name);
    node::script(&path, None).unwrap()
}

/// A gateway in front of this port, with a policy of this format, and where it listens.
async fn gateway(backend: u16, format: &str) -> (Gateway, Port) {
    let port = Port::free().unwrap();
    let config = format!(
        "listeners: [{{bind: {addr}}}]
upstreams: [{{name: backend, targets: ['ws://127.0.0.1:{backend}']}}]
policies: [{{name: pack, format: {format}, to_upstream: [{{guard: {{}}}}], to_client: []}}]
routes: [{{name: all, upstream: backend, policy: pack, websocket: {{mode: messages}}}}]
drain: {{timeout: 0s}}
log: {{access: off}}
",
        addr = port.addr()
    );
    let gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
    (gateway, port)
}

/// Runs the client of a script, which has to end well, and finds what was refused in the log.
async fn talks(name: &str, backend: u16, format: &str, refused: &[&str]) {
    let (gateway, port) = gateway(backend, format).await;
    let mut command = script(name);
    command.args(["client", &format!("ws://{}", port.addr())]);
    let client = Process::spawn(command, Ready::Started).await.unwrap();
    let (status, output) = client.finish(SOON).await.unwrap();
    let log = gateway.process().output();
    assert!(status.success() && output.contains("all well"), "{name}: {output}\n{log}");
    for class in refused {
        let line = gateway.log(&format!("class=\"{class}\"")).await;
        line.unwrap_or_else(|error| panic!("{name}: {class}: {error:#}"));
    }
}

/// The same with the server of the script, which must have seen nothing of what was refused.
async fn both(name: &str, format: &str, refused: &[&str]) {
    let mut command = script(name);
    command.arg("server");
    let server = Process::spawn(command, Ready::Line("ports ".into())).await.unwrap();
    let line = server.line("ports ", Duration::from_secs(1)).await.unwrap();
    talks(name, line.split(' ').nth(1).unwrap().trim().parse().unwrap(), format, refused).await;
    assert!(!server.output().contains("deleted"), "{name}: {}", server.output());
}

#[tokio::test]
async fn graphql() {
    let refused = ["document_depth", "introspection", "malformed"];
    both("graphql.js", "{graphql-transport-ws: {depth: 4}}", &refused).await;
}

#[tokio::test]
async fn json_rpc() {
    both("json_rpc.js", "{json-rpc: {methods: [sum]}}", &["target_not_allowed"]).await;
}

#[tokio::test]
async fn socket_io() {
    let format = "{socket.io: {events: [say, bytes, ask]}}";
    both("socket_io.js", format, &["event_not_allowed", "namespace_not_allowed"]).await;
}

#[tokio::test]
async fn signalr() {
    both(
        "signalr.js",
        "{signalr: {targets: [Send, Stream], encodings: [json, messagepack]}}",
        &["target_not_allowed"],
    )
    .await;
}

#[tokio::test]
async fn stomp() {
    let format = "{stomp: {send: ['/topic/*'], subscribe: [/topic/hall]}}";
    both("stomp.js", format, &["destination_not_allowed"]).await;
}

#[tokio::test]
async fn ocpp() {
    let format = "{ocpp: {version: '1.6', station_actions: [BootNotification, Heartbeat]}}";
    both("ocpp.js", format, &["action_not_allowed"]).await;
}

#[tokio::test]
async fn wamp() {
    both("wamp.js", "{wamp: {realms: [site]}}", &["uri_not_allowed"]).await;
}

#[tokio::test]
async fn mqtt() {
    let dir = Dir::new().unwrap();
    let (_broker, port) = mosquitto::start(&dir).await.unwrap();
    let format = "{mqtt: {publish: ['hall/+'], subscribe: ['hall/#'], client_ids: ['anon-*']}}";
    talks("mqtt.js", port.addr().port(), format, &["topic_not_allowed"]).await;
}
