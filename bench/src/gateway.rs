//! Wicketgate under load: its configuration for the comparison, and how it is run.

use std::net::SocketAddr;
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

/// A running gateway. Dropping it ends it.
pub(crate) struct Gateway {
    running: gateway::Gateway,
    port: Port,
}

impl Gateway {
    pub(crate) async fn start(setup: &Setup, tls: bool, inspection: Inspection) -> Result<Self> {
        let port = Port::free()?;
        let config = config(setup, port.addr(), tls, inspection);
        let running = gateway::Gateway::start(&setup.wicketgate, &config, Ready::port(port.addr())).await?;
        Ok(Self { running, port })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        self.running.usage()
    }
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
