//! The built gateway as a program of its own, with a configuration that a test writes and rewrites.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::Result;

use crate::{
    dir::Dir,
    process::{Process, Ready, Signal, Usage},
};

/// How long a reload or a line of the log may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `wicketgate run`. Dropping it ends it.
///
/// Give it addresses from [`crate::ports::Port`] in its configuration, and keep the ports as long as the gateway.
#[derive(Debug)]
pub struct Gateway {
    binary: PathBuf,
    dir: Dir,
    config: PathBuf,
    process: Process,
}

impl Gateway {
    /// Starts `BINARY run --config FILE` with this configuration and waits until it is `ready`.
    ///
    /// In the gateway's own tests `binary` is `env!("CARGO_BIN_EXE_wicketgate")`.
    pub async fn start(binary: impl Into<PathBuf>, config: &str, ready: Ready) -> Result<Self> {
        Self::start_with(binary, config, ready, |_| {}).await
    }

    /// Starts it with more arguments or environment variables.
    pub async fn start_with(
        binary: impl Into<PathBuf>,
        config: &str,
        ready: Ready,
        adjust: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let binary = binary.into();
        let dir = Dir::new()?;
        let config = dir.write("wicketgate.yaml", config)?;
        let mut command = run(&binary, &config);
        adjust(&mut command);
        let process = Process::spawn(command, ready).await?;
        Ok(Self { binary, dir, config, process })
    }

    /// Starts a second process with the same configuration file beside the running one, as a restart without a gap does.
    pub async fn successor(&self, ready: Ready) -> Result<Process> {
        Process::spawn(run(&self.binary, &self.config), ready).await
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The folder of the configuration, for certificates and what else it names.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The running program: its log, its signals.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Replaces the configuration file and does nothing else.
    pub fn write_config(&self, config: &str) -> Result<()> {
        self.dir.write("wicketgate.yaml", config).map(drop)
    }

    /// Replaces the configuration, sends SIGHUP and waits for one more line of the log that contains `line`.
    pub async fn reload(&self, config: &str, line: &str) -> Result<()> {
        let seen = self.process.lines_with(line);
        self.write_config(config)?;
        self.process.signal(Signal::HUP)?;
        self.process.more_lines(line, seen, PATIENCE).await
    }

    /// Waits for a line of the log that contains `text`, also one already written.
    pub async fn log(&self, text: &str) -> Result<String> {
        self.process.line(text, PATIENCE).await
    }

    /// Processor time and memory until now.
    pub fn usage(&self) -> Result<Usage> {
        self.process.usage()
    }

    /// Sends SIGTERM and waits until it has drained and ended.
    pub async fn drain(mut self, deadline: Duration) -> Result<(ExitStatus, String)> {
        self.process.signal(Signal::TERM)?;
        let status = self.process.wait(deadline).await?;
        Ok((status, self.process.output()))
    }
}

fn run(binary: &Path, config: &Path) -> Command {
    let mut command = Command::new(binary);
    command.arg("run").arg("--config").arg(config);
    command
}
