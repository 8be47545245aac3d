//! The echo backend as a process of its own, so that its cost is nobody else's.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A running backend. Dropping it ends it.
pub(crate) struct Backend {
    child: Child,
    address: SocketAddr,
}

impl Backend {
    pub(crate) fn start(threads: usize) -> Result<Self> {
        let program = std::env::current_exe().context("this program's path")?;
        let mut child = Command::new(program)
            .args(["echo", "--threads", &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the echo backend")?;
        let output = child.stdout.take().context("the echo backend has no output")?;
        let mut backend = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        backend.address = line.trim().parse().with_context(|| format!("the echo backend said {line:?}"))?;
        Ok(backend)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
