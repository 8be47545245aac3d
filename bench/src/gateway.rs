//! Wicketgate under load: its configuration for the comparison, and how it is run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wicketgate_testkit::gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Ready, Usage};

use crate::setup::Setup;

/// How deep the gateway looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inspection {
    /// Frame headers; payload goes on as it came.
    Headers,
    /// Whole messages, judged by a policy that lets all pass.
    Messages,
    /// Whole messages, compressed ones inflated first.
    Inflated,
    /// Whole messages, read as JSON, held against a schema and searched for injections, in both directions.
    Policy,
}

/// Who stands beside the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// Nobody: there is no console.
    None,
    /// A console at which nobody looks.
    Console,
    /// Somebody who looks on at the route's messages.
    Watching,
}

/// A running gateway. Dropping it ends it.
pub(crate) struct Gateway {
    running: gateway::Gateway,
    port: Port,
    /// Where the console listens, if there is one.
    _console: Option<Port>,
}

impl Gateway {
    pub(crate) async fn start(
        setup: &Setup,
        tls: bool,
        inspection: Inspection,
        operator: Operator,
    ) -> Result<Self> {
        let port = Port::free()?;
        let console = (operator != Operator::None).then(Port::free).transpose()?;
        let mut config = config(setup, port.addr(), tls, inspection);
        let mut ready = vec![port.addr()];
        if let Some(console) = &console {
            config.push_str(&format!(
                "console: {{bind: \"{}\", tokens: [{{name: bench, scope: operate, token: {{value: {TOKEN}}}}}]}}\n",
                console.addr()
            ));
            ready.push(console.addr());
        }
        let running = gateway::Gateway::start(&setup.wicketgate, &config, Ready::Ports(ready)).await?;
        if let (Operator::Watching, Some(console)) = (operator, &console) {
            watch(console.addr())?;
        }
        Ok(Self { running, port, _console: console })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        self.running.usage()
    }
}

/// The token of whoever looks on.
const TOKEN: &str = "bench-0123456789abcdef0123456789abcdef";

/// Looks on at the route's messages until the gateway ends.
fn watch(console: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(console)?;
    write!(
        stream,
        "GET /api/v1/messages?route=echo HTTP/1.1\r\nHost: {console}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    )?;
    let mut buffer = vec![0; 64 << 10];
    let read = stream.read(&mut buffer)?;
    let head = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default());
    ensure!(head.starts_with("HTTP/1.1 200"), "nobody may look on: {head}");
    std::thread::spawn(move || while stream.read(&mut buffer).is_ok_and(|read| read > 0) {});
    Ok(())
}

/// What the binary says of itself.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(output.status.success(), "{} --version failed", program.display());
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_ascii_whitespace().last().unwrap_or("unknown").to_owned())
}

/// The messages that [`crate::load`] sends, field by field.
const SCHEMA: &str = r#"{type: object, additionalProperties: false, required: [type, id, user, at, side, price, text], properties: {
  type: {const: chat}, id: {type: string, pattern: "^[0-9a-f]{8}$"}, at: {type: integer, minimum: 0}, side: {enum: [buy, sell]},
  user: {type: object, additionalProperties: false, required: [name], properties: {
    name: {type: string, maxLength: 64}, room: {type: integer, minimum: 0}}},
  price: {type: number, minimum: 0}, text: {type: string, maxLength: 100000}}}"#;

/// A schema, and the guard as it comes, in both directions.
fn policies() -> String {
    let schema = format!("schema: {{kinds: {{chat: {{inline: {SCHEMA}}}}}}}");
    let steps = format!("[{{name: known, {schema}}}, {{name: injection, guard: {{}}}}]");
    format!(
        "policies:
  - name: chat
    format: json
    kind: type
    to_upstream: {steps}
    to_client: {steps}
"
    )
}

/// What is not said here is the gateway's default, every limit among it. Like its peers it writes no access log.
fn config(setup: &Setup, listen: SocketAddr, tls: bool, inspection: Inspection) -> String {
    let identity = &setup.identity;
    let tls = if tls {
        let (certificate, key) = (identity.certificate_file.display(), identity.key_file.display());
        format!("\n    tls: {{certificates: [{{cert: {certificate}, key: {key}}}]}}")
    } else {
        String::new()
    };
    let websocket = match inspection {
        Inspection::Headers => "{mode: headers}",
        Inspection::Messages => "{mode: messages, compression: false}",
        Inspection::Inflated => "{mode: messages, compression: true}",
        Inspection::Policy => "{mode: messages, compression: false}\n    policy: chat",
    };
    let policies = if inspection == Inspection::Policy { policies() } else { String::new() };
    format!(
        "listeners:
  - name: bench
    bind: {listen}{tls}
upstreams:
  - name: echo
    targets: [\"ws://{backend}\"]
routes:
  - name: echo
    upstream: echo
    websocket: {websocket}
runtime: {{threads: {workers}}}
log: {{access: off, audit: off, level: warn}}
{policies}",
        workers = setup.workers,
        backend = setup.backend,
    )
}
