//! Clients and backends of the trade through the gateway: every pair, in every mode, over every transport.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use wicketgate_testkit::{
    peers::{node, python},
    process::{Process, Ready},
};

use super::Front;

/// How long a client may take for all of its conversations.
const SOON: Duration = Duration::from_secs(240);

/// How routes treat their sessions, and whether permessage-deflate is to be had on them.
const MODES: [(&str, &str, bool); 4] = [
    ("headers", "on", true),
    ("messages", "{mode: messages}", true),
    ("headers-plain", "{compression: false}", false),
    ("messages-plain", "{mode: messages, compression: false}", false),
];

/// A script beside this file.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wicketgate/peers/scripts").join(name)
}

/// The command for a script, by what it is written in.
pub(super) fn command(front: &Front, name: &str) -> Command {
    let ca = front.authority.ca_file();
    let path = script(name);
    let mut command = match path.extension().and_then(|word| word.to_str()) {
        Some("py") => python::script(&path).unwrap(),
        _ => node::script(&path, Some(&ca)).unwrap(),
    };
    command.env("CA", ca);
    command.env("CERT", &front.identity.certificate_file).env("KEY", &front.identity.key_file);
    command
}

/// A backend that prints `ports`, and the ports.
pub(super) async fn backend(front: &Front, name: &str) -> (Process, Vec<u16>) {
    let process = Process::spawn(command(front, name), Ready::Line("ports ".into())).await.unwrap();
    let line = process.line("ports ", Duration::from_secs(1)).await.unwrap();
    let ports = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
    (process, ports)
}

/// Runs a client to its end, which must be a good one.
pub(super) async fn succeeds(command: Command, what: &str) {
    let process = Process::spawn(command, Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert!(status.success() && output.contains("all well"), "{what}: {output}");
}

/// The gateway before three backends, each plain and over TLS, each in every mode; and what every client is to do.
async fn converse(client: &str, arguments: &[&str], transport: &str) {
    let front = Front::new();
    let mut rest = String::from("log: {access: off}\n");
    let (mut upstreams, mut routes, mut paths) = (String::new(), String::new(), Vec::new());
    let mut processes = Vec::new();
    for name in ["echo_websockets.py", "echo_aiohttp.py", "echo_ws.js"] {
        let (process, ports) = backend(&front, name).await;
        processes.push(process);
        let name = name.split('.').next().unwrap();
        for (scheme, port) in [("ws", ports[0]), ("wss", ports[1])] {
            let tls = match scheme {
                "ws" => String::new(),
                _ => format!(", tls: {{ca: {}}}", front.authority.ca_file().display()),
            };
            upstreams +=
                &format!("  - {{name: {name}-{scheme}, targets: [\"{scheme}://localhost:{port}\"]{tls}}}\n");
            for (mode, websocket, deflate) in MODES {
                let path = format!("/{name}/{scheme}/{mode}");
                routes += &format!(
                    "  - {{name: {name}-{scheme}-{mode}, match: {{path: {path}}}, upstream: {name}-{scheme}, websocket: {websocket}}}\n"
                );
                paths.push((path, deflate));
            }
        }
    }
    rest += &format!("upstreams:\n{upstreams}routes:\n{routes}");
    let gateway = front.start(&rest).await;
    let address = match transport {
        "ws" => format!("ws://{}", front.plain.addr()),
        _ => format!("wss://{}", front.secure.addr()),
    };
    let jobs: Vec<_> = paths
        .iter()
        .map(|(path, deflate)| format!("{{\"url\": \"{address}{path}\", \"deflate\": {deflate}}}"))
        .collect();
    let mut command = command(&front, client);
    command.args(arguments).arg(format!("[{}]", jobs.join(",")));
    succeeds(command, &format!("{client} {arguments:?} over {transport}; {}", gateway.process().output()))
        .await;
}

#[tokio::test]
async fn python_websockets() {
    converse("client_websockets.py", &[], "ws").await;
    converse("client_websockets.py", &[], "wss").await;
}

#[tokio::test]
async fn python_aiohttp() {
    converse("client_aiohttp.py", &[], "ws").await;
    converse("client_aiohttp.py", &[], "wss").await;
}

#[tokio::test]
async fn node_ws() {
    converse("client_node.js", &["ws"], "ws").await;
    converse("client_node.js", &["ws"], "wss").await;
}

#[tokio::test]
async fn node_undici() {
    converse("client_node.js", &["undici"], "ws").await;
    converse("client_node.js", &["undici"], "wss").await;
}

/// All of its requests and WebSockets as streams of HTTP/2 (RFC 8441).
#[tokio::test]
async fn node_undici_over_http2() {
    converse("client_node.js", &["undici-h2"], "wss").await;
}
