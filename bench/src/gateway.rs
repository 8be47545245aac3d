//! Wicketgate under load: its configuration for the comparison, and how it is run.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready, Usage};

use crate::peer::Setup;

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
    process: Process,
    port: Port,
    _dir: Dir,
}

impl Gateway {
    pub(crate) async fn start(setup: &Setup, tls: bool, inspection: Inspection) -> Result<Self> {
        let (port, dir) = (Port::free()?, Dir::new()?);
        let config = dir.write("wicketgate.yaml", config(setup, port.addr(), tls, inspection))?;
        let mut command = Command::new(&setup.wicketgate);
        command.arg("run").arg("--config").arg(config);
        let process = Process::spawn(command, Ready::port(port.addr())).await?;
        Ok(Self { process, port, _dir: dir })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        self.process.usage()
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
        Inspection::Messages => "{mode: messages, compression: off}",
        Inspection::Inflated => "{mode: messages, compression: on}",
    };
    format!(
        "workers: {workers}
listeners:
  - name: bench
    bind: {listen}{tls}
routes:
  - name: echo
    match: {{path: \"/*\"}}
    upstream: echo
    websocket: {websocket}
upstreams:
  - name: echo
    targets: [\"ws://{backend}\"]
",
        workers = setup.workers,
        backend = setup.backend,
    )
}
