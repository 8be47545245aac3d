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
    };
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
",
        workers = setup.workers,
        backend = setup.backend,
    )
}
